"""What people ask of the daemon: its status, a plan, a sync, the event log.

Served to the outside by `api.control`; asks the queue and the controllers.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.controllers.app import AppController
from supervisor.controllers.board import Board
from supervisor.controllers.desire import Desires
from supervisor.controllers.loop import Loop
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.controllers.webhook_test import WebhookTester
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.events import Event
from supervisor.model.observed import RepairState
from supervisor.model.plan import Plan
from supervisor.model.status import AppStatus, Status, SyncReply, SyncRequest
from supervisor.model.webhook import WebhookTest

_NO_SOURCE = Finding(
    message="the settings name no source, so there is nothing to deploy",
    hint="add [sources.NAME] with `git` or `folder`, then: systemctl --user reload podvisor",
    fatal=False,
)
_PATIENCE_SECONDS = 1.0
"""How long whoever asks for the status waits for news of health."""
_BACKLOG = 1_000
"""Entries that a slow reader may be behind; then it is cut off, and reads on from its last id."""


class Desk:
    """One for the daemon."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        loop: Loop,
        desires: Desires,
        reader: SourceReader,
        ledger: Ledger,
        board: Board,
        clock: Clock,
        planning: Callable[[Desires], AppController],
        new_desires: Callable[[], Desires],
        webhook_tester: WebhookTester,
    ) -> None:
        self._queue = queue
        self._loop = loop
        self._desires = desires
        self._reader = reader
        self._ledger = ledger
        self._board = board
        self._clock = clock
        self._planning = planning
        self._new_desires = new_desires
        self._webhook_tester = webhook_tester

    def status(self, app: str = "") -> Status:
        """How everything (or one app) stands."""
        for name, one in self._board.sources.items():
            due = self._queue.due_in(f"source:{name}")
            self._board.sources[name] = self._loop.with_next_poll(one, due)
        status = self._board.status(app)
        problems = status.problems
        if not self._desires.settings.sources:
            problems = (*problems, _NO_SOURCE)
        apps = tuple(self._with_next_pull(one) for one in status.apps)
        return msgspec.structs.replace(status, apps=apps, problems=problems)

    def _with_next_pull(self, app: AppStatus) -> AppStatus:
        keys = self._loop.waiting_images([app.name])
        dues = [due for key in keys if (due := self._queue.due_in(key)) is not None]
        at = self._clock.now() + min(dues) if dues else 0.0
        return msgspec.structs.replace(app, next_pull_at=at)

    async def look(self) -> None:
        """Have what may have changed unnoticed looked at first; not for longer than a moment."""
        if self._queue.due_in("health") is None:
            return
        apps = [f"app:{name}" for name in self._board.apps]
        idle = frozenset(key for key in apps if not self._queue.is_busy(key.__eq__))
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await self._queue.passed(["health"])
            await self._queue.rest(idle.__contains__)

    async def test_webhook(self, source: str) -> WebhookTest:
        """Send a webhook of the source's kind to the listener. Raises Retry or Stalled."""
        return await self._webhook_tester.test(source, self._desires.settings)

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        """Read the sources, and work out what the daemon would do now; nothing is done.

        Raises Stalled for an app that is not there.
        """
        desires = self._new_desires()
        if prune_all:
            desires.prune_allowed.update(self._all_sources())
        return await plan_now(desires, self._planning(desires), self._reader, apps)

    async def sync(
        self, request: SyncRequest, tell: Callable[[Event], Awaitable[None]]
    ) -> SyncReply:
        """Read the sources now and bring the apps to what they say; `tell` hears every event.

        Raises Stalled for an app that is not there.
        """
        failure: Failure | None = None
        send, receive = anyio.create_memory_object_stream[Event](_BACKLOG)
        stop = self._ledger.subscribe(_into(send))

        async def hand_on() -> None:
            async for event in receive:
                await tell(event)

        with receive:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hand_on)
                try:
                    await self._sync(request)
                except Failure as error:
                    failure = error
                finally:
                    stop()
                    send.close()
        if failure:
            raise failure
        status = self.status()
        chosen = frozenset(request.apps)
        return SyncReply(
            apps=tuple(one for one in status.apps if not chosen or one.name in chosen),
            sources=status.sources,
            problems=status.problems,
        )

    async def _sync(self, request: SyncRequest) -> None:
        sources = tuple(self._desires.settings.sources)
        if request.prune_all:
            self._desires.prune_allowed.update(self._all_sources())
            self._desires.invalidate()
        try:
            await self._queue.passed(f"source:{name}" for name in sources)
            mark = self._queue.mark()
            known = await self._names()
            await self.check_names(request.apps)
            # A person who asks does not want to hear of backoffs.
            self._ledger.put_repairs(
                RepairState(unit=name)
                for name in self._ledger.repairs()
                if not request.apps or name in self._units(request.apps)
            )
            keys = [f"app:{name}" for name in request.apps or known]
            self._queue.add(*self._loop.waiting_images(request.apps))
            await self._queue.passed(keys, since=mark)
            while self._queue.is_busy(self._loop.waiting_images(request.apps).__contains__):
                await self._queue.rest(self._loop.waiting_images(request.apps).__contains__)
                await self._queue.passed(keys)
        finally:
            self._desires.prune_allowed.clear()

    def _all_sources(self) -> frozenset[str]:
        """Sources of the settings, and those that some app still comes from."""
        held = (one.source for one in self._ledger.applied().values())
        return frozenset((*self._desires.settings.sources, *held))

    async def _names(self) -> Collection[str]:
        try:
            return await self._desires.deployments()
        except Failure:
            return ()  # the loop's own pass meets the same failure, and shows it

    def _units(self, apps: Collection[str]) -> frozenset[str]:
        return frozenset(
            unit
            for name, one in self._ledger.applied().items()
            if name in apps
            for unit in one.units
        )

    async def check_names(self, apps: Collection[str]) -> None:
        """Raise Stalled if one of these apps is not known, after the sources were read."""
        known = set(self._board.apps) | set(self._ledger.applied()) | set(self._desires.known())
        for name in apps:
            if name not in known:
                raise Stalled(f"no app named {name}", hint="podvisor status lists them")

    async def events(
        self, *, after_id: int, since: float, app: str, unit: str, limit: int, follow: bool
    ) -> AsyncGenerator[Event]:
        """Entries of the log, and those to come if `follow`."""
        send, receive = anyio.create_memory_object_stream[Event](_BACKLOG)
        stop = self._ledger.subscribe(_into(send)) if follow else None
        last = after_id
        try:
            for event in self._ledger.events(
                after_id=after_id, since=since, app=app, unit=unit, limit=limit
            ):
                last = event.id
                yield event
            if not follow:
                return
            async for event in receive:
                fits = (not app or event.app == app) and (not unit or event.unit == unit)
                if fits and not 0 < event.id <= last:
                    yield event
        finally:
            if stop:
                stop()
            send.close()
            receive.close()


