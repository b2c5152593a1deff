"""How an app stands, in the words of the status page."""

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from supervisor.core.health import wanted_units
from supervisor.core.health.crash_backoff import (
    calm_at,
    is_looping,
    settle_seconds,
    settles_at,
)
from supervisor.core.health.gate import rollout_of
from supervisor.core.health.unit_health import unit_health
from supervisor.core.status.commits import asking, standing
from supervisor.core.status.failed_instances import failed_instances
from supervisor.core.status.in_words import go_on_command
from supervisor.kit.texts import count, format_duration
from supervisor.model.app import Deployment, DesiredUnit
from supervisor.model.ending import Ending
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.health import Health
from supervisor.model.need import Need, NeedKind, unit_need
from supervisor.model.observed import AppliedApp, JobFailed, Observed, RepairState, UnitState
from supervisor.model.plan import Verdict
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import GateState, Outcome
from supervisor.model.status import AppState, AppStatus, UnitStatus

_WELL = (AppState.READY, AppState.INACTIVE)
_AT_REST = (AppState.KEPT, AppState.HELD, AppState.UNKNOWN, *_WELL)


def app_status(
    deployment: Deployment,
    verdict: Verdict,
    observed: Observed,
    *,
    applied: AppliedApp | None,
    repairs: Mapping[str, RepairState],
    failure: Failure | None,
    broken: Mapping[str, JobFailed],
    image_error: Callable[[str], str],
    now: float,
) -> AppStatus:
    """Sum up one app after a pass; `observed` holds its units as they are after it."""
    wanted, last_good = deployment.wanted, deployment.last_good
    stands = wanted if wanted and verdict.complete else last_good
    should = wanted_units.should_run(
        stands.runtime_units if stands else {}, observed.targets, observed.needed_by
    )
    units = []
    for unit in stands.units if stands else ():
        idle = (unit.name,) if unit.name in verdict.unstarted else ()
        # A template of which nothing starts an instance stands for itself.
        for name in unit.runtime_names or idle:
            state = observed.unit(name)
            memory = repairs.get(name)
            down = not state.is_up
            health = unit_health(name, observed, now)
            is_restless = down or settles_at(memory) > now or is_looping(state, now)
            ending = observed.ending(name) if is_restless else Ending()
            units.append(
                UnitStatus(
                    name=name,
                    active=state.active,
                    sub=state.sub,
                    up=state.is_up and not state.paused,
                    paused=state.paused,
                    frozen=state.frozen,
                    container=_container_of(unit, name),
                    job=state.job,
                    wanted=name in should,
                    unmet=state.unmet if name in should or not state.gives_way else "",
                    result=state.result if state.active == "failed" else "",
                    ended=ending.how,
                    log=ending.lines,
                    more=ending.more,
                    log_driver=unit.log_driver,
                    log_file=unit.log_file,
                    failed_at=state.failed_at,
                    unstarted=unit.name in verdict.unstarted,
                    failures=memory.failures if memory and down else 0,
                    next_try_at=memory.next_at if memory and down and name in should else 0.0,
                    ended_well=unit.oneshot
                    and name in should
                    and (state.active, state.result) == ("inactive", "success")
                    and state.ever_started,
                    health=health.health,
                    health_since=health.since,
                    health_streak=health.streak,
                    health_output=health.output,
                    health_interval=_longer_interval(unit, name, observed),
                    images=_images_of(unit, state, applied),
                    publishes=unit.publishes,
                    listens=unit.listens,
                )
            )
    units.extend(failed_instances(stands, observed))
    findings = list(verdict.findings)
    suspension = observed.suspended.get(deployment.name)
    reverted = _is_reverted(deployment, observed)
    refused = any(finding.fatal for finding in findings) or isinstance(failure, Stalled)
    if failure:
        findings.append(_as_finding(deployment.name, failure))
    waiting = [_with_error(need, image_error) for need in verdict.waiting]
    waiting.extend(_paused(one) for one in units if one.paused)
    met = {unit.name for unit in units if not unit.unmet}
    waiting.extend(unit_need(name, str(job)) for name, job in broken.items() if name in met)
    settling = [one for one in units if one.wanted and settles_at(repairs.get(one.name)) > now]
    waiting.extend(
        Need(
            kind=NeedKind.UNIT,
            subject=one.name,
            text=f"{one.name} runs, after it was brought back"
            f" {count(repairs[one.name].failures, 'time')}",
            detail=f"it has to stay up for {format_duration(settle_seconds(repairs[one.name]))}"
            f"{f'; last: {one.ended}' if one.ended else ''}{observed.words_of(one.name)}",
            failing=True,
        )
        for one in settling
        if one.up
    )
    states = [observed.unit(one.name) for one in units if one.wanted]
    waiting.extend(
        unit_need(one.name, _loop_in_words(one, observed), failing=True)
        for one in states
        if is_looping(one, now)
    )
    status = AppStatus(
        name=deployment.name,
        source=deployment.source,
        state=(
            AppState.SUSPENDED
            if suspension
            else AppState.REFUSED
            if refused and not reverted
            else AppState.FAILING
            if failure or settling or any(need.failing for need in waiting)
            else _state(deployment, verdict, units, reverted=reverted)
        ),
        applied_at=applied.applied_at if applied else 0.0,
        units=tuple(units),
        waiting=tuple(waiting),
        gate=_gate_in_words(verdict),
        rolling=verdict.rolling,
        held=deployment.held,
        suspension=suspension,
        scales=tuple(filter(stands.heeds, deployment.scales)) if stands else (),
        held_back=verdict.held_back,
        updates=deployment.updates,
        findings=tuple(findings),
    )
    return asking(standing(status, stands), deployment)


