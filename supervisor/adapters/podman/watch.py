"""Noticing changes in Podman's stores through the kernel, without a process of Podman's running.

Every Podman process opens the lock files in these folders: only what comes and goes is listened to.

| watched | tells |
| --- | --- |
| the folders of networks and volumes | which one, by its entry |
| the index of each image store, of the secrets | which one, by what differs |
| the index of containers | that there is something to read |
| the exits of their processes | the same, and which container has ended |
| `containers.conf`, the user's and the machine's | that Podman may log elsewhere now |
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from supervisor.adapters.podman import containers_conf
from supervisor.adapters.podman.store_index import Index, read_images, read_secrets
from supervisor.adapters.podman.stores import Stores
from supervisor.kit.inotify import Inotify, Mask
from supervisor.model.podman import PodmanEvent

SETTINGS = "settings"
"""Type of the sign that Podman's settings changed."""
ENDED = "ended"
"""Type of the sign that a container's process has ended; its name is the container's id."""

_SETTLE_SECONDS = 0.25
"""Podman makes a volume's folder first and writes its database then."""
_LONGEST_SETTLE_SECONDS = 1.0
_REPLACED = Mask.MOVED_TO | Mask.DELETE_SELF
_COMES_AND_GOES = Mask.CREATE | Mask.DELETE | Mask.MOVED_FROM | _REPLACED
_WRITTEN = Mask.MOVED_TO | Mask.CLOSE_WRITE | Mask.DELETE
_NAMED = frozenset({"network", "volume", ENDED})
"""Types of which the entry in the folder says which one it is."""
_AT_ONCE = frozenset({"image"})
"""Types of which the index is the whole truth, as soon as it is replaced."""


class _Watched(NamedTuple):
    path: Path
    type: str
    mask: int
    ending: str = ""
    """Of the entries that count."""


class StoreWatch(msgspec.Struct):
    """The kernel's watches on the stores, set up as soon as it is known where these are."""

    _stores: Stores | None = None
    _inotify: Inotify | None = None
    _watched: dict[int, _Watched] = {}
    _indexes: dict[str, list[Index]] = {}
    _dirty: dict[str, set[str]] = {}
    """Types to the names that are known to have changed; with none, the index is to tell."""

    @property
    def telling(self) -> frozenset[str]:
        """Types of which every change is told, by name if at all possible."""
        types = {one.type for one in self._watched.values()}
        return frozenset(types & {"image", "network", "volume", "secret"})

    @property
    def armed(self) -> bool:
        """Whether the kernel tells of containers."""
        return any(one.type in {"container", ENDED} for one in self._watched.values())

    @asynccontextmanager
    async def watch(
        self, prepare: Callable[[], Awaitable[Stores | None]]
    ) -> AsyncIterator[AsyncIterator[PodmanEvent]]:
        """Give the stream of signs; `prepare` is asked once where the stores are."""
        with closing(Inotify()) as inotify:
            self._inotify = inotify
            try:
                self._arm_settings()
                stores = await prepare()
                if stores:
                    self.arm(stores)
                yield self._changes(inotify)
            finally:
                self._inotify = None
                self._watched.clear()
                self._indexes.clear()
                self._dirty.clear()

    def arm(self, stores: Stores) -> None:
        """Watch what is there and is not watched yet; cheap, called with every inventory."""
        if self._inotify is None:
            return
        if self._stores != stores or not self._indexes:
            self._stores = stores
            # Read before they are watched: what changes in between differs from what was read.
            self._indexes = {
                "image": [Index(path, read_images) for path in stores.images],
                "secret": [Index(stores.secret_index, read_secrets)],
            }
        self._arm_settings()
        for path in stores.images:
            self._add(_Watched(path.parent, "image", _REPLACED, path.name))
        self._add(_Watched(stores.networks, "network", _COMES_AND_GOES, ".json"))
        self._add(_Watched(stores.volumes, "volume", _COMES_AND_GOES))
        self._add(_Watched(stores.secrets, "secret", _COMES_AND_GOES, ".json"))
        self._add(_Watched(stores.secret_index, "secret", Mask.CLOSE_WRITE | Mask.DELETE_SELF))
        self._add(_Watched(stores.containers, "container", _REPLACED, "containers.json"))
        self._add(_Watched(stores.exits, ENDED, _REPLACED))

    def _arm_settings(self) -> None:
        for folder in containers_conf.folders():
            for one in (folder, folder / "containers.conf.d"):
                self._add(_Watched(one, SETTINGS, _WRITTEN, ".conf"))

    def _add(self, watched: _Watched) -> None:
        if self._inotify is None or watched in self._watched.values():
            return
        # Where it is not there yet: what makes it is followed by an inventory.
        if (watch := self._inotify.add(str(watched.path), watched.mask)) is not None:
            self._watched[watch] = watched

    async def _changes(self, inotify: Inotify) -> AsyncIterator[PodmanEvent]:
        settle = _SETTLE_SECONDS
        while True:
            await inotify.wait()
            self._take(inotify)
            if not self._dirty:
                continue
            for event in self._tell(_AT_ONCE):
                yield event
            await anyio.sleep(settle)
            busy = self._take(inotify)
            settle = min(2 * settle, _LONGEST_SETTLE_SECONDS) if busy else _SETTLE_SECONDS
            if self._stores:
                self.arm(self._stores)  # the secrets' index may just have been made
            for event in self._tell(frozenset(self._dirty)):
                yield event

    def _take(self, inotify: Inotify) -> bool:
        """Note what has happened, if anything, and forget watches that have ended."""
        events = inotify.take()
        for event in events:
            if event.mask & Mask.OVERFLOW:
                for one in (*self.telling, "container"):
                    self._dirty.setdefault(one, set())
            elif watched := self._watched.get(event.watch):
                if event.mask & Mask.IGNORED:
                    del self._watched[event.watch]
                if not event.name or event.name.endswith(watched.ending):
                    names = self._dirty.setdefault(watched.type, set())
                    if event.name and watched.type in _NAMED:
                        names.add(event.name.removesuffix(watched.ending))
        return bool(events)

    def _tell(self, types: frozenset[str]) -> list[PodmanEvent]:
        events = []
        for one in sorted(types & self._dirty.keys()):
            names = self._dirty.pop(one)
            indexes = self._indexes.get(one, ())
            names.update(*(index.changes() for index in indexes))
            if not indexes and not names:
                names = {""}
            events += [PodmanEvent(type=one, name=name) for name in sorted(names)]
        return events
