"""Health as pure functions: how often a container is asked, what a probe's answers add up to.

`controllers.health` gathers what is known, `plan_health` decides for one app as a part of its
plan, `unit_health` is the one verdict on a unit, for the status page and whoever waits for it.
"""

import enum
from collections.abc import Iterator

from supervisor.core import played, repair
from supervisor.core.draft import Draft
from supervisor.core.names import runtime_names
from supervisor.kit.alarm import next_multiple
from supervisor.kit.texts import count
from supervisor.model.app import DesiredApp, DesiredUnit, UnitKind
from supervisor.model.errors import Finding
from supervisor.model.health import (
    Checked,
    ContainerHealth,
    Health,
    OnFailure,
    Probe,
    Probed,
    UnitHealth,
)
from supervisor.model.observed import Observed, UnitState
from supervisor.model.plan import RestartUnit, SetHealthInterval, StartUnit, StopUnit
from supervisor.model.settings import HealthSettings

_WORST_LAST = (Health.NONE, Health.HEALTHY, Health.STARTING, Health.UNHEALTHY)
_ANSWERS_TO_SETTLE = 3
"""A container must have answered so often, however short the settling time is set."""
_STARTING_LOOK_SECONDS = (5.0, 120.0)
"""A starting container is looked at again when it is half as old again, within these bounds."""
_FIRST_PROBE_SECONDS = 1.0
_GRACE_SECONDS = 1.0
"""What a check may take, when its answer is waited for."""


class Pace(enum.StrEnum):
    """How often a container's health check runs."""

    DECLARED = "declared"
    IDLE = "idle"


class Sign(enum.StrEnum):
    """What a container looks like."""

    SUSPICIOUS = "suspicious"
    WELL = "well"
    LONG_WELL = "long well"


NEXT_PACE = {
    (Pace.DECLARED, Sign.SUSPICIOUS): Pace.DECLARED,
    (Pace.DECLARED, Sign.WELL): Pace.DECLARED,
    (Pace.DECLARED, Sign.LONG_WELL): Pace.IDLE,
    (Pace.IDLE, Sign.SUSPICIOUS): Pace.DECLARED,
    # Also after podvisor was restarted, and does not know how long all has been well.
    (Pace.IDLE, Sign.WELL): Pace.IDLE,
    (Pace.IDLE, Sign.LONG_WELL): Pace.IDLE,
}


def noted(before: Checked | None, seen: ContainerHealth, *, usual: bool, now: float) -> Checked:
    """Add what is seen to what is remembered; `usual` is whether its unit simply runs."""
    if before and before.container.id != seen.id:
        before = None
    known, restless, well_at = before, 0.0, 0.0
    started = (seen.started_at, seen.restarts)
    if before and (before.container.started_at, before.container.restarts) != started:
        known = None
    if seen.restarts:
        # A clock that was set back says nothing of the age.
        at = min(seen.started_at, now)
        well_at = known.well_at if known else at + repair.calm_seconds(seen.restarts)
        restless = before.restless_since if before and is_restless(before, at) else at
    same = known is not None and known.container.health is seen.health
    calm = usual and seen.health is Health.HEALTHY and not seen.streak
    return Checked(
        container=seen,
        since=known.since if known and same else now,
        calm_since=(known and known.calm_since) or now if calm else 0.0,
        restless_since=restless,
        well_at=well_at,
        last_failure=seen.output or (before.last_failure if before else ""),
    )


def is_restless(checked: Checked, now: float) -> bool:
    """Whether Podman restarts a container by itself again and again, as far as is known.

    As with crash loops of systemd's: between two restarts it looks as if all were well.
    """
    # A clock that was set back must not make it wait longer.
    return 0 < checked.well_at - now <= repair.LONGEST_CALM_SECONDS


def settle_seconds(settings: HealthSettings, declared: float) -> float:
    """How long a container must have been well before it is asked less often."""
    return max(float(settings.idle_after), _ANSWERS_TO_SETTLE * declared)


