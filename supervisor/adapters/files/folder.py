"""The Folder port: the apps' files below the Quadlet search path, with a manifest for each app.

Called by the controllers' observer (`observe`, `apps`, `foreign_units`) and executor (the rest).
Below: `beneath` changes the disk, `contents` reads it, `unit_links` serves the user's unit folder,
`owned_watch` tells when someone else was here.
"""

import os
import time
import unicodedata
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from supervisor.adapters.files.beneath import folder_at, is_leftover, put, remove, told
from supervisor.adapters.files.contents import Known, contents, first_bytes, unread_bytes
from supervisor.adapters.files.foreign import ForeignUnits
from supervisor.adapters.files.owned_watch import OwnedWatch
from supervisor.adapters.files.unit_links import UnitLinks
from supervisor.core.names import shapes_units
from supervisor.kit.links import resolve
from supervisor.kit.stamps import Stamp, stamp_of
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Stalled
from supervisor.model.observed import Manifest, ObservedApp
from supervisor.model.source import FileKind, TreeFile

MANIFEST = ".podvisor.json"
_THREAD_BYTES = 1 << 20
"""More than this is read in a thread, not on the event loop."""
_MANIFEST_LIMIT = 64 << 20


class OwnedFolder:
    """`root` holds a folder for each app; `user_units` is the user's unit folder."""

    def __init__(self, *, root: Path, user_units: Path, etc: Path = Path("/etc")) -> None:
        self._root = os.path.realpath(root)
        self._links = UnitLinks(user_units=str(user_units), root=self._root)
        self._foreign = ForeignUnits(
            root=self._root,
            user_units=str(user_units),
            quadlets=str(root.parent),
            etc=str(etc),
        )
        self._watch = OwnedWatch(self._root)
        self._known: dict[str, Known] = {}
        self._owned: dict[str, frozenset[str]] = {}
        self._manifests: dict[str, tuple[Stamp, Manifest]] = {}

    @property
    def root(self) -> str:
        """Absolute real path of the folder that holds the apps' folders."""
        return self._root

    async def manifests(self) -> dict[str, Manifest]:
        """Read the manifests of all apps that have one; again only when their stat moves."""
        with told(f"read {self._root}"):
            apps = self._apps()
            found = {app: manifest for app in apps if (manifest := self._manifest(app))}
        self._manifests = {app: self._manifests[app] for app in apps if app in self._manifests}
        return found

    async def observe(self, app: str, *, wanted: Collection[str] = ()) -> ObservedApp:
        """Read the manifest, and how its files and `wanted` paths stand on disk."""
        _check_app(app)
        with told(f"read {self._root}/{app}"):
            return await self._observe(app, wanted)

    async def _observe(self, app: str, wanted: Collection[str]) -> ObservedApp:
        manifest = self._manifest(app)
        owned = {file.path for file in manifest.files} if manifest else set()
        paths = [path for path in {*owned, *wanted} if not _path_problem(path)]
        strangers = self._tidy(app, paths, owned)
        full = [f"{app}/{path}" for path in paths]
        enabled = self._links.enabled(app, manifest.units if manifest else (), owned)
        self._watch_app(app, paths, enabled.values())
        known = self._known.get(app, {})
        if unread_bytes(self._root, full, known) > _THREAD_BYTES:
            there, known = await in_thread(lambda: contents(self._root, full, known))
        else:
            there, known = contents(self._root, full, known)
        self._known[app] = known
        if not there and not manifest:
            self._known.pop(app)
        files = (
            TreeFile(file.path[len(app) + 1 :], file.oid, file.kind, file.size) for file in there
        )
        return ObservedApp(
            name=app,
            manifest=manifest,
            files=tuple(sorted(file for file in files if self._links.stands(app, file.path))),
            strangers=strangers,
            enabled=tuple(sorted(enabled)),
        )

    async def contents(self, app: str, paths: Collection[str], *, limit: int) -> dict[str, bytes]:
        """Read these files (of links, where they lead), `limit` bytes of each at most."""
        _check_app(app)
        full = [f"{app}/{path}" for path in paths if not _path_problem(path)]
        found = await in_thread(lambda: first_bytes(self._root, full, limit=limit))
        return {path[len(app) + 1 :]: content for path, content in found.items()}

    async def foreign_units(self) -> dict[str, str]:
        """Unit names that the user's own files define (Quadlet and plain) to their paths."""
        return self._foreign.find()

    async def write_manifest(self, manifest: Manifest) -> None:
        """Write it atomically; one without files and sealed goes, and its folder if empty."""
        app = manifest.app
        _check_app(app)
        path = f"{app}/{MANIFEST}"
        with told(f"write {self._root}/{path}"):
            if manifest.sealed and not manifest.files:
                self._tidy(app, [], set())
                remove(self._root, path, keep=0)
                self._watch.replace(app, files=(), folders=())
                self._known.pop(app, None)
                self._owned.pop(app, None)
                return
            put(self._root, path, msgspec.json.encode(manifest), FileKind.FILE)
            self._owned[app] = frozenset(file.path for file in manifest.files)

    async def write_file(self, app: str, file: TreeFile, content: bytes) -> None:
        """Replace or make one file atomically; a drop-in with its link in the unit folder."""
        _check_app(app)
        if problem := _path_problem(file.path) or _link_problem(file, content):
            raise Stalled(f"cannot write {file.path} of app {app}: {problem}")
        path = f"{app}/{file.path}"
        with told(f"write {self._root}/{path}"):
            self._watch.release(f"{self._root}/{path}")
            put(self._root, path, content, file.kind, removable=self._is_owned)
            self._watch.add(app, f"{self._root}/{path}")
            if link := self._links.link_of(app, file.path):
                self._watch.release(self._links.absolute(link))
                self._links.put(app, file.path)
                self._watch.add(app, self._links.absolute(link))

    async def remove_file(self, app: str, path: str) -> None:
        """Remove one file (and its link), and the folders that it leaves empty."""
        _check_app(app)
        if _path_problem(path):
            return
        with told(f"remove {self._root}/{app}/{path}"):
            parts = path.split("/")
            passed = ["/".join([self._root, app, *parts[:depth]]) for depth in range(1, len(parts))]
            mine = [f"{self._root}/{app}/{path}"]
            if link := self._links.link_of(app, path):
                mine.append(self._links.absolute(link))
            self._watch.release(*mine, *passed)
            self._links.remove(app, path)
            remove(self._root, f"{app}/{path}", keep=1)
            self._watch.restore(app, passed)

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """App names whose owned files were touched by anyone."""
        return self._watch.watch()

    def _apps(self) -> frozenset[str]:
        try:
            with os.scandir(self._root) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                    and os.path.lexists(f"{entry.path}/{MANIFEST}")
                )
        except FileNotFoundError:
            return frozenset()

    def _manifest(self, app: str) -> Manifest | None:
        """Read an app's manifest; one that cannot be read as such counts as none."""
        with folder_at(self._root, app) as place:
            if place is None:
                return None
            try:
                stamp = stamp_of(os.stat(MANIFEST, dir_fd=place, follow_symlinks=False))
                known = self._manifests.get(app)
                if known and known[0] == stamp:
                    return known[1]
                descriptor = os.open(
                    MANIFEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place
                )
                now = time.time_ns()
                with open(descriptor, "rb") as file:  # noqa: PTH123
                    manifest = msgspec.json.decode(file.read(_MANIFEST_LIMIT), type=Manifest)
            except (OSError, msgspec.MsgspecError):
                return None
        if manifest.app != app or any(_path_problem(file.path) for file in manifest.files):
            return None
        self._owned[app] = frozenset(file.path for file in manifest.files)
        self._manifests.pop(app, None)
        if stamp.is_settled(now):
            self._manifests[app] = (stamp, manifest)
        return manifest

    def _is_owned(self, path: str) -> bool:
        app, _, inner = path.partition("/")
        if app not in self._owned:
            self._manifest(app)
        return inner in self._owned.get(app, ())

    def _tidy(self, app: str, paths: Iterable[str], owned: Collection[str]) -> tuple[str, ...]:
        """Remove half-written files; return unit files and drop-ins that no manifest names.

        Looks only into folders that hold files of the app: others may be a container's data.
        """
        pending = {"", *(path.rpartition("/")[0] for path in paths)}
        seen: set[str] = set()
        strangers = []
        while pending:
            folder = pending.pop()
            seen.add(folder)
            with folder_at(self._root, f"{app}/{folder}" if folder else app) as place:
                if place is None:
                    continue
                with os.scandir(place) as entries:
                    found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
                for name, is_folder in found:
                    path = f"{folder}/{name}" if folder else name
                    if is_folder:
                        if name.endswith(".d") and path not in seen:
                            pending.add(path)
                    elif is_leftover(name):
                        with told(f"remove {self._root}/{app}/{path}"):
                            os.unlink(name, dir_fd=place)
                    elif path not in owned and shapes_units(path):
                        strangers.append(path)
        return tuple(sorted(strangers))

    def _watch_app(self, app: str, paths: Iterable[str], enabled: Iterable[str]) -> None:
        """Watch an app's files, their links and folders. Done before they are read."""
        files = set(enabled)
        folders: set[str] = set()
        for path in paths:
            files.add(f"{self._root}/{app}/{path}")
            if link := self._links.link_of(app, path):
                files.add(self._links.absolute(link))
            parts = path.split("/")[:-1]
            folders.update(
                "/".join([self._root, app, *parts[:depth]]) for depth in range(len(parts) + 1)
            )
        self._watch.replace(app, files=files, folders=folders)


def _check_app(app: str) -> None:
    if "/" in app or app.startswith(".") or _path_problem(app):
        raise Stalled(f"cannot keep app {app!r}: that cannot be the name of a folder")


def _path_problem(path: str) -> str:
    if any(part in ("", ".", "..") for part in path.split("/")) or path == MANIFEST:
        return "its path leads elsewhere"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return "it has control characters in its name"
    return ""


def _link_problem(file: TreeFile, content: bytes) -> str:
    if file.kind is not FileKind.SYMLINK:
        return ""
    target = os.fsdecode(content)
    if not target or "\0" in target:
        return "it is a link to nothing"
    leaves = target.startswith("/") or resolve(file.path, {file.path: target}) is None
    return f"it is a link out of the app ({target})" if leaves else ""
