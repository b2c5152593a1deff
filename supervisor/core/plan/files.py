"""Files of one app: what to write and remove in the owned folder, and whether systemd must reload.

The order keeps every moment loadable: a file is written after those that it refers to, and
removed after those that refer to it are gone or replaced.
"""

import msgspec

from supervisor.core.files.names import shapes_units, unit_kind
from supervisor.core.health import crash_backoff
from supervisor.core.plan.draft import Draft, FileChanges
from supervisor.core.plan.ownership import owned_after
from supervisor.kit.texts import count
from supervisor.model.app import DesiredApp
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Manifest, Observed, PodmanObject, UnitState
from supervisor.model.plan import (
    OpenManifest,
    Reload,
    RemoveFile,
    RestartUnit,
    SealManifest,
    StartUnit,
    WriteFile,
)
from supervisor.model.quadlet import QUADLETS
from supervisor.model.source import TreeFile
from supervisor.model.unit_name import is_template

_RANKS = {row.kind: rank for rank, row in enumerate(QUADLETS.values())}


def plan_files(app: DesiredApp, observed: Observed, now: float, draft: Draft) -> FileChanges:
    """Add the steps for the folder; returns what that means for units that read files.

    What somebody changes again and again is restored with the backoff of repairs.
    """
    folder = observed.app(app.name)
    manifest = folder.manifest
    there = {file.path: file for file in folder.files}
    before = {file.path: file for file in manifest.files} if manifest else {}
    # Somebody took the folder away with its manifest, if the ledger knows of units that ran on it.
    is_lost = manifest is None and bool((known := observed.applied.get(app.name)) and known.units)
    after = {file.path: file for file in app.files}
    writes = []
    drifted = set()
    for file in sorted(app.files, key=lambda file: (_rank(file.path), file.path)):
        if _same(there.get(file.path), file):
            continue
        old = before.get(file.path)
        if is_lost:
            reason = "removed outside podvisor: restored"
            drifted.add(file.path)
        elif old is None:
            reason = "new"
        elif not _same(old, file):
            reason = "changed"
        elif manifest and not manifest.sealed:
            reason = "an earlier pass was interrupted"
        else:
            how = "edited" if file.path in there else "removed"
            reason = f"{how} outside podvisor: restored"
            drifted.add(file.path)
        writes.append(WriteFile(app=app.name, source=app.source, file=file, reason=reason))
    if drifted and before == after:
        writes = _restore(app, writes, observed, now, draft)
        drifted.intersection_update(step.file.path for step in writes)
    removals = [
        RemoveFile(app=app.name, path=path, reason="no longer in the source")
        for path in sorted(before.keys() - after.keys(), key=lambda path: (-_rank(path), path))
    ]
    sealed = Manifest.of(
        app,
        units=tuple(sorted(unit.name for unit in app.units)),
        sealed=True,
        objects=owned_after(app, observed),
    )
    if (writes or removals) and before != after:
        claim = msgspec.structs.replace(
            sealed,
            files=tuple(sorted((before | after).values())),
            units=tuple(sorted({*sealed.units, *folder.units})),
            objects=tuple(sorted({*sealed.objects, *folder.objects})),
            sealed=False,
        )
        if claim != manifest:
            reason = "claims what is about to be written"
            draft.steps.append(OpenManifest(app=app.name, manifest=claim, reason=reason))
    draft.steps.extend(writes)
    draft.steps.extend(removals)
    paths = [step.file.path for step in writes] + [step.path for step in removals]
    reload = _reload_reason(app, manifest, observed, [path for path in paths if shapes_units(path)])
    if reload:
        draft.steps.append(Reload(reason=reload))
    if manifest != sealed:
        reason = "what stands on disk is what systemd has loaded" if paths else "same content"
        draft.steps.append(SealManifest(app=app.name, manifest=sealed, reason=reason))
    return FileChanges(
        written=frozenset(step.file.path for step in writes), drifted=frozenset(drifted)
    )


