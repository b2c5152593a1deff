"""Podman's events, from the cheapest place that works; at rest nothing is followed.

The kernel tells of changes in Podman's stores (`watch`), which mostly say themselves what changed;
for containers, the log that `event_source` found is read then (`readers`). Only where no log can
be read, Podman's API is held open (`stream`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from supervisor.adapters.podman.api import Api
from supervisor.adapters.podman.event_source import Source, choose
from supervisor.adapters.podman.events import SELF_TEST
from supervisor.adapters.podman.info import PodmanInfo
from supervisor.adapters.podman.readers import Reader
from supervisor.adapters.podman.stores import Stores
from supervisor.adapters.podman.stream import follow
from supervisor.adapters.podman.watch import ENDED, SETTINGS, StoreWatch
from supervisor.kit.streams import DistinctQueue
from supervisor.model.errors import Failure
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus

_READS_AFTER_SECONDS = (
    0.1,  # Podman writes its store first, and its log then
    0.7,  # on a busy machine, or more of the same
    3.0,  # if nothing came at all, or not what was announced
)
_SOME_CONTAINER = PodmanEvent(type="container")
_MOST_WAITING = 1_000
"""Of further events the types alone are told; further ends are not awaited."""
_SETTINGS_SETTLE_SECONDS = 8.0
"""A Podman service that still runs goes on by the old settings; it ends 5 s after its last use."""


class _Ends(msgspec.Struct):
    """Ends of containers of which the kernel told and the log did not yet, or the other way round.

    What a busy machine logs too late, nobody would read: no other sign comes.
    """

    unlogged: set[str] = set()
    _logged: set[str] = set()
    """Read before the sign came, while something else was waited for."""
    _logged_before: set[str] = set()
    """The same, of the time until all had been read: signs wait until a burst is over."""

    def announced(self, container: str) -> None:
        """The kernel told."""
        for logged in (self._logged, self._logged_before):
            if container in logged:
                logged.remove(container)
                return
        if len(self.unlogged) < _MOST_WAITING:
            self.unlogged.add(container)

    def logged(self, event: PodmanEvent) -> None:
        """The log tells something, of whatever."""
        if event.id in self.unlogged and event.action in {"died", "remove"}:
            self.unlogged.remove(event.id)
        elif event.action == "died" and len(self._logged) < _MOST_WAITING:
            self._logged.add(event.id)

    def forget(self) -> None:
        """All has been read; what comes now is of what happens from now on, or just before."""
        self.unlogged.clear()
        self._logged_before, self._logged = self._logged, set()


class EventWatch(msgspec.Struct, kw_only=True):
    """One for the daemon: a task takes signs, another chooses a source and reads it."""

    api: Api
    info: PodmanInfo
    runtime: Path
    signs: StoreWatch
    _source: Source | None = None
    _stream: anyio.CancelScope | None = None
    _news: DistinctQueue[PodmanEvent] = msgspec.field(default_factory=DistinctQueue)
    _wake: anyio.Event = msgspec.field(default_factory=anyio.Event)
    _in_doubt: bool = False
    """Whether the source is to be chosen anew."""
    _announced: bool = False
    """Whether something happened to a container that was not read yet."""
    _ends: _Ends = msgspec.field(default_factory=_Ends)

    @asynccontextmanager
    async def watch(
        self,
        prepare: Callable[[], Awaitable[Stores | None]],
        show: Callable[[WatchStatus], None],
    ) -> AsyncIterator[AsyncIterator[PodmanEvent]]:
        """Give the stream of events. `prepare` finds the stores, `show` hears each choice."""
        async with self.signs.watch(prepare) as signs, anyio.create_task_group() as tasks:
            self._source = None
            tasks.start_soon(self._heed, signs, tasks)
            tasks.start_soon(self._work, show, tasks)
            self._doubt()
            yield aiter(self._news)
            tasks.cancel_scope.cancel()

    def recheck(self) -> None:
        """Choose anew if what was chosen is not as good as can be; cheap otherwise."""
        if self._source and self._source.reader:
            self._announce()
        else:
            self._doubt()

    def _put(self, event: PodmanEvent) -> None:
        if event.name == SELF_TEST:
            return
        if self._news.qsize() >= _MOST_WAITING:
            event = PodmanEvent(type=event.type)
        self._news.put_nowait(event)

    def _put_unless_told(self, event: PodmanEvent) -> None:
        """A store that tells by itself does so earlier, and only of what really changed."""
        if event.type not in self.signs.telling:
            self._put(event)

    def _doubt(self) -> None:
        self._in_doubt = True
        self._wake.set()

    def _announce(self) -> None:
        self._announced = True
        self._wake.set()

    async def _heed(self, signs: AsyncIterator[PodmanEvent], tasks: TaskGroup) -> None:
        async for sign in signs:
            if sign.type == SETTINGS:
                tasks.start_soon(self._doubt_after, _SETTINGS_SETTLE_SECONDS)
            elif sign.type == ENDED:
                if not (self._source and self._source.stream_since):  # which no log is read beside
                    self._ends.announced(sign.name)
                self._announce()
            elif sign.type == "container":
                self._announce()
            else:
                self._put(sign)

    async def _doubt_after(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._doubt()

    async def _work(self, show: Callable[[WatchStatus], None], tasks: TaskGroup) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            if self._in_doubt:
                self._in_doubt = False
                await self._choose(show, tasks)
            if self._source and self._announced and not self._source.stream_since:
                self._announced = False
                try:
                    await self._read(self._source.reader)
                except Failure:
                    self._put(_SOME_CONTAINER)
                    self._doubt()
                if not self._announced:
                    self._ends.forget()

    async def _choose(self, show: Callable[[WatchStatus], None], tasks: TaskGroup) -> None:
        before = self._source
        source = await choose(self.api, self.info, runtime=self.runtime, signs=self.signs.armed)
        if before and before.stream_since and source.stream_since:
            return  # goes on as it is
        if before and self._announced:
            self._put(_SOME_CONTAINER)  # it may stand where nobody reads any more
        if before or source.stream_since:
            self._ends.forget()
        if self._stream:
            self._stream.cancel()
        self._source = source
        if source.stream_since:
            self._stream = anyio.CancelScope()
            tasks.start_soon(self._follow, source.stream_since, self._stream)
        show(source.status)

    async def _follow(self, since_ns: int, scope: anyio.CancelScope) -> None:
        with scope:
            await follow(self.api, since_ns, self._put_unless_told)

    async def _read(self, reader: Reader | None) -> None:
        """Read what the sign announced, and what may come a little later."""
        if reader is None:
            self._put(_SOME_CONTAINER)
            return
        came = False
        for seconds in _READS_AFTER_SECONDS:
            await anyio.sleep(seconds)
            for event in await reader.read():
                came = True
                self._ends.logged(event)
                self._put_unless_told(event)
            if came and not self._ends.unlogged and seconds == _READS_AFTER_SECONDS[1]:
                return
        if self._ends.unlogged:
            self._put(_SOME_CONTAINER)