def unseen(deployment: Deployment, old: AppStatus | None, failure: Failure) -> AppStatus:
    """Say of an app that nothing is known of it now but `old`, what was known before, and why."""
    name = deployment.name
    status = old or AppStatus(
        name=name,
        source=deployment.source,
        state=AppState.FAILING,
        findings=deployment.findings,
    )
    kept = tuple(one for one in status.findings if one in deployment.findings)
    return msgspec.structs.replace(
        asking(status, deployment),
        state=AppState.REFUSED if isinstance(failure, Stalled) else AppState.FAILING,
        findings=(*kept, _as_finding(name, failure)),
    )


def _as_finding(app: str, failure: Failure) -> Finding:
    hint = failure.hint if isinstance(failure, Stalled) else "tried again by itself"
    return Finding(message=str(failure), app=app, hint=hint)


def as_it_is(status: AppStatus, units: Mapping[str, UnitState]) -> AppStatus:
    """Return an app's status with its units as they are now, after its last pass."""
    seen = tuple(_as_it_is(one, units.get(one.name)) for one in status.units)
    if seen == status.units:
        return status
    status = msgspec.structs.replace(status, units=seen)
    down = [one for one in seen if one.is_down]
    needs = [_paused(one) if one.paused else unit_need(one.name, one.active) for one in down]
    return _changing(status, needs) if down else status


def _as_it_is(unit: UnitStatus, state: UnitState | None) -> UnitStatus:
    if state is None or unit.failed_instances:
        return unit
    if unit.up and not state.is_up:
        # What is known of its health is that of a container that is gone.
        unit = msgspec.structs.replace(
            unit, health=Health.NONE, health_since=0.0, health_streak=0, health_output=""
        )
    return msgspec.structs.replace(
        unit,
        active=state.active,
        sub=state.sub,
        job=state.job,
        paused=state.paused,
        frozen=state.frozen,
        up=state.is_up and not state.paused,
    )


def _container_of(unit: DesiredUnit, name: str) -> str:
    """Return Podman's name of the container that a unit makes under this name of its own."""
    if unit.kind is not UnitKind.CONTAINER:
        return ""
    prefix, _, instance = name.removesuffix(".service").partition("@")
    return unit.object_name.replace("%p", prefix).replace("%i", instance)


def _images_of(unit: DesiredUnit, state: UnitState, applied: AppliedApp | None) -> tuple[str, ...]:
    """Return the images that a unit runs with, or is to: its turn may come yet."""
    started = applied.units.get(state.name) if applied else None
    if started and started.images and started.digest != unit.digest and state.is_up:
        return tuple(started.images)
    return unit.images


def _paused(unit: UnitStatus) -> Need:
    how = "frozen" if unit.frozen else "paused"
    command = go_on_command(unit.name, unit.container, frozen=unit.frozen)
    return unit_need(unit.name, f"{how} ({command})")