def idle_interval(unit: DesiredUnit, app: str, settings: HealthSettings) -> float:
    """Return what the unit says, else what the settings say of the app, else of all; 0 is off."""
    if unit.idle_interval is not None:
        return unit.idle_interval
    return float(settings.idle_interval_by_app.get(app, settings.idle_interval))


def plan_health(
    app: DesiredApp, observed: Observed, now: float, settings: HealthSettings, draft: Draft
) -> None:
    """Add the steps that change how often containers are asked, and when to look again."""
    touched = _touched(draft)
    for unit in app.units:
        for name in runtime_names(unit.name, unit.instances):
            if name not in touched and is_usual(observed.units.get(name)):
                _plan_repair(unit, name, observed, now, draft)
                _plan_played(name, observed, now, draft)
    changing, touched = bool(draft.steps), _touched(draft)
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
        doubt = "its app is changing" if changing else _doubt(checked, observed, now)
        # Podman restarts in place what has HealthOnFailure=restart: with the interval that it had.
        young = 0 <= now - container.started_at < settle
        settles = checked.calm_since + settle
        long_well = bool(checked.calm_since) and now >= settles
        sign = Sign.LONG_WELL if long_well else Sign.WELL
        if doubt or young:
            sign = Sign.SUSPICIOUS
        if idle > declared and not doubt and not long_well and container.interval <= declared:
            draft.look_again(settles)
        wanted, reason = _wanted_interval(container, declared, idle, sign)
        # What somebody made shorter than declared is left alone.
        if container.interval != wanted and max(container.interval, wanted) > declared:
            draft.steps.append(
                SetHealthInterval(
                    app=app.name,
                    unit=container.unit,
                    container=container.name,
                    container_id=container.id,
                    seconds=wanted,
                    reason=doubt or ("it was restarted" if young else reason),
                )
            )


def _touched(draft: Draft) -> set[str]:
    """Units that are about to be started or stopped."""
    return {
        step.unit for step in draft.steps if isinstance(step, StartUnit | RestartUnit | StopUnit)
    }


def _wanted_interval(
    container: ContainerHealth, declared: float, idle: float, sign: Sign
) -> tuple[float, str]:
    """Return how often the container is to be asked from now on, and why."""
    if idle <= declared:
        return declared, "HealthIdleInterval= is off"
    pace = Pace.IDLE if container.interval > declared else Pace.DECLARED
    pace = NEXT_PACE[pace, sign]
    return (idle if pace is Pace.IDLE else declared), "it has been healthy for long enough"


def _containers(app: DesiredApp, observed: Observed) -> Iterator[tuple[DesiredUnit, Checked]]:
    for unit in app.units:
        for name in runtime_names(unit.name, unit.instances):
            for checked in observed.checked:
                if checked.container.unit == name:
                    yield unit, checked


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


def is_usual(state: UnitState | None) -> bool:
    """Whether a unit simply runs, with nothing about to happen to it."""
    return bool(state and state.active == "active" and not state.job)


def _too_old(app: str, unit: DesiredUnit) -> Finding:
    return Finding(
        message=f"HealthIdleInterval= has no effect on {unit.name}: this Podman cannot change the"
        " health check of a running container",
        app=app,
        path=unit.path,
        hint="Podman 5.4.2 and newer can; until then its health check runs as declared",
        fatal=False,
    )


def after_answer(before: Probed, probe: Probe, failure: str, now: float) -> Probed:
    """Add one answer of a probe; an empty `failure` is a good one."""
    streak = before.streak + 1 if failure else 0
    health = before.health
    if not failure:
        health = Health.HEALTHY
    elif health is Health.STARTING:
        patience = max(probe.start_period, probe.retries * probe.interval)
        health = Health.STARTING if now < before.began_at + patience else Health.UNHEALTHY
    elif streak >= probe.retries:
        health = Health.UNHEALTHY
    return Probed(
        unit=before.unit,
        health=health,
        since=before.since if health is before.health else now,
        streak=streak,
        output=failure,
        began_at=before.began_at,
    )


