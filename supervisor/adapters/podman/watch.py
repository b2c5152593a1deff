"""Noticing changes in Podman's stores through the kernel, without a process of Podman's running.

Every Podman process (each health check is one) opens the lock files in these folders, so only what
comes and goes is listened to, and of the secrets' index, which is written in place, that one file.
What a store can tell by itself is told by name (`contents`); for the rest someone has to read
Podman's log. Used by `follow` and `client`.

| watched | tells |
| --- | --- |
| the folders of networks and volumes | which one, by its entry |
| the index of each image store, of the secrets | which one, by what differs |
| the index of containers, the exits of their processes | that there is something to read |
| `containers.conf`, the user's and the machine's | that Podman may log elsewhere now |
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio

from supervisor.adapters.podman import containers_conf
from supervisor.adapters.podman.store_index import Index, read_images, read_secrets
from supervisor.adapters.podman.stores import Stores
from supervisor.model.podman import PodmanEvent

if TYPE_CHECKING:
    from asyncinotify import Event, Inotify

SETTINGS = "settings"
"""Type of the sign that Podman's settings changed."""

_SETTLE_SECONDS = 0.25
"""Podman makes a volume's folder first and writes its database then."""
_LONGEST_SETTLE_SECONDS = 1.0
_CREATE, _DELETE, _DELETE_SELF = 0x100, 0x200, 0x400
_MOVED_FROM, _MOVED_TO, _CLOSE_WRITE = 0x40, 0x80, 0x8
_COMES_AND_GOES = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | _DELETE_SELF
_REPLACED = _MOVED_TO | _DELETE_SELF
_WRITTEN = _MOVED_TO | _CLOSE_WRITE | _DELETE
_AT_ONCE = frozenset({"image"})
"""Types of which the index is the whole truth, as soon as it is replaced."""


class _Watched(NamedTuple):
    path: Path
    type: str
    mask: int
    ending: str = ""
    """Of the entries that count."""


class StoreWatch:
    """The kernel's watches on the stores, set up as soon as it is known where these are."""

    def __init__(self) -> None:
        self._stores: Stores | None = None
        self._inotify: Inotify | None = None
        self._watched: dict[Path, _Watched] = {}
        self._indexes: dict[str, list[Index]] = {}
        self._dirty: dict[str, set[str]] = {}
        """Types to the names that are known to have changed; with none, the index is to tell."""

    @property
    def telling(self) -> frozenset[str]:
        """Types of which every change is told, by name if at all possible."""
        types = {one.type for one in self._watched.values()}
        return frozenset(types & {"image", "network", "volume", "secret"})

    @property
    def armed(self) -> bool:
        """Whether the kernel tells of containers."""
        return any(one.type == "container" for one in self._watched.values())

    @asynccontextmanager
    async def watch(
        self, prepare: Callable[[], Awaitable[Stores | None]]
    ) -> AsyncIterator[AsyncIterator[PodmanEvent]]:
        """Give the stream of signs; `prepare` is asked once where the stores are."""
        from asyncinotify import Inotify  # noqa: PLC0415

        with Inotify(sync_timeout=0) as inotify:
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
        self._add(_Watched(stores.secret_index, "secret", _CLOSE_WRITE | _DELETE_SELF))
        self._add(_Watched(stores.containers, "container", _REPLACED, "containers.json"))
        self._add(_Watched(stores.exits, "container", _REPLACED))

    def _arm_settings(self) -> None:
        for folder in containers_conf.folders():
            for one in (folder, folder / "containers.conf.d"):
                self._add(_Watched(one, SETTINGS, _WRITTEN, ".conf"))

    def _add(self, watched: _Watched) -> None:
        from asyncinotify import Mask  # noqa: PLC0415

        if watched.path in self._watched or self._inotify is None:
            return
        try:
            self._inotify.add_watch(watched.path, Mask(watched.mask))
        except OSError:
            return  # not there yet: what makes it is followed by an inventory
        self._watched[watched.path] = watched

    async def _changes(self, inotify: "Inotify") -> AsyncIterator[PodmanEvent]:
        settle = _SETTLE_SECONDS
        while True:
            self._take(await inotify.get())
            self._take_all(inotify)
            if not self._dirty:
                continue
            for event in self._tell(_AT_ONCE):
                yield event
            await anyio.sleep(settle)
            busy = self._take_all(inotify)
            settle = min(2 * settle, _LONGEST_SETTLE_SECONDS) if busy else _SETTLE_SECONDS
            if self._stores:
                self.arm(self._stores)  # the secrets' index may just have been made
            for event in self._tell(frozenset(self._dirty)):
                yield event

    def _take_all(self, inotify: "Inotify") -> bool:
        # Not `get()` with a deadline: what it has just read when it is cancelled is lost.
        any_event = False
        while (event := inotify.sync_get()) is not None:
            self._take(event)
            any_event = True
        return any_event

    def _take(self, event: "Event") -> None:
        """Note what an event means, and forget watches that have ended."""
        from asyncinotify import Mask  # noqa: PLC0415

        if Mask.Q_OVERFLOW in event.mask:
            for one in (*self.telling, "container"):
                self._dirty.setdefault(one, set())
            return
        watched = self._watched.get(event.watch.path) if event.watch else None
        if watched is None:
            return
        if Mask.IGNORED in event.mask:
            del self._watched[watched.path]
        name = str(event.name) if event.name else ""
        if not name or name.endswith(watched.ending):
            names = self._dirty.setdefault(watched.type, set())
            if name and watched.type in {"network", "volume"}:
                names.add(name.removesuffix(watched.ending))

    def _tell(self, types: frozenset[str]) -> list[PodmanEvent]:
        events = []
        for one in sorted(types & self._dirty.keys()):
            names = self._dirty.pop(one)
            for index in self._indexes.get(one, ()):
                changes = index.changes()
                names.update({""} if changes is None else changes)
            if one not in self._indexes and not names:
                names = {""}
            events += [PodmanEvent(type=one, name=name) for name in sorted(names)]
        return events