def under_way(status: AppStatus | None, deployment: Deployment, steps: Sequence[Need]) -> AppStatus:
    """Return the status of an app that a pass has work for, and does these steps now."""
    name, source = deployment.name, deployment.source
    status = status or AppStatus(name=name, source=source, state=AppState.UNKNOWN, stale=True)
    if status.stale:
        status = msgspec.structs.replace(standing(status, deployment.last_good), waiting=())
    status = asking(status, deployment)
    pending = Need(kind=NeedKind.STEP, subject="", text="a pass is under way")
    return _changing(status, steps or [pending])


def _changing(status: AppStatus, why: Sequence[Need]) -> AppStatus:
    """Return the status of an app that is not at rest; what is worse than that stays its state."""
    state = AppState.CHANGING if status.state in _AT_REST else status.state
    waiting = tuple(dict.fromkeys((*why, *status.waiting)))
    return msgspec.structs.replace(status, state=state, waiting=waiting)


def _with_error(need: Need, image_error: Callable[[str], str]) -> Need:
    """Say of an image why it could not be had."""
    error = image_error(need.subject) if need.kind is NeedKind.IMAGE else ""
    # What it is about stands before it already.
    error = re.sub(rf"^cannot pull {re.escape(need.subject)}: ", "cannot be pulled: ", error)
    return msgspec.structs.replace(need, detail=error, failing=True) if error else need


def _loop_in_words(state: UnitState, observed: Observed) -> str:
    """Say of a unit that crashes again and again how often, and its last words."""
    tries = count(state.restarts, "time") if state.restarts else "again and again"
    stay = format_duration(round(calm_at(state) - state.active_since))
    lasts = f"; it has to stay up for {stay}" if state.is_up else ""
    cause = observed.because(state.name)
    return f"systemd has restarted it {tries}{lasts}{cause}"


def _longer_interval(unit: DesiredUnit, name: str, observed: Observed) -> float:
    """Seconds between two health checks of its container, if those are more than declared."""
    for checked in observed.checked_of.get(name, ()):
        container = checked.container
        declared = unit.health_interval or container.image_interval
        if declared and container.interval > declared:
            return container.interval
    return 0.0


def _is_reverted(deployment: Deployment, observed: Observed) -> bool:
    """Whether what the source asks for failed its gate, and something else runs."""
    wanted, last_good = deployment.wanted, deployment.last_good
    if wanted is None or last_good is None or wanted.content == last_good.content:
        return False
    known = rollout_of(wanted, observed)
    return known is not None and known.outcome is Outcome.FAILED


def _gate_in_words(verdict: Verdict) -> str:
    gate = verdict.gate
    return gate.reason if gate and gate.state is not GateState.PASSED else ""


def _state(
    deployment: Deployment, verdict: Verdict, units: list[UnitStatus], *, reverted: bool
) -> AppState:
    down = [unit for unit in units if unit.is_down]
    ended = {"failed", "inactive"}
    if any(need.kind is NeedKind.VOLUMES for need in verdict.waiting):
        return AppState.CHANGING  # what is down was stopped for them
    if any((unit.active in ended and not unit.job) or unit.paused for unit in down):
        return AppState.FAILING
    if any(unit.wanted and unit.health is Health.UNHEALTHY for unit in units):
        return AppState.FAILING
    if verdict.gate and verdict.gate.is_failing:
        return AppState.FAILING
    if reverted:
        return AppState.REVERTED
    if down or not verdict.complete or verdict.rolling or _gate_in_words(verdict):
        # A kept app is never "complete": its source does not want it.
        if not down and deployment.keep:
            return AppState.KEPT
        return AppState.CHANGING
    if deployment.held:
        return AppState.HELD
    idle = any(unit.unstarted or (unit.wanted and unit.unmet) for unit in units)
    return AppState.INACTIVE if idle else AppState.READY


def with_known_since(status: AppStatus, old: AppStatus | None) -> AppStatus:
    """Return the status with since when units are as healthy as they are, where `old` knows it."""
    known = {unit.name: unit for unit in old.units} if old else {}
    units = tuple(
        msgspec.structs.replace(unit, health_since=was.health_since)
        if unit.health
        and not unit.health_since
        and (was := known.get(unit.name))
        and was.health is unit.health
        else unit
        for unit in status.units
    )
    return status if units == status.units else msgspec.structs.replace(status, units=units)