def next_probe_at(probed: Probed, probe: Probe, now: float) -> float:
    """When to probe again: at a moment that all probes of one interval share.

    What is starting is asked sooner at first, to be found well as soon as it is.
    """
    if probed.health is Health.STARTING:
        soon = max(_FIRST_PROBE_SECONDS, (now - probed.began_at) / 2)
        return now + min(probe.interval, soon)
    at = next_multiple(probe.interval, now=now)
    # Two probes are never nearer to each other than half their interval.
    return at if at - now >= probe.interval / 2 else at + probe.interval


def _plan_repair(
    unit: DesiredUnit, name: str, observed: Observed, now: float, draft: Draft
) -> None:
    """Restart what its probe finds unhealthy, if it says so, with the backoff of repairs."""
    probed = observed.probed.get(name)
    if probed is None or probed.health is not Health.UNHEALTHY:
        return
    if unit.probe is None or unit.probe.on_failure is not OnFailure.RESTART:
        return
    reason = f"its probe failed {count(probed.streak, 'time')} in a row: {probed.output}"
    _plan_restart(name, reason, observed, now, draft)


def _plan_played(name: str, observed: Observed, now: float, draft: Draft) -> None:
    """Restart the service of a `.kube` for a container that Podman leaves ended."""
    for one in observed.played:
        if one.unit != name:
            continue
        if at := played.calm_at(one, now):
            draft.look_again(at)
        if at := played.repaired_at(one, now):
            if at <= now:
                _plan_restart(name, played.how_it_ended(one), observed, now, draft)
                return
            draft.look_again(at)


def _plan_restart(name: str, reason: str, observed: Observed, now: float, draft: Draft) -> None:
    """Restart a unit that is active and unwell, with the backoff of repairs."""
    memory = observed.repairs.get(name)
    due = repair.due_at(memory, now)
    if due > now:
        draft.waiting.append(f"{name}: {reason}")
        draft.look_again(due)
        return
    after = repair.after_try(name, memory, now)
    draft.steps.append(RestartUnit(app=draft.app, unit=name, repair=after, reason=reason))


def unit_health(
    unit: str, observed: Observed, now: float, *, since: float | None = None
) -> UnitHealth:
    """Return the verdict on a unit: the worst of its containers and its probe.

    A container that Podman restarts is unhealthy until it has run on for long enough; if `since`
    is given, it is if Podman has restarted it since then, and what came before does not count.
    """
    verdicts = []
    for one in observed.checked:
        if one.container.unit != unit:
            continue
        if since is None:
            restless = is_restless(one, now)
        else:
            restless = one.container.restarts > 0 and one.container.started_at >= since
        verdicts.append(_restless(one) if restless else _as_checked(one))
    verdicts.extend(
        played.health_of(one, now, since=since) for one in observed.played if one.unit == unit
    )
    probed = observed.probed.get(unit)
    if probed:
        verdicts.append(
            UnitHealth(
                health=probed.health,
                since=probed.since,
                streak=probed.streak,
                output=probed.output,
            )
        )
    return max(
        verdicts, key=lambda one: (_WORST_LAST.index(one.health), one.streak), default=UnitHealth()
    )


def _as_checked(one: Checked) -> UnitHealth:
    container = one.container
    return UnitHealth(
        health=container.health,
        since=one.since,
        streak=container.streak,
        output=container.output,
    )


def _restless(one: Checked) -> UnitHealth:
    said = f": {failure}" if (failure := one.last_failure.strip()) else ""
    return UnitHealth(
        health=Health.UNHEALTHY,
        since=one.restless_since,
        output=f"Podman has restarted it {count(one.container.restarts, 'time')}{said}",
    )
