"""The FolderWatch port: tells which folder sources have changed.

Every folder below a source is watched, and so is the end of each folder and link on the way to it;
a source that is not there is waited for in the nearest folder that is. Nothing is polled.
"""

import os
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import msgspec

from supervisor.kit.inotify import Inotify, InotifyEvent, Mask, open_inotify, settled

_CHANGES = Mask.ENTRIES | Mask.CLOSE_WRITE
_WAY = Mask.GONE | Mask.DONT_FOLLOW
_GAP = Mask.ENTRIES | _WAY | Mask.ONLY_FOLDER
_TREE = _CHANGES | _WAY | Mask.ONLY_FOLDER | Mask.EXCLUDE_UNLINKED
_SKIPPED = ".git"
_MAX_LINKS = 40
_TRIES = 3
_MAX_DEPTH = 64


class _Role(NamedTuple):
    """Why something is watched: as part of a source, or on the way to it."""

    source: str
    tree: bool
    awaited: str = ""
    """Name of the entry that a source which is not there would begin with."""


class _Watched(msgspec.Struct):
    """One watched inode; it may be watched for several sources and reasons."""

    path: str
    mask: int = 0
    roles: list[_Role] = []


class _Way(NamedTuple):
    """The way to a folder: what it leads over, and where it ends."""

    steps: list[str]
    """Absolute paths of folders and links."""
    root: str
    """The folder's real path; empty if it is not there."""
    gap: tuple[str, str]
    """Else the folder in which the next step is missing, and that step's name."""


class SourceFolders(msgspec.Struct):
    """All folder sources; armed as long as someone listens."""

    _folders: dict[str, str] = {}
    _inotify: Inotify | None = None
    _watched: dict[int, _Watched] = {}

    async def watch_folders(self, folders: Mapping[str, str]) -> None:
        """Set which are watched: source name to path. To be called before the folders are read."""
        self._folders = {
            name: os.path.abspath(os.path.expanduser(path))  # noqa: ASYNC240, PTH100, PTH111
            for name, path in folders.items()
        }
        self._arm()

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Tell of sources until the context ends."""
        inotify = self._inotify = open_inotify()
        try:
            self._arm()
            async with aclosing(settled(inotify, self._judge)) as names:
                yield names
        finally:
            self._inotify = None
            self._watched.clear()
            inotify.close()

    def _judge(self, events: Iterable[InotifyEvent]) -> set[str]:
        changed: set[str] = set()
        moved = False
        for event in events:
            if event.mask & Mask.OVERFLOW:
                changed.update(self._folders)
                moved = True
            watched = self._watched.get(event.watch)
            for role in watched.roles if watched else ():
                if event.mask & Mask.GONE:
                    changed.add(role.source)
                    moved = True
                elif role.tree and event.mask & _CHANGES and event.name != _SKIPPED:
                    changed.add(role.source)
                    # A folder's mode counts: one that could not be read may be readable now.
                    moved = moved or bool(event.mask & Mask.FOLDER) or not event.name
                elif role.awaited and event.name == role.awaited:
                    changed.add(role.source)
                    moved = True
        if moved:
            self._arm()
        return changed

    def _arm(self) -> None:
        """Watch what should be watched now, and no more."""
        if self._inotify is None:
            return
        stale = set(self._watched)
        watched: dict[int, _Watched] = {}
        for _ in range(_TRIES):
            ways = {source: _way(folder) for source, folder in self._folders.items()}
            watched = _ask(self._inotify, ways)
            stale |= watched.keys()
            # A step that came or went before it was watched would never be told of.
            if all(_way(self._folders[source]) == way for source, way in ways.items()):
                break
        for watch, wanted in watched.items():
            before = self._watched.get(watch)
            if before and before.mask & ~wanted.mask:
                self._inotify.add(wanted.path, wanted.mask)
        for watch in stale - watched.keys():
            self._inotify.remove(watch)
        self._watched = watched


def _ask(inotify: Inotify, ways: Mapping[str, _Way]) -> dict[int, _Watched]:
    watched: dict[int, _Watched] = {}
    for source, way in ways.items():
        for path, mask, role in _wanted(source, way):
            # Only ever adding, for a mask that shrank for a moment would lose events.
            watch = inotify.add(path, mask | Mask.ADD)
            if watch is not None:
                one = watched.setdefault(watch, _Watched(path))
                one.mask |= mask
                one.roles.append(role)
    return watched


def _wanted(source: str, way: _Way) -> Iterator[tuple[str, int, _Role]]:
    """What to watch for a source. Each folder is listed after it was asked for."""
    for step in way.steps:
        yield step, _WAY, _Role(source, tree=False)
    if way.root:
        for path in _tree(way.root):
            yield path, _TREE, _Role(source, tree=True)
    if not way.root or not os.access(way.root, os.R_OK):
        place, name = way.gap
        yield place, _GAP, _Role(source, tree=False, awaited=name)


def _way(folder: str) -> _Way:
    steps: list[str] = []
    here, pending, links = "/", folder.split("/")[::-1], 0
    gap = ("/", "")
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = os.path.dirname(here)  # noqa: PTH120
            continue
        place = os.path.join(here, part)  # noqa: PTH118
        gap = (here, part)
        try:
            mode = os.lstat(place).st_mode
            target = os.readlink(place) if stat.S_ISLNK(mode) else ""  # noqa: PTH115
        except OSError:
            return _Way(steps, "", gap)
        if target and links < _MAX_LINKS:
            links += 1
            steps.append(place)
            here = "/" if target.startswith("/") else here
            pending.extend(target.split("/")[::-1])
        elif stat.S_ISDIR(mode):
            steps.append(place)
            here = place
        else:
            return _Way(steps, "", gap)
    return _Way(steps, here, gap)


def _tree(root: str) -> Iterator[str]:
    """All folders of a tree, each before what it holds."""
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        yield folder
        if depth > _MAX_DEPTH:
            continue
        try:
            with os.scandir(folder) as entries:
                pending += [
                    (entry.path, depth + 1)
                    for entry in entries
                    if entry.name != _SKIPPED and entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            continue
