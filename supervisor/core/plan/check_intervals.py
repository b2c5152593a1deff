"""How often the containers of an app are asked for their health: seldom, once they are long well.

What is seen of them is put together by `core.health.unit_health`.
"""

from collections.abc import Iterator

from supervisor.core.health.unit_health import is_restless, is_usual, unit_health
from supervisor.core.plan.draft import Draft
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.health import Checked, Health
from supervisor.model.observed import Observed
from supervisor.model.plan import SetHealthInterval
from supervisor.model.quadlet import UnitKind
from supervisor.model.settings import HealthSettings

_ANSWERS_TO_SETTLE = 3
"""A container must have answered so often, however short the settling time is set."""
_STARTING_LOOK_SECONDS = (5.0, 120.0)
"""A starting container is looked at again when it is half as old again, within these bounds."""
_GRACE_SECONDS = 1.0
"""What a check may take, when its answer is waited for."""


def settle_seconds(settings: HealthSettings, declared: float) -> float:
    """How long a container must have been well before it is asked less often."""
    return max(float(settings.idle_after), _ANSWERS_TO_SETTLE * declared)


def idle_interval(unit: DesiredUnit, app: str, settings: HealthSettings) -> float:
    """Return what the unit says, else what the settings say of the app, else of all; 0 is off."""
    if unit.idle_interval is not None:
        return unit.idle_interval
    return float(settings.idle_interval_by_app.get(app, settings.idle_interval))


def plan_check_intervals(
    app: DesiredApp, observed: Observed, now: float, settings: HealthSettings, draft: Draft
) -> None:
    """Add the steps that change how often containers are asked, and when to look again."""
    changing, touched = bool(draft.steps), draft.touched
    for unit, checked in _containers(app, observed):
        container = checked.container
        if container.unit in touched:
            continue  # it is about to be another one
        declared = unit.health_interval or container.image_interval
        if is_restless(checked, now):
            draft.look_again(checked.well_at)
        if container.health is Health.STARTING:
            least, most = _STARTING_LOOK_SECONDS
            draft.look_again(now + min(most, max(least, (now - container.started_at) / 2)))
        elif container.streak and container.health is Health.HEALTHY:
            draft.look_again(now + (declared or container.interval) + _GRACE_SECONDS)
        if not declared or unit.kind is not UnitKind.CONTAINER:
            continue
        idle = idle_interval(unit, app.name, settings)
        if idle > declared and not container.adjustable:
            draft.findings.append(_too_old(app.name, unit))
            continue
        settle = settle_seconds(settings, declared)
        settles = checked.calm_since + settle
        long_well = bool(checked.calm_since) and now >= settles
        # Also after podvisor was restarted, and does not know how long all has been well.
        stays_idle = container.interval > declared
        doubt = "its app is changing" if changing else _doubt(checked, observed, now)
        if idle > declared and not (doubt or long_well or stays_idle):
            draft.look_again(settles)
        if not doubt and 0 <= now - container.started_at < settle:
            # Podman restarts in place what has HealthOnFailure=restart: with the interval it had.
            doubt = "it was restarted"
        wanted, reason = declared, doubt or "HealthIdleInterval= is off"
        if idle > declared and not doubt and (long_well or stays_idle):
            wanted, reason = idle, "it has been healthy for long enough"
        # What somebody made shorter than declared is left alone.
        if container.interval != wanted and max(container.interval, wanted) > declared:
            draft.steps.append(
                SetHealthInterval(
                    app=app.name,
                    unit=container.unit,
                    container=container.name,
                    container_id=container.id,
                    seconds=wanted,
                    reason=reason,
                )
            )


def _containers(app: DesiredApp, observed: Observed) -> Iterator[tuple[DesiredUnit, Checked]]:
    for name, unit in app.runtime_units.items():
        yield from ((unit, checked) for checked in observed.checked_of.get(name, ()))


def _doubt(checked: Checked, observed: Observed, now: float) -> str:
    """Say what is suspicious about a container, empty if nothing is."""
    container = checked.container
    state = observed.units.get(container.unit)
    if container.health is not Health.HEALTHY:
        return f"it is {container.health or 'not checked'}"
    if container.streak:
        return "its health check failed"
    if not is_usual(state):
        return f"its unit is {state.active if state else 'gone'}"
    if is_restless(checked, now):
        return "Podman restarts it"
    if unit_health(container.unit, observed, now).health is not Health.HEALTHY:
        return "its probe failed"
    return ""


def _too_old(app: str, unit: DesiredUnit) -> Finding:
    return Finding(
        message=f"HealthIdleInterval= has no effect on {unit.name}: this Podman cannot change the"
        " health check of a running container",
        app=app,
        path=unit.path,
        hint="Podman 5.4.2 and newer can; until then its health check runs as declared",
        fatal=False,
    )