def _restore(
    app: DesiredApp, writes: list[WriteFile], observed: Observed, now: float, draft: Draft
) -> list[WriteFile]:
    """Return the steps that undo what somebody did, none while the backoff says to wait."""
    memory = observed.repair(crash_backoff.files_of(app.name))
    after = draft.repair(memory, now)
    if after is None:
        tries = count(memory.failures, "time")
        path = writes[0].file.path
        draft.waiting.append(
            Need(
                kind=NeedKind.FILE,
                subject=path,
                text=f"{path} is changed outside podvisor again and again",
                detail=f"restored {tries} in a row",
                failing=True,
            )
        )
        return []
    return [msgspec.structs.replace(writes[0], repair=after), *writes[1:]]


def plan_folder_removal(
    app: str, manifest: Manifest, draft: Draft, *, left: tuple[PodmanObject, ...], reason: str
) -> None:
    """Add the steps that take an app's files away, and its manifest unless something is `left`."""
    if manifest.files and manifest.sealed:
        claim = msgspec.structs.replace(manifest, sealed=False)
        draft.steps.append(OpenManifest(app=app, manifest=claim, reason=reason))
    for file in sorted(manifest.files, key=lambda file: (-_rank(file.path), file.path)):
        draft.steps.append(RemoveFile(app=app, path=file.path, reason=reason))
    if manifest.files or not manifest.sealed:
        draft.steps.append(Reload(reason=f"app {app} is gone"))
    empty = msgspec.structs.replace(manifest, files=(), units=(), objects=left, sealed=True)
    if empty != manifest:
        draft.steps.append(SealManifest(app=app, manifest=empty, reason=reason))


def plan_fresh_load(app: DesiredApp, observed: Observed, draft: Draft) -> None:
    """Have systemd run Podman's generator where a unit that is started comes out otherwise.

    No unit file of the app needs to have changed: there are the user's own files, upgrades, and
    files that are drop-ins by a link only.
    """
    applied = observed.applied.get(app.name)
    if applied is None or any(isinstance(step, Reload) for step in draft.steps):
        return
    # With these files systemd has loaded its units; those are restarted in turns.
    manifest = observed.app(app.name).manifest
    is_loaded = (
        manifest is not None
        and manifest.sealed
        and manifest.content == app.content
        and applied.content != app.content
    )
    for step in draft.steps:
        if not isinstance(step, StartUnit | RestartUnit) or step.inputs is None:
            continue
        old, new = applied.units.get(step.unit), step.inputs
        if old and old.elsewhere and not new.elsewhere:
            reason = f"{app.name}: systemd may have {step.unit} from {old.elsewhere}"
            draft.steps.append(Reload(reason=reason))
            return
        around = old and (old.generator, old.outside) != (new.generator, new.outside)
        if old and old.digest != new.digest and (around or not is_loaded):
            reason = f"{app.name}: {step.unit} comes out of Podman's generator otherwise"
            draft.steps.append(Reload(reason=reason))
            return


def _reload_reason(
    app: DesiredApp, manifest: Manifest | None, observed: Observed, shaping: list[str]
) -> str:
    if shaping:
        more = f" and {len(shaping) - 1} more" if len(shaping) > 1 else ""
        return f"{app.name}: {shaping[0]}{more} changed"
    if manifest and not manifest.sealed:
        has_claim_of_jobs = manifest.ahead == app.revision
        why = "its jobs have ended" if has_claim_of_jobs else "an earlier pass was interrupted"
        return f"{app.name}: {why}"
    stale = [unit.name for unit in app.units if _stale(observed.units.get(unit.name))]
    return f"systemd has not loaded {stale[0]} as it stands" if stale else ""


def _stale(state: UnitState | None) -> bool:
    return (
        state is not None
        and not is_template(state.name)
        and (state.needs_reload or state.load == "not-found")
    )


def _same(there: TreeFile | None, wanted: TreeFile) -> bool:
    """Compare two files but for their size, which is the source's word only."""
    return there is not None and (there.path, there.oid, there.kind) == (
        wanted.path,
        wanted.oid,
        wanted.kind,
    )


def _rank(path: str) -> int:
    """Place of a file in the order of writing: data, drop-ins, then units by who needs whom."""
    kind = unit_kind(path)
    if kind is None:
        return -1 if shapes_units(path) else -2
    return _RANKS.get(kind, len(_RANKS))
