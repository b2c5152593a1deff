"""The Folder port: the apps' files below the Quadlet search path, with a manifest for each app.

`safe_fs` changes the disk, `contents` reads it, `unit_links` serves the user's unit folder,
`owned_watch` tells when someone else was here.
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from supervisor.adapters.files.contents import Known, TooMuch, contents, first_bytes
from supervisor.adapters.files.foreign import ForeignUnits
from supervisor.adapters.files.owned_watch import OwnedWatch
from supervisor.adapters.files.paths import MANIFEST, link_problem, path_problem
from supervisor.adapters.files.safe_fs import (
    folder_at,
    is_leftover,
    put,
    remove,
    sweep,
    told,
)
from supervisor.adapters.files.unit_links import UnitLinks
from supervisor.adapters.files.unshared import Change, carry_out, make_unshared
from supervisor.core.files.names import shapes_units
from supervisor.kit.stamps import Stamp, stamp_of
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Stalled
from supervisor.model.observed import Manifest, ObservedApp
from supervisor.model.source import FileKind, TreeFile

_THREAD_BYTES = 1 << 20
"""More than this is read in a thread, not on the event loop."""
_THREAD_FILES = 200
"""So many are looked at in a thread, however small they are."""
_MANIFEST_LIMIT = 64 << 20


class Memory(Protocol):
    """Manifests by app that outlast a power cut; the ledger's documents."""

    def get(self, kind: type[Manifest], key: str, /) -> Manifest | None: ...

    def put(self, document: Manifest, key: str, /) -> None: ...

    def drop(self, kind: type[Manifest], key: str, /) -> Manifest | None: ...