async def plan_now(
    desires: Desires,
    apps: AppController,
    reader: SourceReader,
    names: Collection[str],
) -> Plan:
    """Read the sources into `desires` and plan these apps (all, if empty).

    A source that cannot be read stands as it was stored. Raises Stalled for an unknown app.
    """
    problems = [] if desires.settings.sources else [_NO_SOURCE]
    for name, settings in desires.settings.sources.items():
        try:
            snapshot = await reader.fetch(name, settings)
        except Failure as failure:
            hint = failure.hint if isinstance(failure, Stalled) else ""
            problems.append(Finding(message=f"source {name}: {failure}", source=name, hint=hint))
            stored = await reader.stored(name)
            if stored is None:
                continue
            snapshot = stored
        desires.put(snapshot)
    everything = await apps.names()
    unknown = [name for name in names if name not in everything]
    if unknown:
        known = ", ".join(everything) or "none"
        raise Stalled(f"no app named {unknown[0]}", hint=f"there are: {known}")
    plan = await apps.plan(names or everything)
    return msgspec.structs.replace(plan, problems=tuple(problems))


def _into(send: MemoryObjectSendStream[Event]) -> Callable[[Event], None]:
    """A listener that never blocks the writer: a reader that is too slow is cut off."""

    def put(event: Event) -> None:
        try:
            send.send_nowait(event)
        except anyio.WouldBlock:
            send.close()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass

    return put
