"""Units that cannot be started one by one: a pod with its containers, a socket with its service.

Podman ends a pod when the last of its containers stops (Quadlet's ExitPolicy=stop), and systemd
refuses to open a socket while its service runs.
"""

from collections.abc import Container

from supervisor.core.plan.unit_inputs import inputs_of
from supervisor.model.app import DesiredApp
from supervisor.model.observed import Observed, UnitInputs
from supervisor.model.plan import RestartUnit, StartUnit, Step, StopUnit
from supervisor.model.quadlet import UnitKind


def with_pods(app: DesiredApp, observed: Observed, steps: list[Step]) -> list[Step]:
    """Return the steps so that a pod restarts as a whole where nothing of it would be left running.

    Its own restart is that of its containers, so these are asked to start only.
    """
    for pod in app.units:
        state = observed.unit(pod.name)
        if pod.kind is not UnitKind.POD or state.has_ended:
            continue
        members = {
            name
            for name, unit in app.runtime_units.items()
            if unit.kind is UnitKind.CONTAINER and pod.name in unit.requires
        }
        running = {name for name in members if not observed.unit(name).has_ended}
        goes = {
            step.unit
            for step in steps
            if isinstance(step, RestartUnit | StopUnit) and step.unit in members
        }
        restarts = [s for s in steps if isinstance(s, RestartUnit) and s.unit == pod.name]
        if not restarts:
            is_planned = any(_runs(step, {pod.name}) for step in steps)
            # What leaves the app, or became another kind, may have been in the pod as well.
            leaves = any(isinstance(step, StopUnit) for step in steps)
            if is_planned or not (goes or leaves) or not running <= goes:
                continue
            reason = "none of its containers runs on, and it ends with the last"
            inputs = inputs_of(app, pod, observed)
            restarts.append(RestartUnit(app=app.name, unit=pod.name, inputs=inputs, reason=reason))
        # The pod comes first, so that systemd makes one transaction of all of it.
        others = [_only_started(one, members) for one in steps if one not in restarts]
        at = _first_start(others)
        steps = [*others[:at], *restarts, *others[at:]]
    return steps


def with_sockets(
    app: DesiredApp, wanted: Container[str], observed: Observed, steps: list[Step]
) -> tuple[list[Step], dict[str, UnitInputs]]:
    """Return the steps so that a socket's service is stopped before the socket is opened (again).

    `wanted` are the units that should run; a service that is not among them is started by its
    next connection. These are returned, too, with what they are made of.
    """
    left: dict[str, UnitInputs] = {}
    for socket in app.units:
        service = app.by_name.get(socket.activates)
        if service is None or observed.unit(service.name).has_ended:
            continue
        opens = [
            step
            for step in steps
            if isinstance(step, StartUnit | RestartUnit) and step.unit == socket.name
        ]
        if not opens:
            continue
        reason = f"{socket.name} cannot be opened while it runs"
        stops = [StopUnit(app=app.name, unit=service.name, reason=reason)]
        if not observed.unit(socket.name).has_ended:
            reason = opens[0].reason
            stops.insert(0, StopUnit(app=app.name, unit=socket.name, reason=reason))
        inputs = inputs_of(app, service, observed)
        starts: list[Step] = []
        if service.name in wanted:
            reason = f"{socket.name} is opened again"
            starts.append(StartUnit(app=app.name, unit=service.name, inputs=inputs, reason=reason))
        else:
            left[service.name] = inputs
        both = {service.name, socket.name}
        others = [step for step in steps if not _runs(step, both)]
        steps = [*others, *stops, *opens, *starts]
    return steps, left


def _runs(step: Step, units: Container[str]) -> bool:
    return isinstance(step, StartUnit | RestartUnit | StopUnit) and step.unit in units


def _first_start(steps: list[Step]) -> int:
    first = (n for n, one in enumerate(steps) if isinstance(one, StartUnit | RestartUnit))
    return next(first, len(steps))


def _only_started(step: Step, members: Container[str]) -> Step:
    if not isinstance(step, RestartUnit) or step.unit not in members:
        return step
    return StartUnit(
        app=step.app, unit=step.unit, inputs=step.inputs, repair=step.repair, reason=step.reason
    )