class OwnedFolder:
    """`root` holds a folder for each app; `user_units` is the user's unit folder.

    `memory` holds what each manifest said, for one that a power cut has torn.
    """

    def __init__(
        self,
        *,
        root: Path,
        user_units: Path,
        etc: Path = Path("/etc"),
        memory: Memory | None = None,
        unshared: Callable[[Change], Awaitable[bool]] = make_unshared,
    ) -> None:
        self._memory = memory
        self._unshared = unshared
        self.root = os.path.realpath(root)
        """Absolute real path of the folder that holds the apps' folders."""
        self._links = UnitLinks(user_units=str(user_units), root=self.root)
        self._foreign = ForeignUnits(
            root=self.root,
            user_units=str(user_units),
            quadlets=str(root.parent),
            etc=str(etc),
        )
        self._watch = OwnedWatch(self.root)
        self._known: dict[str, Known] = {}
        self._owned: dict[str, frozenset[str]] = {}
        self._manifests: dict[str, tuple[Stamp, Manifest]] = {}
        self._torn: set[str] = set()
        """Apps with a manifest that could not be read."""

    async def manifests(self) -> dict[str, Manifest]:
        """Read all manifests, as far as they can be read; again only when their stat moves."""
        with told(f"read {self.root}"):
            stamps = self._stamps()
        self._manifests = {app: one for app, one in self._manifests.items() if app in stamps}
        found: dict[str, Manifest] = {}
        for app, stamp in stamps.items():
            known = self._manifests.get(app)
            with suppress(OSError):
                if manifest := known[1] if known and known[0] == stamp else self._manifest(app):
                    found[app] = manifest
        return found

    async def observe(
        self, app: str, *, wanted: Collection[str] = (), asked: Collection[str] = ()
    ) -> ObservedApp:
        """Read the manifest, how its files and `wanted` stand on disk, and what of `asked` does."""
        _check_app(app)
        with told(f"read {self.root}/{app}"):
            return await self._observe(app, wanted, asked)

    async def _observe(
        self, app: str, wanted: Collection[str], asked: Collection[str]
    ) -> ObservedApp:
        manifest = self._manifest(app)
        owned = {file.path for file in manifest.files} if manifest else set()
        paths = [path for path in {*owned, *wanted} if not path_problem(path)]
        full = [f"{app}/{path}" for path in paths]
        many = len(paths) > _THREAD_FILES

        def beside() -> tuple[tuple[str, ...], frozenset[str], dict[str, str]]:
            return *self._unowned_files(app, paths, owned), self._links.found(app, owned)

        unowned_files, closed, links = await in_thread(beside) if many else beside()
        asked = [path for path in asked if not path_problem(path)]
        await self._watch_app(app, [*paths, *asked], map(self._links.absolute, links))
        known = self._known.get(app, {})
        read = partial(contents, self.root, full)
        try:
            if many:
                there, known = await in_thread(partial(read, known))
            else:
                there, known = read(known, most=_THREAD_BYTES)
        except TooMuch as so_far:
            there, known = await in_thread(partial(read, known | so_far.settled))
        self._known[app] = known
        if not there and not manifest:
            self._known.pop(app)
        files = [
            TreeFile(file.path[len(app) + 1 :], file.oid, file.kind, file.size) for file in there
        ]
        if manifest and app in self._torn:
            # What stands here was put here by podvisor, whatever it remembers of that.
            claimed = {path: TreeFile(path, "") for path in unowned_files}
            claimed |= {file.path: file for file in files}
            claimed |= {file.path: file for file in manifest.files}
            everything = tuple(claimed[path] for path in sorted(claimed))
            manifest = msgspec.structs.replace(manifest, files=everything)
            self._owned[app] = frozenset(claimed)
            unowned_files = ()
        standing = [file for file in files if self._links.stands(app, file.path)]
        if manifest and manifest.sealed:
            standing.extend(one for one in manifest.files if _folder_of(one.path) in closed)
        return ObservedApp(
            name=app,
            manifest=manifest,
            files=tuple(sorted(standing)),
            closed=tuple(sorted(closed)),
            unowned_files=unowned_files,
            links=links,
            by_hand=tuple(one for one in asked if os.path.exists(f"{self.root}/{app}/{one}")),  # noqa: ASYNC240, PTH110
        )

    async def contents(self, app: str, paths: Collection[str], *, limit: int) -> dict[str, bytes]:
        """Read these files (of links, where they lead), `limit` bytes of each at most."""
        _check_app(app)
        full = [f"{app}/{path}" for path in paths if not path_problem(path)]
        found = await in_thread(lambda: first_bytes(self.root, full, limit=limit))
        return {path[len(app) + 1 :]: content for path, content in found.items()}

    async def foreign_units(self) -> dict[str, str]:
        """Unit names that the user's own files define (Quadlet and plain) to their paths."""
        return self._foreign.find()

    async def write_manifest(self, manifest: Manifest) -> None:
        """Write it atomically; one that claims nothing goes, and its folder if empty."""
        app = manifest.name
        _check_app(app)
        path = f"{app}/{MANIFEST}"
        text = msgspec.json.encode(manifest)
        folders = {app, *(f"{app}/{file.path}".rpartition("/")[0] for file in manifest.files)}
        gone = manifest.claims_nothing

        def write() -> None:
            sweep(self.root, folders)
            if gone:
                remove(self.root, path, keep=0)
            else:
                put(self.root, [(path, text, FileKind.FILE)])

        if gone:
            await self._watch.replace(app, files=(), folders=())
        elif self._memory:
            self._memory.put(manifest, app)
        with told(f"write {self.root}/{path}"):
            await in_thread(write)
        if gone:
            self._known.pop(app, None)
            self._owned.pop(app, None)
            if self._memory:
                self._memory.drop(Manifest, app)
        else:
            self._owned[app] = frozenset(file.path for file in manifest.files)

    async def write_files(self, app: str, files: Sequence[tuple[TreeFile, bytes]]) -> None:
        """Replace or make files, each atomically; drop-ins with their link in the unit folder."""
        _check_app(app)
        for file, content in files:
            if problem := path_problem(file.path) or link_problem(file, content):
                raise Stalled(f"cannot write {file.path} of app {app}: {problem}")
        if app not in self._owned:
            self._manifest(app)
        owned = frozenset(f"{app}/{path}" for path in self._owned.get(app, ()))
        new = tuple((f"{app}/{file.path}", content, file.kind) for file, content in files)
        change = Change(root=self.root, files=new, owned=owned)
        watched = self._places(app, [file.path for file, _ in files])

        def write() -> None:
            carry_out(change)
            link_all()

        def link_all() -> None:
            for file, _ in files:
                with told(f"write {self.root}/{app}/{file.path}"):
                    self._links.put(app, file.path)

        self._watch.release(*watched)
        try:
            with told(f"write {self.root}/{app}"):
                await in_thread(write)
        except Stalled as failure:
            await self._as_root(change, failure)
            link_all()
        finally:
            for path in watched:
                self._watch.add(app, path)

    async def remove_files(self, app: str, paths: Sequence[str]) -> None:
        """Remove files (and their links), and the folders that they leave empty."""
        _check_app(app)
        mine = [path for path in paths if not path_problem(path)]
        change = Change(root=self.root, gone=tuple(f"{app}/{path}" for path in mine))
        passed = [
            "/".join([self.root, app, *parts[:depth]])
            for path in mine
            for parts in [path.split("/")]
            for depth in range(1, len(parts))
        ]

        def take_away() -> None:
            for path in mine:
                with told(f"remove {self.root}/{app}/{path}"):
                    self._links.remove(app, path)
                carry_out(Change(root=self.root, gone=(f"{app}/{path}",)))

        self._watch.release(*self._places(app, mine), *passed)
        try:
            await in_thread(take_away)
        except Stalled as failure:
            await self._as_root(change, failure)
            await in_thread(take_away)
        finally:
            self._watch.restore(app, passed)

    async def _as_root(self, change: Change, failure: Stalled) -> None:
        """Make a change that the user alone may not make; raises `failure` if it is another one."""
        if not isinstance(failure.__cause__, PermissionError) or not await self._unshared(change):
            raise failure

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """App names whose owned files were touched by anyone."""
        return self._watch.watch()

    def _stamps(self) -> dict[str, Stamp]:
        """Return the apps that have a manifest, with the stamp of each."""
        stamps: dict[str, Stamp] = {}
        with suppress(FileNotFoundError), os.scandir(self.root) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    with suppress(OSError):
                        stamps[entry.name] = stamp_of(os.lstat(f"{entry.path}/{MANIFEST}"))
        return stamps

    def _manifest(self, app: str) -> Manifest | None:
        """Read an app's manifest: one that is torn as it is remembered, another app's as none."""
        with folder_at(self.root, app) as place:
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
            except OSError:
                return None
            except ValueError:
                return self._recalled(app)
        if manifest.name != app or any(path_problem(file.path) for file in manifest.files):
            return None
        self._torn.discard(app)
        self._owned[app] = frozenset(file.path for file in manifest.files)
        self._manifests.pop(app, None)
        if stamp.is_settled(now):
            self._manifests[app] = (stamp, manifest)
        return manifest

    def _recalled(self, app: str) -> Manifest:
        """What a manifest said that is torn now: that of a pass which was cut short."""
        self._torn.add(app)
        self._manifests.pop(app, None)
        nothing = Manifest(
            name=app, source="", revision="", root="", files=(), units=(), sealed=False
        )
        manifest = (self._memory and self._memory.get(Manifest, app)) or nothing
        self._owned[app] = frozenset(file.path for file in manifest.files)
        return msgspec.structs.replace(manifest, sealed=False)

    def _unowned_files(
        self, app: str, paths: Iterable[str], owned: Collection[str]
    ) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return unit files and drop-ins that no manifest names.

        Looks only into folders that hold files of the app: others may be a container's data. Those
        that it may not look into are returned too.
        """
        pending = {"", *(_folder_of(path) for path in paths)}
        seen: set[str] = set()
        unowned_files = []
        closed = set()
        while pending:
            folder = pending.pop()
            seen.add(folder)
            try:
                found = self._entries(f"{app}/{folder}" if folder else app)
            except PermissionError:
                if not folder:
                    raise  # without its manifest, nothing is known of the app
                closed.add(folder)
                continue
            for name, is_folder in found:
                path = f"{folder}/{name}" if folder else name
                if is_folder:
                    if name.endswith(".d") and path not in seen:
                        pending.add(path)
                elif path not in owned and shapes_units(path) and not is_leftover(name):
                    unowned_files.append(path)
        return tuple(sorted(unowned_files)), frozenset(closed)

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        """List what is in a folder below the root, and whether it is a folder; nothing if none."""
        with folder_at(self.root, folder) as place:
            if place is None:
                return []
            with os.scandir(place) as entries:
                return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]

    def _places(self, app: str, paths: Collection[str]) -> list[str]:
        """Return the absolute paths of an app's files, and of the links to them."""
        places = [f"{self.root}/{app}/{path}" for path in paths]
        links = (self._links.link_of(app, path) for path in paths)
        return [*places, *(self._links.absolute(link) for link in links if link)]

    async def _watch_app(self, app: str, paths: Collection[str], enabled: Iterable[str]) -> None:
        """Watch an app's files, their links and folders. Done before they are read."""
        files = {*enabled, *self._places(app, paths)}
        folders: set[str] = set()
        for path in paths:
            parts = path.split("/")[:-1]
            folders.update(
                "/".join([self.root, app, *parts[:depth]]) for depth in range(len(parts) + 1)
            )
        await self._watch.replace(app, files=files, folders=folders)


def _check_app(app: str) -> None:
    if "/" in app or app.startswith(".") or path_problem(app):
        raise Stalled(f"cannot keep app {app!r}: that cannot be the name of a folder")


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]
