"""The gate: whether a revision of an app counts, as a pure function of what is observed.

A revision that is installed anew is on trial. It counts once every unit that should run has
started, is well, and has stayed so for the settling time; what other apps need is such a unit, too,
and what was stopped of theirs for it is to be up again. `core.plan.rollout` takes back what
failed, `controllers.apps.recorder` writes down what passed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from supervisor.core.health.crash_backoff import CONFLICT_SECONDS
from supervisor.core.health.endings import START_TIMEOUT, result_in_words, unmet_in_words
from supervisor.core.health.release import release_id
from supervisor.core.health.startup import unready
from supervisor.core.health.unit_health import unit_health
from supervisor.core.health.wanted_units import failed_need, should_run
from supervisor.kit.texts import format_duration, rough_duration
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.health import Health
from supervisor.model.observed import AppliedApp, Observed, UnitState
from supervisor.model.quadlet import LEADING, UnitKind
from supervisor.model.rollout import Gate, GateState, Outcome, Rollout
from supervisor.model.settings import RolloutSettings
from supervisor.model.source import AppRevision

_FIRST_LOOK_SECONDS = 1.0
_LONGEST_LOOK_SECONDS = 15.0
"""What nobody tells of (a container's health) is looked at when it is a quarter older again."""


def trial_of(app: DesiredApp, observed: Observed) -> Rollout | None:
    """Return the trial of this very revision, if it is on one."""
    if stands(app, observed.applied):
        return None
    known = rollout_of(app, observed)
    return known if known and is_on(known) else None


def is_on(rollout: Rollout) -> bool:
    """Whether it is being tried: its gate has not decided, and nothing else came before."""
    return rollout.outcome is Outcome.TRIAL and not rollout.ended_at


def is_installed(app: DesiredApp, observed: Observed) -> bool:
    """Whether this very revision is what was installed last."""
    manifest = observed.app(app.name).manifest
    return manifest is not None and not manifest.ahead and manifest.content == app.content


def stands(app: AppRevision, applied: Mapping[str, AppliedApp]) -> bool:
    """Whether it is what passed its gate last."""
    last = applied.get(app.name)
    return last is not None and last.content == app.content


def rollout_of(app: AppRevision, observed: Observed) -> Rollout | None:
    """Return what is remembered of it: the newest of its releases that were tried."""
    tried = reversed(observed.rollouts.get(app.name, ()))
    return next((one for one in tried if one.content == app.content), None)


def begin_trial(
    app: DesiredApp,
    observed: Observed,
    *,
    last_good: DesiredApp | None,
    images: dict[str, str],
    changing: Collection[str],
    now: float,
) -> Rollout:
    """Return the record of a trial that begins; `changing` are the units that it (re)starts.

    What is down already is not its fault, as long as it is a unit of the release that was good
    last: one that came with a release since, which was on trial, never was.
    """
    wanted = should_run(app.runtime_units, observed.targets, observed.needed_by)
    names = app.runtime_units
    down = {name for name in wanted if not observed.unit(name).is_up}
    down.update(name for name, unit in names.items() if _failed_for_others(name, unit, observed))
    down.update(
        user
        for name in names
        for user in observed.needed_by.get(name, ())
        if not observed.unit(user).is_up
    )
    down.difference_update(changing)
    good = last_good.runtime_units if last_good and stands(last_good, observed.applied) else {}
    unproven = {
        name for name, unit in names.items() if name not in good or good[name].digest != unit.digest
    }
    return Rollout.of(
        app,
        release=release_id(app.content, images),
        images=images,
        began_at=now,
        down_before=tuple(sorted(down)),
        ignored_units=tuple(sorted(down - unproven)),
    )


def judge(
    app: DesiredApp,
    observed: Observed,
    trial: Rollout,
    now: float,
    settings: RolloutSettings,
    *,
    strict: bool = True,
    undone: str = "",
    untried: Collection[str] = (),
) -> Gate:
    """Say whether the revision counts.

    `undone` says what is still to be done for it, empty if nothing is, and `untried` names the
    units that this will start: it cannot pass before, but it can fail. Without `strict` (there is
    no way back) nothing fails: it counts when it is well at last.
    """
    settle = settle_of(app, settings)
    began = trial.began_at
    terms = Terms(now=now, began=began, since=began if strict else None, settle=settle)
    waits: list[str] = [undone] if undone else []
    is_failing = False
    looks: list[float] = []
    unmet: list[str] = []
    judged = list(_judged(app, observed, trial))
    left = _left(trial.began_at, settle, now)
    if strict and not judged and left and not undone:
        waits.append(f"nothing of it is to run: it counts after {format_duration(settle)}")
        looks.append(now + left)
    for name, unit in judged:
        if name in untried:
            continue
        state = observed.unit(name)
        if state.gives_way:
            waits.append(f"{name}: {unmet_in_words(state.unmet)}")
            looks.append(now + CONFLICT_SECONDS)
        elif state.unmet:
            # systemd was told not to start it here: that says nothing of the revision.
            unmet.append(f"{name} was not started: {unmet_in_words(state.unmet)}")
        elif undone and state.active == "inactive" and state.active_since <= began:
            # What is still to be done may have stopped it, and is to start it again.
            waits.append(f"{name}: {state.active}")
        elif word := lacks(app, name, unit, observed, terms):
            if word.failed and strict and not word.waits_for:
                log = observed.ending(name).lines
                return Gate(state=GateState.FAILED, reason=word.reason, unit=name, log=log)
            is_failing |= word.failed and not strict
            waits.append(word.reason)
            if word.look_at:
                looks.append(word.look_at)
    for user, owner, need in () if undone else _shaken(app, observed, trial):
        said = f"{user} of app {owner}, which needs {need},"
        state = observed.unit(user)
        failure = _failure_since(state, observed.units[need], observed)
        # What is on trial itself has its own gate to answer for it, and comes back without this.
        if strict and failure and not any(map(is_on, observed.rollouts.get(owner, ()))):
            log = observed.ending(user).lines
            return Gate(state=GateState.FAILED, reason=f"{said} {failure}", log=log)
        waits.append(f"{said} is not up again yet: {state.active}")
        looks.append(now + _next_look(now - trial.began_at))
    if not waits:
        nothing = "" if judged else "nothing of it is to run"
        return Gate(state=GateState.PASSED, reason="; ".join(unmet) or nothing)
    # Of those that are restarted one by one, each has the time of all.
    moved = (name for name in in_turn(app) if not observed.repair(name).failures)
    last_began = max((observed.unit(name).active_since for name in moved), default=0.0)
    ends = max(trial.began_at, min(last_began, now)) + max(float(settings.gate_timeout), settle)
    if strict and now >= ends:
        after = rough_duration(now - trial.began_at)
        return Gate(state=GateState.FAILED, reason=f"it is not well after {after}: {waits[0]}")
    if strict:
        looks.append(ends)
    return Gate(
        state=GateState.PENDING,
        reason=waits[0],
        is_failing=is_failing,
        look_at=min(looks, default=0.0),
    )


class Lack(NamedTuple):
    """What a unit lacks before it is well."""

    reason: str
    failed: bool = False
    """Whether it is not merely on its way."""
    waits_for: str = ""
    """If it failed: a unit of another app that is down, which it needs."""
    look_at: float = 0.0
    """When time alone may say more, seconds since the epoch; 0 if it cannot."""


class Terms(NamedTuple):
    """By what it is said whether a unit is well."""

    now: float
    began: float
    """When that was begun to be asked."""
    since: float | None
    """As of `_failure`."""
    settle: float
    """Seconds for which it has to stay up."""


def lacks(
    app: DesiredApp, name: str, unit: DesiredUnit, observed: Observed, terms: Terms
) -> Lack | None:
    """Say what a unit that should run lacks before it counts as well; None if nothing."""
    state, now, since = observed.unit(name), terms.now, terms.since
    if state.paused:
        return Lack(f"{name} is {'frozen' if state.frozen else 'paused'}")
    if failure := _failure(name, unit, state, observed, now, since=since):
        waits_for = _waits_for(app, unit, observed)
        if state.active == "inactive" and (need := failed_need(app.name, unit, observed)):
            failure = f"{name} {need}"
        elif waits_for:
            failure = f"{name} waits for {waits_for}"
        elif state.active == "failed" and (need := _down_need(app, unit, observed)):
            failure += f"; {need}, which it needs, is {observed.unit(need).active}"
        return Lack(failure, failed=True, waits_for=waits_for)
    if _ended_well(unit, state):
        return None
    if not state.is_up:
        return Lack(f"{name}: {state.active}")
    if state.ending and unit.kind is UnitKind.CONTAINER:
        # systemd is about to tell how it ended.
        why = f"{name} is about to end: nothing of its container runs any more"
        return Lack(why, look_at=now + _next_look(now - terms.began))
    if not _has_answered(name, unit, observed, now, since=since):
        why = f"{name}: its health check has not answered well yet"
        return Lack(why, look_at=now + _next_look(now - terms.began))
    if left := _left(state.active_since, terms.settle, now):
        why = f"{name} has to stay up for {format_duration(terms.settle)}"
        return Lack(why, look_at=now + left)
    return None


def settle_of(app: DesiredApp, settings: RolloutSettings) -> float:
    """Seconds for which a unit of an app has to stay up before it counts."""
    return float(settings.settle if app.options.settle is None else app.options.settle)


def in_turn(app: DesiredApp) -> Iterator[str]:
    """Yield the units, by runtime name, of which not all are restarted at once."""
    for unit in app.units:
        if app.options.one_by_one or unit.has_replicas:
            yield from unit.runtime_names


def _judged(
    app: DesiredApp, observed: Observed, trial: Rollout
) -> Iterator[tuple[str, DesiredUnit]]:
    """Yield what is to be well: what should run, and what failed of what is there for others."""
    wanted = should_run(app.runtime_units, observed.targets, observed.needed_by)
    for name, unit in app.runtime_units.items():
        is_judged = name in wanted or _failed_for_others(name, unit, observed)
        if is_judged and name not in trial.ignored_units:
            yield name, unit


def _failed_for_others(name: str, unit: DesiredUnit, observed: Observed) -> bool:
    """Whether it is a network, a volume or the like that failed, be it needed by now or not."""
    return unit.kind not in LEADING and observed.unit(name).active == "failed"


def _shaken(app: DesiredApp, observed: Observed, trial: Rollout) -> Iterator[tuple[str, str, str]]:
    """Yield units of other apps that are down since what they need was started in the trial.

    Each with its app and with what it needs: that was stopped, and they with it.
    """
    for need in app.runtime_units:
        state = observed.unit(need)
        if not state.is_up or state.active_since < trial.began_at:
            continue
        for user, owner in observed.needed_by.get(need, {}).items():
            there = observed.units.get(user)
            if user not in trial.ignored_units and there and not (there.is_up or there.unmet):
                yield user, owner, need


def _failure_since(state: UnitState, need: UnitState, observed: Observed) -> str:
    """Say of what a unit failed since what it needs is up; how it was stopped does not count."""
    if state.sub.startswith("auto-restart"):
        return f"does not stay up{observed.because(state.name)}"
    if state.active == "failed" and state.failed_at >= need.active_since:
        return how_failed(state, observed)
    return ""


def how_failed(state: UnitState, observed: Observed) -> str:
    """Say of a unit that failed how, and what it said last."""
    how = result_in_words(state.result, observed.ending(state.name).how)
    return f"failed ({how}){observed.words_of(state.name)}"


def _failure(
    name: str,
    unit: DesiredUnit,
    state: UnitState,
    observed: Observed,
    now: float,
    *,
    since: float | None,
) -> str:
    """Say what is wrong with a unit, empty if nothing is.

    What was restarted `since` then is never well; with None, nothing is held against it for good.
    """
    cause = observed.because(name)
    if state.active == "failed":
        is_unwell = unit.up_once_healthy and observed.ending(name).how == START_TIMEOUT
        till_then = "; no health check of it was good till then" if is_unwell else ""
        ended = f"; {why}" if (why := unready(unit, state, observed)) else ""
        return f"{name} {how_failed(state, observed)}{till_then}{ended}"
    if state.is_up and state.load not in {"loaded", "merged"}:
        return f"{name} runs on as what it was: systemd has its unit as {state.load}"
    # systemd's counter begins with the last start; what it did before the trial is not its fault.
    restarted = since is not None and state.restarts and state.active_since >= since
    if state.sub.startswith("auto-restart") or restarted:
        ended = f"{why}; " if (why := unready(unit, state, observed, since)) else ""
        return f"{name} did not stay up: {ended}systemd restarts it{cause}"
    if state.active == "inactive" and not state.job and not _ended_well(unit, state):
        if not state.ever_started:
            # After a boot replicas wait for podvisor to start them.
            return "" if unit.has_replicas else f"{name} did not start"
        status = state.exit_status
        how = "" if status is None else f"it ended with status {status}"
        ended = f": {how}" if (how := unready(unit, state, observed) or how) else ""
        return f"{name} did not stay up{ended}{cause}"
    health = unit_health(name, observed, now, since=since)
    if health.health is Health.UNHEALTHY:
        said = f": {health.output.strip()}" if health.output.strip() else ""
        return f"{name} is unhealthy{said}"
    return ""


def _has_answered(
    name: str, unit: DesiredUnit, observed: Observed, now: float, *, since: float | None
) -> bool:
    """Whether nobody checks a unit, or whoever does has found it well or unwell."""
    # While Podman restarts a container in place, there is no check to be seen.
    if unit.health_interval and not unit.oneshot and name not in observed.checked_of:
        return False
    if unit.probe and name not in observed.probed:
        return False
    return unit_health(name, observed, now, since=since).health is not Health.STARTING


def _waits_for(app: DesiredApp, unit: DesiredUnit, observed: Observed) -> str:
    """Name a unit of another app that this one needs and that is down: not this app's fault."""
    for need in unit.requires:
        state = observed.unit(need)
        if need not in app.by_name and state.load != "not-found" and not state.is_up:
            return need
    return ""


def _down_need(app: DesiredApp, unit: DesiredUnit, observed: Observed) -> str:
    """Name a unit of the same app that this one needs and that is down, though it should run."""
    needs = (one for one in unit.requires if one in app.runtime_units)
    return next((one for one in needs if not observed.unit(one).is_up), "")


def _ended_well(unit: DesiredUnit, state: UnitState) -> bool:
    ends_by_itself = unit.oneshot and not unit.remain_after_exit
    ended = state.active == "inactive" and state.result == "success"
    return ends_by_itself and ended and state.ever_started


def _left(since: float, settle: float, now: float) -> float:
    """Seconds for which what is as it is `since` then has still to stay so."""
    age = now - since
    # A clock that was set back says nothing of the age.
    return max(0.0, settle - age) if age >= 0 else 0.0


def _next_look(age: float) -> float:
    return min(_LONGEST_LOOK_SECONDS, max(_FIRST_LOOK_SECONDS, age / 4))


def ended(trial: Rollout, gate: Gate, now: float) -> Rollout:
    """Return the record with what its gate said."""
    outcome = Outcome.GOOD if gate.state is GateState.PASSED else Outcome.FAILED
    return msgspec.structs.replace(
        trial, outcome=outcome, ended_at=now, reason=gate.reason, log=gate.log
    )


def forgotten(
    rollouts: Sequence[Rollout], *, keep: int, needed: Collection[str]
) -> tuple[str, ...]:
    """Name the releases to be forgotten, so that `keep` are left; never one that is needed."""
    others = [one.release for one in rollouts if one.release not in needed]
    return tuple(others[: -max(1, keep - len(rollouts) + len(others))])
