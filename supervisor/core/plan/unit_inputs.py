"""What a unit is made of, and in what that differs from what it was last started with."""

from collections.abc import Mapping

from supervisor.core.images.words import in_words
from supervisor.core.plan.certificates import taken_up_by
from supervisor.core.plan.handover import claims_of
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.observed import AppliedApp, Observed, UnitInputs, UnitState
from supervisor.model.quadlet import UnitKind
from supervisor.model.source import FileKind, TreeFile


def inputs_of(app: DesiredApp, unit: DesiredUnit, observed: Observed) -> UnitInputs:
    """Everything that, when it changes, makes the unit need a restart; and what ends it.

    And the images that it would be started with now, which alone make none; and the certificates,
    which it may take up by a reload.
    """
    secrets, images = observed.inventory.secrets or {}, observed.inventory.images or {}
    return UnitInputs(
        digest=unit.digest,
        files={file.path: _content(file) for path in unit.reads for file in app.beneath(path)},
        secrets={name: secrets.get(name, "") for name in unit.secrets},
        images={name: images[name] for name in unit.images if name in images},
        certificates={
            name: observed.certificates[name]
            for name in taken_up_by(unit)
            if name in observed.certificates
        },
        generator=app.generator,
        outside=unit.outside,
        kind=unit.kind,
        object_name=unit.object_name,
        claims=claims_of(unit),
        installed=is_enabled(unit, observed),
    )


def defined_elsewhere(state: UnitState, old: UnitInputs | None, observed: Observed) -> str:
    """Return the file, not podvisor's, as which a unit was started, while that file is there."""
    path = observed.foreign.get(state.name, "")
    if path and state.is_up and state.path == path and not state.before_load:
        return path
    return old.elsewhere if path and old else ""


def is_enabled(unit: DesiredUnit, observed: Observed) -> bool:
    """Whether an `[Install]` has it started, by something that there is."""
    return not observed.missing.issuperset(unit.wanted_by)


def recorded(name: str, applied: AppliedApp | None, observed: Observed) -> UnitInputs | None:
    """Return what the unit was last started with, under this app or the one that it came from."""
    if applied and name in applied.units:
        return applied.units[name]
    return next(
        (other.units[name] for other in observed.applied.values() if name in other.units), None
    )


def is_another(old: UnitInputs, new: UnitInputs) -> str:
    """Say what a unit was, if it was something else of the same name; empty if it was not.

    Then only its old definition knows how to end it: the new one stops and removes what it made.
    """
    if old.kind is not None and old.kind != new.kind:
        return f"it was a {old.kind} unit"
    # An image that is built under another name leaves nothing that would have to be ended.
    if old.kind not in (None, UnitKind.BUILD) and old.object_name != new.object_name:
        return f"its {old.kind} was named {old.object_name}" if old.object_name else ""
    return ""


def _content(file: TreeFile) -> str:
    return file.oid if file.kind is FileKind.FILE else f"{file.oid} {file.kind}"


def changed_files(old: UnitInputs, new: UnitInputs) -> list[str]:
    """Paths of which the content is another, or that came or went."""
    return _others(old.files, new.files)


def difference(old: UnitInputs, new: UnitInputs) -> str:
    """Say in words why a unit needs a restart, its certificates aside; empty if it does not."""
    changes = []
    if old.digest != new.digest:
        upgraded = old.generator and old.generator != new.generator
        cause = f" (Podman's generator is {new.generator} now)" if upgraded else ""
        if outside := _others(old.outside, new.outside):
            cause = f" ({outside[0]}, this host's own, changed)"
        if images := new.images.keys() - old.images.keys():
            cause = f" (it runs {', '.join(map(in_words, sorted(images)))} now)"
        changes.append(f"its unit changed{cause}")
    if changed := changed_files(old, new):
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""  # noqa: PLR2004
        changes.append(f"{', '.join(changed[:3])}{more} changed")
    if old.elsewhere and not new.elsewhere:
        changes.append(f"it was started as {old.elsewhere} defined it")
    changes.extend(
        f"secret {name} changed"
        for name, old_id in old.secrets.items()
        if old_id and new.secrets.get(name) and new.secrets[name] != old_id
    )
    return "; ".join(changes)


def _others(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
