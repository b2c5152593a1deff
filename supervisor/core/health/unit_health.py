"""Health as pure functions: what is remembered of a container, what a probe's answers add up to.

`controllers.apps.health` and `controllers.apps.probes` gather what is known; `unit_health` is the
one verdict on a unit, for plans, for the gate, and for the status page.
"""

from msgspec.structs import replace

from supervisor.core.health import crash_backoff, played
from supervisor.kit.alarm import next_multiple
from supervisor.kit.texts import count
from supervisor.model.health import Checked, ContainerHealth, Health, Probe, Probed, UnitHealth
from supervisor.model.observed import Observed, UnitState

_WORST_LAST = (Health.NONE, Health.HEALTHY, Health.STARTING, Health.UNHEALTHY)
_FIRST_PROBE_SECONDS = 1.0


def noted(
    before: Checked | None,
    seen: ContainerHealth,
    *,
    usual: bool,
    now: float,
    began: float = 0.0,
) -> Checked:
    """Add what is seen to what is remembered; `usual` is whether its unit simply runs.

    `began` is when the daemon did: since when what is older is as it is, is not known.
    """
    if before and before.container.id != seen.id:
        before = None
    known, restless, well_at = before, 0.0, 0.0
    started = (seen.started_at, seen.restarts)
    if before and (before.container.started_at, before.container.restarts) != started:
        known = None
    if seen.restarts:
        # A clock that was set back says nothing of the age.
        at = min(seen.started_at, now)
        well_at = known.well_at if known else at + crash_backoff.calm_seconds(seen.restarts)
        restless = before.restless_since if before and is_restless(before, at) else at
    is_new = before is not None or seen.started_at >= began
    same = known is not None and known.container.health is seen.health
    calm = usual and seen.health is Health.HEALTHY and not seen.streak
    return Checked(
        container=seen,
        since=known.since if known and same else now if is_new else 0.0,
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
    return 0 < checked.well_at - now <= crash_backoff.LONGEST_CALM_SECONDS


def is_usual(state: UnitState | None) -> bool:
    """Whether a unit simply runs, with nothing about to happen to it."""
    return bool(state and state.active == "active" and not state.job)


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
    since = before.since if health is before.health else now
    return replace(before, health=health, since=since, streak=streak, output=failure)


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


def unit_health(
    unit: str, observed: Observed, now: float, *, since: float | None = None
) -> UnitHealth:
    """Return the verdict on a unit: the worst of its containers and its probe.

    A container that Podman restarts is unhealthy until it has run on for long enough; if `since`
    is given, it is if Podman has restarted it since then, and what came before does not count.
    """
    verdicts = [played.health_of(one, now, since=since) for one in observed.played_of.get(unit, ())]
    for one in observed.checked_of.get(unit, ()):
        if since is None:
            restless = is_restless(one, now)
        else:
            restless = one.container.restarts > 0 and one.container.started_at >= since
        verdicts.append(_restless(one) if restless else _as_checked(one))
    if probed := observed.probed.get(unit):
        verdicts.append(probed)
    return max(
        verdicts, key=lambda one: (_WORST_LAST.index(one.health), one.streak), default=UnitHealth()
    )


def _as_checked(one: Checked) -> UnitHealth:
    container = one.container
    return UnitHealth(
        health=container.health, since=one.since, streak=container.streak, output=container.output
    )


def _restless(one: Checked) -> UnitHealth:
    said = f": {failure}" if (failure := one.last_failure.strip()) else ""
    return UnitHealth(
        health=Health.UNHEALTHY,
        since=one.restless_since,
        output=f"Podman has restarted it {count(one.container.restarts, 'time')}{said}",
    )
