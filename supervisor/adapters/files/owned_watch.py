"""Tells which apps' owned files were touched, by anyone but podvisor itself.

Each file is watched by itself, not its folder, so that a container that writes beside it wakes
nobody; of folders only their own end is watched. `folder` says what to watch, and announces its
own changes.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager

from supervisor.adapters.files.notes import (
    ATTRIB,
    CLOSE_WRITE,
    DONT_FOLLOW,
    GONE,
    IGNORED,
    OVERFLOW,
    Note,
    Notes,
    settled,
)

_FILE = CLOSE_WRITE | ATTRIB | GONE | DONT_FOLLOW
_FOLDER = GONE | DONT_FOLLOW
_EVERYONE = ""


class OwnedWatch:
    """What is watched for each app; armed as long as someone listens."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._masks: dict[str, dict[str, int]] = {}
        self._notes: Notes | None = None
        self._watches: dict[str, int] = {}
        self._paths: dict[int, set[str]] = {}
        self._apps: dict[int, set[str]] = {}

    def replace(self, app: str, *, files: Collection[str], folders: Collection[str]) -> None:
        """Watch these absolute paths for an app, and no others; what was replaced anew."""
        before = self._masks.pop(app, {})
        masks = dict.fromkeys(folders, _FOLDER) | dict.fromkeys(files, _FILE)
        if masks:
            self._masks[app] = masks
        self._arm(_EVERYONE, {self._root: _FOLDER})
        self._arm(app, masks)
        self.release(*(before.keys() - masks.keys()))

    def add(self, app: str, path: str) -> None:
        """Watch one more file."""
        self._masks.setdefault(app, {})[path] = _FILE
        self._arm(app, {path: _FILE})

    def release(self, *paths: str) -> None:
        """End the watches of paths; done before podvisor itself replaces or removes them."""
        for path in paths:
            watch = self._watches.pop(path, None)
            if watch is None or self._notes is None:
                continue
            self._paths[watch].discard(path)
            if not self._paths[watch]:
                self._forget(watch)
                self._notes.remove(watch)

    def restore(self, app: str, paths: Collection[str]) -> None:
        """Watch again those of the released paths that are still there."""
        masks = self._masks.get(app, {})
        self._arm(app, {path: masks[path] for path in paths if path in masks})

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Arm, and tell of apps until the context ends."""
        notes = self._notes = Notes()
        try:
            self._arm(_EVERYONE, {self._root: _FOLDER})
            for app, masks in self._masks.items():
                self._arm(app, masks)
            async with aclosing(settled(notes, self._judge)) as names:
                yield names
        finally:
            self._notes = None
            self._watches.clear()
            self._paths.clear()
            self._apps.clear()
            notes.close()

    def _arm(self, app: str, masks: dict[str, int]) -> None:
        if self._notes is None:
            return
        for path, mask in masks.items():
            watch = self._notes.add(path, mask)
            if watch != self._watches.get(path):
                self.release(path)
            if watch is not None:
                self._watches[path] = watch
                self._paths.setdefault(watch, set()).add(path)
                self._apps.setdefault(watch, set()).add(app)

    def _forget(self, watch: int) -> None:
        self._apps.pop(watch, None)
        for path in self._paths.pop(watch, ()):
            self._watches.pop(path, None)

    def _judge(self, notes: Iterable[Note]) -> set[str]:
        touched: set[str] = set()
        for note in notes:
            if note.mask & OVERFLOW:
                touched.add(_EVERYONE)
            touched |= self._apps.get(note.watch, set())
            if note.mask & IGNORED:
                self._forget(note.watch)
        return set(self._masks) if _EVERYONE in touched else touched
