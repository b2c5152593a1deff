"""What a source does not show of what was deployed from it, and what that means for its apps.

What cannot be read is not gone: it is taken to be as it was installed, and the apps that lie there
are refused. So is an app of which only the rest can be read. A folder that was emptied is not gone
either; that is for `controllers.desired.desired_state`, which keeps its apps. Units that are still
there, and that the settings leave out, are a third thing: their app goes, and its volumes stay.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from supervisor.core.desired.discovery import Composition
from supervisor.core.desired.layout import is_unit
from supervisor.core.desired.unfitting import selected
from supervisor.core.files.source_paths import ignoring, is_below, with_parents
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding
from supervisor.model.observed import Manifest
from supervisor.model.settings import SourceSettings
from supervisor.model.source import FileKind, Snapshot, TreeFile

_NOT_FOLLOWED = "is a symbolic link, which is not followed to an app's folder"


def presumed(snapshot: Snapshot, installed: Iterable[Manifest]) -> tuple[TreeFile, ...]:
    """Return files that were installed from where the snapshot cannot be read, as they were.

    `installed` are apps of this source. So the layout, the division into apps and the overlays do
    not change with what can be read.
    """
    unread = {one.path for one in snapshot.findings if one.fatal and one.path}
    if not unread:
        return ()
    known = {file.path for file in snapshot.files}
    found: dict[str, TreeFile] = {}
    for manifest in installed:
        for path, file in _places(manifest):
            if path not in known and not unread.isdisjoint(with_parents(path)):
                found.setdefault(path, replace(file, path=path))
    return tuple(found.values())


def unread_apps(
    snapshot: Snapshot,
    settings: SourceSettings,
    composition: Composition,
    installed: Mapping[str, Manifest],
) -> dict[str, tuple[Finding, ...]]:
    """Return the apps of which nobody can say what the source asks, with the reasons.

    `installed` are apps of this source by name.
    """
    links = {file.path for file in snapshot.files if file.kind is FileKind.SYMLINK}
    ignored = ignoring(settings.ignore)
    findings = [one for one in snapshot.findings if one.path and not ignored(one.path)]
    by_path: dict[str, list[Finding]] = {}
    for one in findings:
        by_path.setdefault(one.path, []).append(one)
    there = _names(composition)
    unread: dict[str, tuple[Finding, ...]] = {}
    for name, manifest in installed.items():
        is_gone = name not in there
        if not manifest.files:
            continue  # it is gone but for volumes that are to go
        if not (is_gone or findings):
            continue
        if not selected(name, settings) or (is_gone and left_out(manifest, composition)):
            continue
        places = [path for path, _ in _places(manifest)]
        folders = [one for one in (manifest.root, manifest.overlay) if one]
        at = dict.fromkeys(one for path in (*places, *folders) for one in with_parents(path))
        found = [one for path in at for one in by_path.get(path, ()) if one.fatal or is_gone]
        fatal = [one for one in findings if one.fatal]
        if not found and not is_gone:
            found = [one for one in fatal if _parts_from(one.path, manifest.root, composition)]
        elif not found:
            roots = [one.root for one in _holders(places, composition)]
            above = [one for root in folders for one in with_parents(root) if one in links]
            hint = "put the folder itself there, or name where it leads to in `apps`"
            found = (
                [one for one in findings if _is_unit_of(one.path, manifest, composition)]
                or [one for root in roots for one in fatal if is_below(one.path, root)]
                or [Finding(message=_NOT_FOLLOWED, path=path, hint=hint) for path in above]
            )
        if found:
            unread[name] = tuple(
                replace(one, source=snapshot.source, app=name, fatal=True) for one in found
            )
    return unread


def emptied_apps(
    leaving: Mapping[str, Manifest], snapshot: Snapshot, taken: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield those of the apps that leave a folder of which their own folder is still there, empty.

    With each, why it is kept. One of which another app has a unit now, of those `taken`, goes by
    another name.
    """
    for name, manifest in leaving.items():
        folder = _emptied_folder(manifest, snapshot) if manifest.files else ""
        if folder and not any(unit in taken for unit in manifest.units):
            what = "is empty" if folder in snapshot.empty else "holds no unit any more"
            yield name, f"{folder} {what}; if that is meant, remove the folder"


