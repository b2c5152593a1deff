"""Units of one app: what to start, restart, build, make anew, or leave to systemd."""

from collections.abc import Collection, Sequence

import msgspec

from supervisor.core.health import crash_backoff, wanted_units
from supervisor.core.plan.change_policy import uptake
from supervisor.core.plan.draft import Draft, FileChanges
from supervisor.core.plan.endings import ending_units
from supervisor.core.plan.networks import users_of_network
from supervisor.core.plan.ownership import is_there, object_of, owned_before
from supervisor.core.plan.together import plan_pods, plan_sockets
from supervisor.core.plan.unit_inputs import inputs_of, is_another, recorded
from supervisor.kit.texts import count
from supervisor.model.app import ChangeAction, DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.need import unit_need
from supervisor.model.observed import Observed, RepairState, UnitInputs, UnitState
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
    Step,
    StopUnit,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.unit_name import is_template


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime unit: what is, and what it should be made of."""

    state: UnitState
    old: UnitInputs | None
    is_recorded: bool
    """Whether `old` is of this app, not of the one that the unit came from."""
    inputs: UnitInputs
    change: str
    action: ChangeAction
    """How a unit that runs takes the change up."""
    wanted: bool

    @property
    def kept(self) -> UnitInputs:
        """The inputs while it is not started: it runs with the images that it was started with."""
        images = self.old.images if self.old else {}
        return msgspec.structs.replace(self.inputs, images=images)


_MOVING = frozenset({"activating", "deactivating", "maintenance"})


def plan_units(
    app: DesiredApp, observed: Observed, now: float, files: FileChanges, draft: Draft
) -> None:
    """Add the steps for the app's units."""
    wanted = wanted_units.should_run(app.runtime_units, observed.targets, observed.needed_by)
    folder, applied = observed.apps.get(app.name), observed.applied.get(app.name)
    links_to: dict[str, set[str]] = {}
    for link, path in folder.links.items() if folder else ():
        links_to.setdefault(path, set()).add(link)
    owned = owned_before(app.name, observed)
    pulled_along: dict[str, str] = {}
    ending = ending_units(app, wanted, applied, observed)
    for unit in app.units:
        links = links_to.get(unit.path, set())
        if unit.kind is UnitKind.PLAIN and links != set(unit.links):
            asked = " as its [Install] says" if set(unit.links) - {unit.name} else ""
            reason = f"not linked into the user's unit folder{asked}"
            if stray := sorted(links.difference(unit.links)):
                reason = f"its [Install] does not ask for {stray[0]}"
                draft.steps.append(DisableUnit(app=app.name, unit=unit.name, reason=reason))
            # systemd enables a template's instances only, never the template itself.
            install = bool(unit.instances or (unit.wanted_by and not is_template(unit.name)))
            draft.steps.append(
                EnableUnit(
                    app=app.name, unit=unit.name, path=unit.path, install=install, reason=reason
                )
            )
            draft.steps.append(Reload(reason=f"{app.name}: {unit.name} is linked"))
        inputs = inputs_of(app, unit, observed)
        for name in unit.runtime_names:
            state = observed.units.get(name, UnitState(name=name))
            old = recorded(name, applied, observed)
            change, action = _change(unit, state, old, inputs, files)
            if unit.build_command and (change or old is None):
                _build_ahead(draft, unit, change or "new")
                if change:
                    pulled_along[name] = f"image of {unit.name} is built anew"
            was = is_another(old, inputs) if old else ""
            takes_down = unit.kind is UnitKind.KUBE and action is ChangeAction.RESTART
            if was or (change and takes_down):
                # What it made is named in its old files only.
                _end(draft, state, old, was or change, observed)
            if was and old and old.kind is UnitKind.NETWORK:
                pulled_along[name] = f"network {old.object_name} goes"
            if name in ending:
                if state.active not in {"inactive", "failed"}:
                    step = StopUnit(app=app.name, unit=name, reason=ending[name])
                    draft.steps.append(step)
                draft.adopt[name] = inputs
                continue
            one = object_of(unit)
            is_kept = not was and change and one and is_there(one, observed.inventory)
            if is_kept and unit.kind is UnitKind.NETWORK and one in owned:
                _, others = users_of_network(unit.object_name, observed)
                if others:
                    _leave_network(draft, unit, change, others)
                    continue
                pulled_along[name] = f"network {unit.object_name} is made anew"
                _make_network_anew(draft, unit, name, inputs, change)
            elif is_kept and unit.kind in (UnitKind.NETWORK, UnitKind.VOLUME):
                _keep(draft, unit, name, inputs, change)
            else:
                seen = _Seen(
                    state=state,
                    old=old,
                    is_recorded=applied is not None and name in applied.units,
                    inputs=inputs,
                    change=change,
                    action=action,
                    wanted=name in wanted,
                )
                _plan_one(draft, unit, seen, observed, now)
    if pulled_along:
        _plan_dependents(app, pulled_along, observed, draft, ending=ending)
    plan_sockets(app, wanted, observed, draft)
    plan_pods(app, observed, draft)


