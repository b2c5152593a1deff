"""Tells which apps' owned files were touched, by anyone but podvisor itself.

Each file is watched by itself, not its folder, so that a container that writes beside it wakes
nobody; of folders only their own end is watched.
"""

import os
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import islice

import anyio
import anyio.lowlevel
import msgspec

from supervisor.kit.inotify import Inotify, InotifyEvent, Mask, open_inotify, settled

_FILE = Mask.CLOSE_WRITE | Mask.ATTRIB | Mask.GONE | Mask.DONT_FOLLOW
_FOLDER = Mask.GONE | Mask.DONT_FOLLOW
_EVERYONE = ""
_AT_ONCE = 100
"""Watches between two turns of others: some milliseconds."""


class OwnedWatch(msgspec.Struct):
    """What is watched for each app; armed as long as someone listens."""

    root: str
    _masks: dict[str, dict[str, int]] = {}
    _inotify: Inotify | None = None
    _watches: dict[str, int] = {}
    _identities: dict[str, tuple[int, int] | None] = {}
    """What stood at a path just before it was watched: another file is watched anew."""
    _paths: dict[int, set[str]] = {}
    _apps: dict[int, set[str]] = {}

    async def replace(self, app: str, *, files: Collection[str], folders: Collection[str]) -> None:
        """Watch these absolute paths for an app, and no others; what was replaced anew.

        An app has thousands of files at most: others have their turn in between.
        """
        before = self._masks.pop(app, {})
        masks = dict.fromkeys(folders, _FOLDER) | dict.fromkeys(files, _FILE)
        if masks:
            self._masks[app] = masks
        self._arm(_EVERYONE, {self.root: _FOLDER})
        self.release(*(before.keys() - masks.keys()))
        await self._arm_all(app, masks)

    async def _arm_all(self, app: str, masks: dict[str, int]) -> None:
        everything = iter(masks.items())
        while some := dict(islice(everything, _AT_ONCE)):
            self._arm(app, some)
            await anyio.lowlevel.checkpoint()

    def add(self, app: str, path: str) -> None:
        """Watch one more file."""
        self._masks.setdefault(app, {})[path] = _FILE
        self._arm(app, {path: _FILE})

    def release(self, *paths: str) -> None:
        """End the watches of paths; done before podvisor itself replaces or removes them."""
        for path in paths:
            watch = self._watches.pop(path, None)
            self._identities.pop(path, None)
            if watch is None or self._inotify is None:
                continue
            self._paths[watch].discard(path)
            if not self._paths[watch]:
                self._forget(watch)
                self._inotify.remove(watch)

    def restore(self, app: str, paths: Collection[str]) -> None:
        """Watch again those of the released paths that are still there."""
        masks = self._masks.get(app, {})
        self._arm(app, {path: masks[path] for path in paths if path in masks})

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Arm, and tell of apps until the context ends."""
        inotify = self._inotify = open_inotify()
        try:
            self._arm(_EVERYONE, {self.root: _FOLDER})
            for app, masks in tuple(self._masks.items()):
                await self._arm_all(app, masks)
            async with aclosing(settled(inotify, self._judge)) as names:
                yield names
        finally:
            self._inotify = None
            self._watches.clear()
            self._identities.clear()
            self._paths.clear()
            self._apps.clear()
            inotify.close()

    def _arm(self, app: str, masks: dict[str, int]) -> None:
        if self._inotify is None:
            return
        for path, mask in masks.items():
            identity = _identity(path)
            known = self._watches.get(path)
            if known is not None and self._identities.get(path) == identity:
                self._apps[known].add(app)
                continue
            watch = self._inotify.add(path, mask)
            if watch != known:
                self.release(path)
            if watch is not None:
                self._identities[path] = identity
                self._watches[path] = watch
                self._paths.setdefault(watch, set()).add(path)
                self._apps.setdefault(watch, set()).add(app)

    def _forget(self, watch: int) -> None:
        self._apps.pop(watch, None)
        for path in self._paths.pop(watch, ()):
            self._watches.pop(path, None)
            self._identities.pop(path, None)

    def _judge(self, events: Iterable[InotifyEvent]) -> set[str]:
        touched: set[str] = set()
        for event in events:
            if event.mask & Mask.OVERFLOW:
                touched.add(_EVERYONE)
            touched |= self._apps.get(event.watch, set())
            if event.mask & Mask.IGNORED:
                self._forget(event.watch)
        return set(self._masks) if _EVERYONE in touched else touched


def _identity(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        status = os.lstat(path)
        return status.st_dev, status.st_ino
    return None
