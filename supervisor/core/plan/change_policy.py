"""How a running unit takes up what changed: by a restart, by a reload, or not at all.

`core.plan.unit_inputs` says what changed, `core.plan.units` makes a step of what is said here.
"""

import msgspec

from supervisor.core.files.source_paths import is_below
from supervisor.core.plan.unit_inputs import changed_files, difference
from supervisor.core.render.x_podvisor_deploy import fits
from supervisor.model.app import ChangeAction, DesiredUnit
from supervisor.model.observed import UnitInputs

_STRENGTH = (ChangeAction.NONE, ChangeAction.RELOAD, ChangeAction.RESTART)


class Uptake(msgspec.Struct, frozen=True):
    """What to do, and why."""

    action: ChangeAction
    reason: str


def uptake(unit: DesiredUnit, old: UnitInputs, new: UnitInputs) -> Uptake:
    """Say how a unit that runs with `old` comes to `new`; the reason is empty if they are equal.

    A changed unit or secret always takes a restart; of several files the strongest word counts.
    """
    change = difference(old, new)
    files = changed_files(old, new)
    same = msgspec.structs.replace(old, files=new.files, generator=new.generator)
    if not change or not unit.on_change or difference(same, new):
        return Uptake(ChangeAction.RESTART, change)
    words = {path: _word(unit, path) for path in files}
    action = max(words.values(), key=_STRENGTH.index)
    if action is ChangeAction.NONE:
        return Uptake(action, f"{change}, and OnChange=none says to leave it")
    if action is ChangeAction.RELOAD and unit.can_reload:
        unseen = [path for path in files if words[path] is action and not _is_live(unit, path)]
        if not unseen:
            return Uptake(action, change)
        change += (
            f"; a reload would not show it {unseen[0]}, which is read at its start,"
            " or mounted without its folder"
        )
    return Uptake(ChangeAction.RESTART, change)


def _word(unit: DesiredUnit, path: str) -> ChangeAction:
    for rule in unit.on_change:
        if not rule.globs or any(fits(glob, path) for glob in rule.globs):
            return rule.action
    return ChangeAction.RESTART


def _is_live(unit: DesiredUnit, path: str) -> bool:
    if path in unit.reads and path not in unit.live:
        return False
    return any(is_below(path, one) for one in unit.live)