def _emptied_folder(manifest: Manifest, snapshot: Snapshot) -> str:
    """Return the folder of an app if it is there and holds no unit; empty if it is not.

    That is also the nearest folder above it if there is nothing at all in that, as where a disk is
    not mounted. The source's own folder is always there: that tells nothing.
    """
    root = manifest.root
    for folder in with_parents(root):
        if folder in snapshot.empty:
            return folder
        if any(is_below(path, folder) for path in snapshot.paths):
            is_used = any(is_unit(path) and is_below(path, root) for path in snapshot.paths)
            return folder if folder == root and not is_used else ""
    return ""


def left_out(manifest: Manifest, composition: Composition) -> str:
    """Say why a unit of an app is in no app although its source holds it; empty if none is."""
    places = {path for path, _ in _places(manifest)}
    return next((one.reason for one in composition.left_out if one.path in places), "")


def all_left_out(
    installed: Mapping[str, Manifest], compositions: Mapping[str, Composition]
) -> tuple[dict[str, str], frozenset[str]]:
    """Return of each app why a unit of it is in none, as of `left_out`; and whose volumes stay."""
    without, spared = {}, []
    for name, manifest in installed.items():
        composition = compositions.get(manifest.source)
        if composition and composition.left_out:
            without[name] = left_out(manifest, composition)
            if _spares_volumes(manifest, composition):
                spared.append(name)
    return without, frozenset(spared)


def _spares_volumes(manifest: Manifest, composition: Composition) -> bool:
    """Whether units are left out that may be those of an app's volumes: these stay."""
    units = {path for path, _ in _places(manifest)}
    return any(
        one.path in units or is_below(one.path, manifest.root) for one in composition.left_out
    )


def leaving(
    compositions: Mapping[str, Composition], installed: Mapping[str, Manifest]
) -> Iterator[Finding]:
    """Warn of each app that goes because the settings, by which sources were divided, leave it out.

    If they leave out all of a source, that is kept.
    """
    there = frozenset(name for one in compositions.values() for name in _names(one))
    for source, composition in compositions.items():
        mine = {name: one for name, one in installed.items() if one.source == source}
        gone = [name for name in mine if name not in there]
        for name in gone if len(gone) < len(mine) else ():
            if why := left_out(mine[name], composition):
                hint = (
                    "it is removed, unless another app needs it, and its volumes stay; to have it"
                    " again, mend `apps`, `select`, `exclude` or `ignore` of"
                    f" source {source}, and have that taken up"
                )
                message = f"app {name} is left out: {why}"
                yield Finding(
                    message=message, app=name, hint=hint, command="podvisor reload", fatal=False
                )


def _names(composition: Composition) -> frozenset[str]:
    some = (*composition.candidates, *composition.unfit)
    return frozenset((*(one.name for one in some), *composition.refused))


def _places(manifest: Manifest) -> Iterator[tuple[str, TreeFile]]:
    """Yield where in the source the files of an app are from."""
    for file in manifest.files:
        yield manifest.source_path(file.path), file


def _parts_from(path: str, root: str, composition: Composition) -> bool:
    """Whether a unit at this path, if it could be read, may make a folder of an app another's.

    It may make an app of the last folder on its way that is not hidden.
    """
    if not is_unit(path):
        return False
    folders = path.split("/")[:-1]
    hidden = next((at for at, one in enumerate(folders) if one.startswith(".")), len(folders))
    folder = "/".join(folders[:hidden])
    inner = next((one for one in with_parents(folder) if one in composition.roots), None)
    return inner == root != folder


def _holders(places: Collection[str], composition: Composition) -> Iterator[Candidate]:
    """Yield the refused apps that have the unit of an app which is gone."""
    units = {path for path in places if is_unit(path)}
    for one in composition.unfit:
        if not units.isdisjoint(one.source_path(file.path) for file in one.files):
            yield one


def _is_unit_of(path: str, manifest: Manifest, composition: Composition) -> bool:
    """Whether what is at a path may be the unit that is left of an app, by another name."""
    root = manifest.root
    is_own = is_below(path, root) if root else "/" not in path
    return is_own and is_unit(path) and root not in composition.roots
