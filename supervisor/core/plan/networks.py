"""Networks that go, or are made anew: who uses them is stopped before, whoever's it is.

Serves `core.plan.planner`, which calls it with the steps of all apps of a pass.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from supervisor.model.observed import Observed
from supervisor.model.plan import (
    RemoveContainer,
    RemoveNetwork,
    RemovePod,
    RestartUnit,
    StartUnit,
    Step,
    StopUnit,
)
from supervisor.model.quadlet import UnitKind


def users_of_network(
    network: str, observed: Observed, *, without: Collection[str] = ()
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the units of apps that use a network, and the containers of anybody else that do.

    A container may be in it by its name, so that systemd does not know, and without running.
    Containers of the names `without` do not count.
    """
    known = {name: one for app in observed.applied.values() for name, one in app.units.items()}
    pods = {one.object_name: name for name, one in known.items() if one.kind is UnitKind.POD}
    units, others = set(), []
    for container in observed.inventory.containers or ():
        if network in container.networks and container.name not in without:
            unit = container.unit or pods.get(container.pod, "")
            if unit in known or unit in observed.units:
                units.add(unit)
            else:
                others.append(container.name)
    return frozenset(units), tuple(sorted(others))


def free_networks(steps: Iterable[Step], observed: Observed) -> list[Step]:
    """Stop whatever uses a network before that is removed, and start it again if it comes back.

    That is the doing of whose they are, and what no app starts anew keeps its record: it is started
    as what it is. A network that does not come back is left while others use it.
    """
    planned = list(steps)
    # A stable order by phase: what is removed beside them goes before.
    planned.sort(key=lambda step: isinstance(step, RemoveNetwork))
    gone = {one.container for one in planned if isinstance(one, RemoveContainer)}
    going = [one for one in planned if isinstance(one, RemoveNetwork)]
    applied = observed.applied.items() if going else ()
    owners = {unit: name for name, one in applied for unit in one.units}
    for step in going:
        starts = [one for one in planned if isinstance(one, StartUnit | RestartUnit)]
        comes_back = any(
            (one.inputs.kind, one.inputs.object_name) == (UnitKind.NETWORK, step.network)
            for one in starts
            if one.inputs
        )
        users, others = users_of_network(step.network, observed, without=gone)
        stopped = {one.unit for one in planned if isinstance(one, StopUnit)}
        idle = sorted(users - stopped - {one.unit for one in starts})
        if not comes_back and (others or idle):
            planned.remove(step)
            continue
        reason = f"network {step.network} {'is made anew' if comes_back else 'goes'}"
        at = planned.index(step)
        planned[at:at] = _without_the_dead(step, users, observed)
        planned.extend(
            StopUnit(app=owners.get(unit, step.app), unit=unit, reason=reason)
            for unit in sorted(users - stopped)
        )
        planned.extend(
            _as_it_is(owners.get(unit, step.app), unit, observed, reason) for unit in idle
        )
    planned.extend(_stopped_along(planned, observed))
    return planned


def _stopped_along(steps: Sequence[Step], observed: Observed) -> Iterator[StartUnit]:
    """Start again what other apps run that needs a unit which is stopped, and started later.

    systemd stops what requires a unit with it, be it in its network or not, and starts only the
    unit itself.
    """
    stopped = {one.unit for one in steps if isinstance(one, StopUnit)}
    started = {one.unit for one in steps if isinstance(one, StartUnit | RestartUnit)}
    for need in sorted(stopped & started):
        for user, app in observed.needed_by.get(need, {}).items():
            if observed.unit(user).is_up and user not in stopped | started:
                started.add(user)
                yield _as_it_is(app, user, observed, f"stopped with {need}")


def _as_it_is(app: str, unit: str, observed: Observed, reason: str) -> StartUnit:
    """Start a unit as what it is: it keeps its record."""
    known = observed.applied.get(app)
    inputs = known.units.get(unit) if known else None
    return StartUnit(app=app, unit=unit, inputs=inputs, reason=reason)


def _without_the_dead(
    step: RemoveNetwork, users: Collection[str], observed: Observed
) -> Iterator[RemoveContainer | RemovePod]:
    """Remove what keeps the network without running, and no stop of its unit would end.

    After a power cut containers are still there, until their unit makes them anew.
    """
    pods = set()
    for one in observed.inventory.containers or ():
        is_known = one.unit in users and one.unit in observed.units
        if step.network not in one.networks or not (is_known and observed.unit(one.unit).has_ended):
            continue
        if not one.pod:
            reason = f"left behind by {one.unit}"
            yield RemoveContainer(app=step.app, container=one.name, reason=reason)
        elif one.pod not in pods:
            pods.add(one.pod)
            yield RemovePod(app=step.app, pod=one.pod, reason="none of its units runs")
