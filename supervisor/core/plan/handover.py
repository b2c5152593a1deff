"""What one unit gives up and another takes in the same pass: ports, sockets, names, paths.

Both run at once otherwise for as long as the one takes to stop, and the other cannot start.
"""

from collections.abc import Iterator, Sequence

from supervisor.model.app import DesiredUnit
from supervisor.model.observed import Observed
from supervisor.model.plan import RestartUnit, StartUnit, Step, StopUnit

_MOST_PORTS = 1_000


def claims_of(unit: DesiredUnit) -> tuple[str, ...]:
    """Return what only one unit of the machine can (or should) have at a time, in words."""
    claims = {*unit.listens, *(f"path {path}" for path in unit.mounts)}
    claims.update(f"{kind} {name}" for kind, name in unit.makes)
    for port in unit.publishes:
        numbers = range(port.first, min(port.last, port.first + _MOST_PORTS) + 1)
        claims.update(f"port {number}/{port.protocol}" for number in numbers)
    return tuple(sorted(claims))


def make_room(steps: Sequence[Step], observed: Observed) -> Iterator[StopUnit]:
    """Yield stops of units that restart without something that another is about to take."""
    starting = {
        step.unit: (step, set(step.inputs.claims))
        for step in steps
        if isinstance(step, StartUnit | RestartUnit) and step.inputs
    }
    had = {
        name: set(inputs.claims)
        for app in (observed.applied.values() if starting else ())
        for name, inputs in app.units.items()
        if name in starting
    }
    stopped = {step.unit for step in steps if isinstance(step, StopUnit)}
    for name, (step, claims) in starting.items():
        gives = had.get(name, set()) - claims
        if not gives or name in stopped or not observed.unit(name).is_up:
            continue
        for taker, (_, takes) in starting.items():
            if taker != name and (moving := sorted(gives & takes - had.get(taker, set()))):
                reason = f"{moving[0]} goes to {taker}"
                yield StopUnit(app=step.app, unit=name, reason=reason)
                break
