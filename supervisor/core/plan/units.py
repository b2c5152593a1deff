"""Units of one app: what to start, restart, build, make anew, or leave to systemd."""

from collections.abc import Iterable, Sequence

from supervisor.core.health import crash_backoff
from supervisor.core.health.endings import result_in_words, unmet_in_words
from supervisor.core.plan.draft import Draft, FileChanges
from supervisor.core.plan.ownership import is_there, object_of
from supervisor.core.plan.together import with_pods, with_sockets
from supervisor.core.plan.unit_fates import Along, Fate, Seen, pulled_along, seen_units
from supervisor.kit.texts import count, local_time
from supervisor.model.app import ChangeAction, DesiredApp, DesiredUnit
from supervisor.model.certificate import ANEW
from supervisor.model.errors import Finding
from supervisor.model.need import unit_need
from supervisor.model.observed import Observed, RepairState, UnitInputs
from supervisor.model.plan import (
    BuildImage,
    DisableUnit,
    EnableUnit,
    LeaveUnit,
    Reload,
    ReloadUnit,
    RemoveContainer,
    RemoveNetwork,
    RestartUnit,
    StartUnit,
    StopUnit,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.unit_name import is_template

_MOVING = frozenset({"activating", "deactivating", "maintenance"})


def plan_units(
    app: DesiredApp, observed: Observed, now: float, files: FileChanges, draft: Draft
) -> None:
    """Add the steps for the app's units."""
    seen = {one.state.name: one for one in seen_units(app, observed, files)}
    stopped = {step.unit for step in draft.steps if isinstance(step, StopUnit)}
    along = pulled_along(seen.values(), stopped)
    links_to: dict[str, set[str]] = {}
    for link, path in observed.app(app.name).links.items():
        links_to.setdefault(path, set()).add(link)
    for unit in app.units:
        if unit.kind is UnitKind.PLAIN:
            _plan_links(draft, unit, links_to.get(unit.path, set()))
        for name in unit.runtime_names:
            one = seen[name]
            if unit.build_command and (one.change or one.old is None):
                _build_ahead(draft, unit, one.change or "new", app.source_path(unit.path))
            _plan_fate(draft, one, along.get(name), observed, now)
    _plan_along(draft, along.values())
    wanted = {name for name, one in seen.items() if one.wanted}
    draft.steps, adopt = with_sockets(app, wanted, observed, draft.steps)
    draft.adopt.update(adopt)
    draft.steps = with_pods(app, observed, draft.steps)


def _plan_links(draft: Draft, unit: DesiredUnit, links: set[str]) -> None:
    """Have a plain unit linked as its `[Install]` says; `links` are those that there are."""
    if links == set(unit.links):
        return
    asked = " as its [Install] says" if set(unit.links) - {unit.name} else ""
    reason = f"not linked into the user's unit folder{asked}"
    if stray := sorted(links.difference(unit.links)):
        reason = f"its [Install] does not ask for {stray[0]}"
        draft.steps.append(DisableUnit(app=draft.app, unit=unit.name, reason=reason))
    # systemd enables a template's instances only, never the template itself.
    install = bool(unit.instances or (unit.wanted_by and not is_template(unit.name)))
    draft.steps.append(
        EnableUnit(app=draft.app, unit=unit.name, path=unit.path, install=install, reason=reason)
    )
    draft.steps.append(Reload(reason=f"{draft.app}: {unit.name} is linked"))


def _plan_fate(
    draft: Draft, seen: Seen, along: Along | None, observed: Observed, now: float
) -> None:
    """One runtime unit: the end of what it was, and what it becomes."""
    unit, name, change = seen.unit, seen.state.name, seen.change
    if seen.ended:
        _end(draft, seen, observed)
    match seen.fate:
        case Fate.ENDS:
            if not seen.state.has_ended:
                draft.steps.append(StopUnit(app=draft.app, unit=name, reason=seen.why))
            draft.adopt[name] = seen.inputs
        case Fate.LEFT:
            _leave_network(draft, unit, change, seen.others)
        case Fate.MADE_ANEW:
            _make_network_anew(draft, unit, name, seen.inputs, change)
        case Fate.KEPT:
            _keep(draft, unit, name, seen.inputs, change)
        case Fate.TAKES_UP:
            _plan_one(draft, seen, along, observed, now)


def _end(draft: Draft, seen: Seen, observed: Observed) -> None:
    """Stop what runs while systemd still has its old definition, which knows what it made."""
    name, old = seen.state.name, seen.old
    if not seen.state.has_ended:
        draft.steps.append(StopUnit(app=draft.app, unit=name, reason=seen.ended))
    for container in observed.inventory.containers or ():
        if old and container.name == old.object_name and container.unit == name:
            reason = f"left behind by {name}"
            step = RemoveContainer(app=draft.app, container=container.name, reason=reason)
            draft.steps.append(step)


def _plan_one(
    draft: Draft, seen: Seen, along: Along | None, observed: Observed, now: float
) -> None:
    """The table of what is, against what should be. What is started again anyway needs no less."""
    unit, state, change = seen.unit, seen.state, seen.change
    if unit.before_deploy:
        _adopt(draft, seen)
        return
    if seen.action is ChangeAction.NONE and not state.is_up:
        change = ""
    ends_by_itself = unit.oneshot and not unit.remain_after_exit
    ended_well = ends_by_itself and state.ever_started and state.result == "success"
    if state.is_up:
        gone = _object_gone(unit, observed)
        if change and not ends_by_itself:
            if along is None or (seen.action is ChangeAction.RESTART and not along.stops):
                _take_up(draft, seen, change, observed, now)
        elif not gone:
            _adopt(draft, seen)
        elif along is None or not along.stops:
            _restart(draft, seen, f"{gone} is gone while its unit says {state.active}")
    elif not seen.wanted and (ends_by_itself or state.active not in _MOVING):
        _adopt(draft, seen)
    elif state.active == "deactivating":
        draft.waiting.append(unit_need(state.name, state.active))
    elif change and state.active in _MOVING:
        # A unit that systemd keeps restarting needs its new self at once, not its old backoff.
        _restart(draft, seen, change)
    elif state.active in _MOVING or state.job:
        word = "systemd is restarting it" if state.sub == "auto-restart" else state.active
        draft.waiting.append(unit_need(state.name, word))
    elif state.gives_way and seen.old is not None:
        if change:
            draft.waiting.append(unit_need(state.name, unmet_in_words(state.unmet)))
    elif change or (seen.old is None and not ended_well):
        _start(draft, seen, change or "new")
    elif state.unmet:
        _test_again(draft, seen, now)
    elif ended_well and state.active == "inactive":
        _adopt(draft, seen)
    else:
        _repair(draft, seen, observed, now)


def _adopt(draft: Draft, seen: Seen) -> None:
    """Record what a unit is made of, where nothing needs to be done for it.

    What it brings along from another app too: that one must not keep it, or take it away.
    """
    if seen.kept != seen.old or not seen.is_recorded:
        draft.adopt[seen.state.name] = seen.kept


def _take_up(draft: Draft, seen: Seen, change: str, observed: Observed, now: float) -> None:
    """Have a unit that runs become what it should be."""
    app, unit, inputs = draft.app, seen.state.name, seen.kept
    match seen.action:
        case ChangeAction.NONE:
            draft.steps.append(LeaveUnit(app=app, unit=unit, inputs=inputs, reason=change))
        case ChangeAction.RELOAD:
            _reload(draft, seen, change, observed, now)
        case ChangeAction.RESTART:
            _restart(draft, seen, change)


def _reload(draft: Draft, seen: Seen, change: str, observed: Observed, now: float) -> None:
    """Have it reloaded, unless that failed, and its backoff says to wait.

    What had to be restarted for the certificate before, and cannot be reloaded, is once more.
    """
    unit, had = seen.state.name, seen.old.certificates if seen.old else {}
    memory = observed.repair(crash_backoff.reloads_of(unit))
    if memory.failures and any(version.endswith(ANEW) for version in had.values()):
        _restart(draft, seen, change)
        return
    after = draft.repair(memory, now)
    if after is None:
        again = local_time(crash_backoff.due_at(memory, now))
        why = f"its reload failed, {crash_backoff.in_a_row(memory)}; tried again at {again}"
        draft.waiting.append(unit_need(unit, why, failing=True))
        draft.findings.append(Finding(message=memory.why, app=draft.app, fatal=False))
        return
    draft.steps.append(
        ReloadUnit(app=draft.app, unit=unit, inputs=seen.kept, repair=after, reason=change)
    )


def _restart(draft: Draft, seen: Seen, reason: str) -> None:
    unit = seen.state.name
    draft.steps.append(RestartUnit(app=draft.app, unit=unit, inputs=seen.inputs, reason=reason))


def _start(
    draft: Draft,
    seen: Seen,
    reason: str,
    memory: RepairState | None = None,
    *,
    said: tuple[str, ...] = (),
) -> None:
    draft.steps.append(
        StartUnit(
            app=draft.app,
            unit=seen.state.name,
            inputs=seen.inputs,
            repair=memory,
            said=said,
            reason=reason,
        )
    )


def _repair(draft: Draft, seen: Seen, observed: Observed, now: float) -> None:
    """Start what should run and does not, unless its backoff says to wait."""
    name, state = seen.state.name, seen.state
    memory = observed.repair(name)
    if not state.ever_started and memory.session != observed.session:
        # It ended with the machine, or with systemd, and not by itself.
        begun = RepairState(unit=name, last_at=now, session=observed.session)
        _start(draft, seen, "not started yet, and should run", begun)
        return
    after = draft.repair(memory, now)
    ending = observed.ending(name)
    how = result_in_words(state.result, ending.how)
    what = f"failed ({how})" if state.active == "failed" else "stopped"
    if after is None:
        draft.waiting.append(unit_need(name, f"{what} after {crash_backoff.in_a_row(memory)}"))
        return
    again = f", try {after.failures} in a row" if after.failures > 1 else ""
    _start(draft, seen, f"{what}, and should run{again}", after, said=ending.lines)


def _test_again(draft: Draft, seen: Seen, now: float) -> None:
    """Have systemd test a condition again that was not met, once in a while."""
    state = seen.state
    if crash_backoff.test_again_at(state.tested_at, now) <= now:
        memory = RepairState(unit=state.name)  # being kept from starting is no failure
        _start(draft, seen, f"{state.unmet} was not met, and may be now", memory)


def _object_gone(unit: DesiredUnit, observed: Observed) -> str:
    """Name the network or volume that its unit says is there, but Podman does not have."""
    one = object_of(unit)
    if one is None or one.kind not in (UnitKind.NETWORK, UnitKind.VOLUME):
        return ""
    return str(one) if is_there(one, observed.inventory) is False else ""


def _build_ahead(draft: Draft, unit: DesiredUnit, reason: str, path: str) -> None:
    draft.steps.append(
        BuildImage(
            app=draft.app,
            unit=unit.name,
            path=path,
            command=unit.build_command,
            folder=unit.build_folder,
            reason=reason,
        )
    )


def _make_network_anew(
    draft: Draft, unit: DesiredUnit, name: str, inputs: UnitInputs, change: str
) -> None:
    """Podman keeps an existing network as it is, so a changed one must go first."""
    app = draft.app
    draft.steps.append(StopUnit(app=app, unit=name, reason=change))
    draft.steps.append(RemoveNetwork(app=app, network=unit.object_name, reason=change))
    draft.steps.append(StartUnit(app=app, unit=name, inputs=inputs, reason=change))


def _leave_network(draft: Draft, unit: DesiredUnit, change: str, others: Sequence[str]) -> None:
    """Wait with a changed network for those who use it; what it was made of stays on record."""
    more = f" and {count(len(others) - 1, 'more container')}" if len(others) > 1 else ""
    draft.findings.append(
        Finding(
            message=f"network {unit.object_name} keeps the options that it was made with"
            f" ({change}): container {others[0]}{more}, not podvisor's, uses it",
            app=draft.app,
            path=unit.path,
            hint=f"it is made anew once nobody else uses it: `podman rm -f {others[0]}`, or"
            f" `podman network disconnect {unit.object_name} {others[0]}`; it is at once with",
            command=f"podvisor sync {draft.app}",
            fatal=False,
        )
    )


def _keep(draft: Draft, unit: DesiredUnit, name: str, inputs: UnitInputs, change: str) -> None:
    """Keep a volume, which holds data, or what is not podvisor's: a person has to change it."""
    draft.adopt[unit.name] = inputs
    save = "back up its data, " if unit.kind is UnitKind.VOLUME else ""
    draft.findings.append(
        Finding(
            message=f"{unit.kind} {unit.object_name} exists and keeps the options that it was made"
            f" with ({change})",
            app=draft.app,
            path=unit.path,
            hint=f"to make it anew: {save}`podman {unit.kind} rm {unit.object_name}`,"
            f" then `systemctl --user restart {name}`",
            fatal=False,
        )
    )


def _plan_along(draft: Draft, along: Iterable[Along]) -> None:
    """Stop and start again (or restart) what uses a network or an image that is made anew."""
    planned = {step.unit for step in draft.steps if isinstance(step, StartUnit | RestartUnit)}
    for one in along:
        app, unit, inputs = draft.app, one.seen.state.name, one.seen.inputs
        if one.stops:
            draft.steps.append(StopUnit(app=app, unit=unit, reason=one.reason))
            draft.steps.append(StartUnit(app=app, unit=unit, inputs=inputs, reason=one.reason))
        elif unit not in planned:
            draft.steps.append(RestartUnit(app=app, unit=unit, inputs=inputs, reason=one.reason))
