"""Podman's events, from the cheapest place that works: signs wake, readers tell.

At rest nothing is followed. The kernel tells of changes in Podman's stores (`watch`), most of which
say themselves what changed; for containers, the log that `choice` found is read then (`readers`).
Only where no log can be read, Podman's API is held open (`stream`). Used by `client`.

Tasks, for as long as someone listens:

| task | in | out |
| --- | --- | --- |
| signs | inotify | events; reasons to read; doubts about the choice |
| reading | reasons to read | events |
| choosing | doubts | the choice, told to whoever shows it; the stream, if it is chosen |
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from supervisor.adapters.podman.api import Api
from supervisor.adapters.podman.event_source import Choice, choose, no_choice
from supervisor.adapters.podman.events import SELF_TEST, TYPES
from supervisor.adapters.podman.readers import Reader
from supervisor.adapters.podman.stores import Stores
from supervisor.adapters.podman.stream import EventStream
from supervisor.adapters.podman.watch import SETTINGS, StoreWatch
from supervisor.model.errors import Failure, Retry
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus

_READS_AFTER_SECONDS = (
    0.1,  # Podman writes its store first, and its log then
    0.7,  # on a busy machine, or more of the same
    3.0,  # if nothing came at all
)
_SOME_CONTAINER = PodmanEvent(type="container")
_MOST_PENDING = 1_000
"""Beyond that many different events the types alone are told."""
_SETTINGS_SETTLE_SECONDS = 8.0
"""A Podman service that still runs goes on by the old settings; it ends 5 s after its last use."""


class EventWatch:
    """One for the daemon."""

    def __init__(self, api: Api, *, runtime: Path, signs: StoreWatch) -> None:
        self._api = api
        self._runtime = runtime
        self._signs = signs
        self._choice: Choice | None = None
        self._pending: dict[PodmanEvent, None] = {}
        self._news = anyio.Event()
        self._announced = False
        """Whether something happened to a container that was not read yet."""
        self._wake_reading = anyio.Event()
        self._wake_choosing = anyio.Event()
        self._settings_changed = False

    @asynccontextmanager
    async def watch(
        self,
        prepare: Callable[[], Awaitable[Stores | None]],
        show: Callable[[WatchStatus], None],
    ) -> AsyncIterator[AsyncIterator[PodmanEvent]]:
        """Give the stream of events. `prepare` finds the stores, `show` hears each choice."""
        async with (
            self._signs.watch(prepare) as signs,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._heed, signs)
            tasks.start_soon(self._read_when_needed)
            tasks.start_soon(self._choose_when_needed, show)
            self._wake_choosing.set()
            yield self._told()
            tasks.cancel_scope.cancel()

    def recheck(self) -> None:
        """Choose anew if what was chosen is not as good as can be; cheap otherwise."""
        if self._choice is None or self._choice.reader is None:
            self._wake_choosing.set()
        else:
            self._wake_reading.set()

    async def _told(self) -> AsyncIterator[PodmanEvent]:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            while self._pending:
                event = next(iter(self._pending))
                del self._pending[event]
                yield event

    def _put(self, event: PodmanEvent) -> None:
        if event.name == SELF_TEST:
            return
        if len(self._pending) >= _MOST_PENDING:
            types = {one.type for one in (*self._pending, event)}
            self._pending = {PodmanEvent(type=one): None for one in sorted(types)}
        else:
            self._pending[event] = None
        self._news.set()

    async def _heed(self, signs: AsyncIterator[PodmanEvent]) -> None:
        async for sign in signs:
            if sign.type == SETTINGS:
                self._settings_changed = True
                self._wake_choosing.set()
            elif sign.type == "container":
                self._announced = True
                self._wake_reading.set()
            else:
                self._put(sign)

    async def _read_when_needed(self) -> None:
        while True:
            await self._wake_reading.wait()
            self._wake_reading = anyio.Event()
            if self._choice is None or self._choice.streamed:
                continue  # it is being chosen, and read then; or all is told without reading
            announced, self._announced = self._announced, False
            try:
                if self._choice.reader:
                    await self._read(self._choice.reader)
                elif announced:
                    self._put(_SOME_CONTAINER)
            except Failure:
                self._put(_SOME_CONTAINER)
                self._wake_choosing.set()

    async def _read(self, reader: Reader) -> None:
        """Read what the sign announced, and what may come a little later."""
        came = False
        for seconds in _READS_AFTER_SECONDS:
            await anyio.sleep(seconds)
            news = await reader.read()
            came = came or bool(news.events)
            for event in news.events:
                self._put_unless_told(event)
            if news.lost:
                for one in sorted(TYPES):
                    self._put(PodmanEvent(type=one))
            if came and seconds == _READS_AFTER_SECONDS[1]:
                return

    def _put_unless_told(self, event: PodmanEvent) -> None:
        """A store that tells by itself does so earlier, and only of what really changed."""
        if event.type not in self._signs.telling:
            self._put(event)

    async def _choose_when_needed(self, show: Callable[[WatchStatus], None]) -> None:
        async with anyio.create_task_group() as tasks:
            stream: anyio.CancelScope | None = None
            while True:
                await self._wake_choosing.wait()
                self._wake_choosing = anyio.Event()
                if self._settings_changed:
                    self._settings_changed = False
                    await anyio.sleep(_SETTINGS_SETTLE_SECONDS)
                try:
                    choice = await choose(self._api, runtime=self._runtime, signs=self._signs.armed)
                except Retry as failure:
                    choice = no_choice(str(failure))
                if choice.streamed and stream and self._choice and self._choice.streamed:
                    continue  # goes on as it is
                if stream:
                    stream.cancel()
                    stream = None
                self._choice = choice
                if choice.streamed:
                    stream = anyio.CancelScope()
                    tasks.start_soon(self._stream, choice.since_ns, stream)
                if self._announced:
                    self._wake_reading.set()
                show(choice.status)

    async def _stream(self, since_ns: int, scope: anyio.CancelScope) -> None:
        with scope:
            await EventStream(self._api, since_ns=since_ns).follow(self._put_unless_told)
