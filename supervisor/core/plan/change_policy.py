"""How a running unit takes up what changed: by a restart, by a reload, or not at all.

`core.plan.unit_inputs` says what changed, `core.plan.units` makes a step of what is said here.
"""

from collections.abc import Collection

import msgspec

from supervisor.core.files.source_paths import is_below
from supervisor.core.plan.certificates import has_taken_up, parted
from supervisor.core.plan.unit_inputs import changed_files, difference
from supervisor.core.render.x_podvisor_deploy import fits
from supervisor.model.app import ChangeAction, DesiredUnit
from supervisor.model.certificate import ANEW
from supervisor.model.observed import UnitInputs

_STRENGTH = (ChangeAction.NONE, ChangeAction.RELOAD, ChangeAction.RESTART)


class Uptake(msgspec.Struct, frozen=True):
    """What to do, and why."""

    action: ChangeAction
    reason: str


def uptake(
    unit: DesiredUnit,
    old: UnitInputs,
    new: UnitInputs,
    *,
    put_back: Collection[str] = (),
    is_other_content: bool = False,
) -> Uptake:
    """Say how a unit that runs with `old` comes to `new`; the reason is empty if they are equal.

    Of several changes the strongest word counts. `put_back` as of `Observed`; `is_other_content` is
    whether the unit was last looked at when its app was something else.
    """
    other, renewed = _of_the_rest(unit, old, new), _of_certificates(unit, old, new, put_back)
    if is_other_content and not renewed.reason and not other.reason:
        return _of_new_uses(unit, old, new)
    if not other.reason or not renewed.reason:
        return renewed if renewed.reason else other
    action = max(other.action, renewed.action, key=_STRENGTH.index)
    return Uptake(action, f"{other.reason}; {renewed.reason}")


def _of_certificates(
    unit: DesiredUnit, old: UnitInputs, new: UnitInputs, put_back: Collection[str]
) -> Uptake:
    """How it takes up other versions of its certificates; no rule for files is about these.

    One of which nothing is on record is taken to be what it runs with, if its app is as it was.
    """
    fixed = {use.name for use in unit.certificate_uses if use.fixed}
    words, restarts = [], not unit.can_reload
    for name, version in new.certificates.items():
        had = old.certificates.get(name, "")
        if not had or has_taken_up(had, version):
            continue
        before, folder = parted(had)
        after, new_folder = parted(version)
        if folder != new_folder and before == after:
            words.append(f"the folder of certificate {name} was made anew")
        elif before == after:
            words.append(f"certificate {name} is installed, and is not served")
        elif before in put_back:
            words.append(
                f"the former certificate {name} was put back, as nobody served the newer one"
            )
        else:
            words.append(f"certificate {name} was renewed")
        restarts |= name in fixed or version.endswith(ANEW) or folder != new_folder
    return Uptake(ChangeAction.RESTART if restarts else ChangeAction.RELOAD, "; ".join(words))


def _of_new_uses(unit: DesiredUnit, old: UnitInputs, new: UnitInputs) -> Uptake:
    """How it takes up certificates that came to where it reads, and that it did not use before."""
    names = [name for name in new.certificates if name not in old.certificates]
    fixed = any(use.fixed for use in unit.certificate_uses if use.name in names)
    reason = f"it uses certificate {', '.join(names)} now" if names else ""
    restarts = fixed or not unit.can_reload
    return Uptake(ChangeAction.RESTART if restarts else ChangeAction.RELOAD, reason)


def _of_the_rest(unit: DesiredUnit, old: UnitInputs, new: UnitInputs) -> Uptake:
    """How it takes up what else changed: another unit or secret always by a restart."""
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
