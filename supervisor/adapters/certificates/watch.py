"""Tells which installed certificates were touched, by anyone but podvisor itself.

Two folders are watched for each: that of the links, and the one to which `..data` leads, which
holds what is behind them. Other files beside the links are nobody's concern here.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager

import msgspec

from supervisor.adapters.certificates.texts import DATA, NAME, NOTE
from supervisor.kit.inotify import Inotify, InotifyEvent, Mask, open_inotify, settled
from supervisor.model.certificate import FILES

_LINKS = Mask.ENTRIES | Mask.GONE | Mask.ONLY_FOLDER | Mask.DONT_FOLLOW
_CONTENT = Mask.ENTRIES | Mask.CLOSE_WRITE | Mask.GONE | Mask.ONLY_FOLDER | Mask.EXCLUDE_UNLINKED
_OURS = frozenset((*FILES, NAME, NOTE))


class InstalledWatch(msgspec.Struct):
    """What is watched for each certificate; armed as long as someone listens."""

    _folders: dict[str, str] = {}
    """Name to the folder in which it is installed."""
    _inotify: Inotify | None = None
    _watches: dict[str, set[int]] = {}
    """Name to its watches."""

    def follow(self, name: str, folder: str) -> None:
        """Watch what is installed there, and nothing else for this name; to be asked for again.

        Before the folder is looked at: what comes after that is told.
        """
        self._folders[name] = folder
        self._arm(name)

    def release(self, name: str) -> None:
        """End the watches; done before podvisor itself writes there."""
        self._end(self._watches.pop(name, set()))

    def forget(self, name: str, folder: str) -> None:
        """Watch this folder no more."""
        if self._folders.get(name) == folder:
            del self._folders[name]
            self.release(name)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Arm, and tell of names until the context ends."""
        inotify = self._inotify = open_inotify()
        try:
            for name in self._folders:
                self._arm(name)
            async with aclosing(settled(inotify, self._judge)) as names:
                yield names
        finally:
            self._inotify = None
            self._watches.clear()
            inotify.close()

    def _arm(self, name: str) -> None:
        if self._inotify is None:
            return
        folder, before = self._folders[name], self._watches.get(name, set())
        asked = (self._inotify.add(folder, _LINKS), self._inotify.add(f"{folder}/{DATA}", _CONTENT))
        self._watches[name] = {one for one in asked if one is not None}
        self._end(before - self._watches[name])

    def _end(self, watches: Collection[int]) -> None:
        if not watches:
            return
        used = {one for some in self._watches.values() for one in some}
        for watch in {*watches} - used:
            if self._inotify:
                self._inotify.remove(watch)

    def _judge(self, events: Iterable[InotifyEvent]) -> set[str]:
        touched: set[str] = set()
        for event in events:
            if event.mask & Mask.OVERFLOW:
                return set(self._folders)
            if event.name and event.name not in _OURS and not event.name.startswith(".."):
                continue
            touched |= {name for name, some in self._watches.items() if event.watch in some}
        return touched