def _end(
    draft: Draft, state: UnitState, old: UnitInputs | None, reason: str, observed: Observed
) -> None:
    """Stop what runs while systemd still has its old definition, which knows what it made."""
    name = state.name
    if state.active not in {"inactive", "failed"}:
        draft.steps.append(StopUnit(app=draft.app, unit=name, reason=reason))
    for container in observed.inventory.containers or ():
        if old and container.name == old.object_name and container.unit == name:
            reason = f"left behind by {name}"
            step = RemoveContainer(app=draft.app, container=container.name, reason=reason)
            draft.steps.append(step)


def _change(
    unit: DesiredUnit,
    state: UnitState,
    old: UnitInputs | None,
    inputs: UnitInputs,
    files: FileChanges,
) -> tuple[str, ChangeAction]:
    """Why the unit is not what it should be, empty if it is; and how it comes there if it runs."""
    mine = {unit.path, *inputs.files}
    if old is None:
        # Nothing is known of what runs, only that its files are not what they were.
        written = mine & files.written and state.is_up
        return "its files changed" if written else "", ChangeAction.RESTART
    edited = sorted(files.drifted & inputs.files.keys())
    change = uptake(unit, old, inputs)
    if change.reason:
        # What a folder became that somebody took away, a container does not see.
        return change.reason, ChangeAction.RESTART if edited else change.action
    if edited:
        return f"{edited[0]} was changed outside podvisor", ChangeAction.RESTART
    if unit.path in files.drifted and state.load == "loaded" and not state.needs_reload:
        return f"{unit.path} was changed outside podvisor, and loaded", ChangeAction.RESTART
    return "", ChangeAction.RESTART


def _plan_one(draft: Draft, unit: DesiredUnit, seen: _Seen, observed: Observed, now: float) -> None:
    """One runtime unit: the table of what is, against what should be."""
    state, change = seen.state, seen.change
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
            _take_up(draft, seen, change)
        elif gone:
            _restart(draft, seen, f"{gone} is gone while its unit says {state.active}")
        else:
            _adopt(draft, seen)
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
    elif change or (seen.old is None and not ended_well):
        _start(draft, seen, change or "new")
    elif state.unmet:
        _test_again(draft, seen, now)
    elif ended_well and state.active == "inactive":
        _adopt(draft, seen)
    else:
        _repair(draft, seen, observed, now)


def _adopt(draft: Draft, seen: _Seen) -> None:
    """Record what a unit is made of, where nothing needs to be done for it.

    What it brings along from another app too: that one must not keep it, or take it away.
    """
    if seen.kept != seen.old or not seen.is_recorded:
        draft.adopt[seen.state.name] = seen.kept


def _take_up(draft: Draft, seen: _Seen, change: str) -> None:
    """Have a unit that runs become what it should be."""
    app, unit, inputs = draft.app, seen.state.name, seen.kept
    match seen.action:
        case ChangeAction.NONE:
            draft.steps.append(LeaveUnit(app=app, unit=unit, inputs=inputs, reason=change))
        case ChangeAction.RELOAD:
            draft.steps.append(ReloadUnit(app=app, unit=unit, inputs=inputs, reason=change))
        case ChangeAction.RESTART:
            _restart(draft, seen, change)


def _restart(draft: Draft, seen: _Seen, reason: str) -> None:
    unit = seen.state.name
    draft.steps.append(RestartUnit(app=draft.app, unit=unit, inputs=seen.inputs, reason=reason))


def _start(draft: Draft, seen: _Seen, reason: str, memory: RepairState | None = None) -> None:
    draft.steps.append(
        StartUnit(
            app=draft.app,
            unit=seen.state.name,
            inputs=seen.inputs,
            repair=memory,
            reason=reason,
        )
    )


def _repair(draft: Draft, seen: _Seen, observed: Observed, now: float) -> None:
    """Start what should run and does not, unless its backoff says to wait."""
    name, state = seen.state.name, seen.state
    memory = observed.repairs.get(name)
    due = crash_backoff.due_at(memory, now)
    what = f"failed ({state.result})" if state.active == "failed" else "stopped"
    if due > now:
        tries = count(memory.failures if memory else 0, "try", "tries")
        draft.waiting.append(unit_need(name, f"{what} after {tries} in a row"))
        draft.look_again(due)
        return
    after = crash_backoff.after_try(name, memory, now)
    again = f", try {after.failures} in a row" if after.failures > 1 else ""
    _start(draft, seen, f"{what}, and should run{again}", after)


def _test_again(draft: Draft, seen: _Seen, now: float) -> None:
    """Have systemd test a condition again that was not met, once in a while."""
    state = seen.state
    if crash_backoff.test_again_at(state.tested_at, now) <= now:
        memory = RepairState(unit=state.name)  # being kept from starting is no failure
        _start(draft, seen, f"{state.unmet} was not met, and may be now", memory)


def _object_gone(unit: DesiredUnit, observed: Observed) -> str:
    """Name the network or volume that its unit says is there, but Podman does not have."""
    inventory = observed.inventory
    there = {UnitKind.NETWORK: inventory.networks, UnitKind.VOLUME: inventory.volumes}.get(
        unit.kind
    )
    if there is None or not unit.object_name or unit.object_name in there:
        return ""
    return f"{unit.kind} {unit.object_name}"


def _build_ahead(draft: Draft, unit: DesiredUnit, reason: str) -> None:
    draft.steps.append(
        BuildImage(
            app=draft.app,
            unit=unit.name,
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
            f" `podman network disconnect {unit.object_name} {others[0]}`;"
            " `podvisor sync` then does it at once",
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


def _plan_dependents(
    app: DesiredApp,
    pulled_along: dict[str, str],
    observed: Observed,
    draft: Draft,
    *,
    ending: Collection[str],
) -> None:
    """Stop and start again (or restart) what uses a network or an image that is made anew."""
    planned = {step.unit for step in draft.steps if isinstance(step, StartUnit | RestartUnit)}
    networks = {step.unit for step in draft.steps if isinstance(step, StopUnit)}
    for unit in app.units:
        for name in unit.runtime_names:
            causes = [pulled_along[need] for need in unit.requires if need in pulled_along]
            state = observed.units.get(name)
            if not causes or state is None or not state.is_up or unit.before_deploy:
                continue
            if name in ending:
                continue
            inputs = inputs_of(app, unit, observed)
            milder: tuple[type[Step], ...] = (ReloadUnit, LeaveUnit)
            if networks.intersection(unit.requires):
                milder = (ReloadUnit, LeaveUnit, RestartUnit)
                draft.steps.append(StopUnit(app=app.name, unit=name, reason=causes[0]))
            draft.steps[:] = [
                step
                for step in draft.steps
                if not (isinstance(step, milder) and getattr(step, "unit", "") == name)
            ]
            if networks.intersection(unit.requires):
                draft.steps.append(
                    StartUnit(app=app.name, unit=name, inputs=inputs, reason=causes[0])
                )
            elif name not in planned:
                draft.steps.append(
                    RestartUnit(app=app.name, unit=name, inputs=inputs, reason=causes[0])
                )
