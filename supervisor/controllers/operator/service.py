"""What people ask of the daemon: its status, a plan, a sync, orders for apps, the event log.

Served to the outside by `api.control`; asks the queue and the controllers.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import nullcontext
from typing import TypeVar

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.controllers.apps.diff import Differ
from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.reconciler import AppController
from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.operator.reload import SettingsReloader
from supervisor.controllers.operator.status import NO_SOURCE, StatusService
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.controllers.sources.webhook_tester import WebhookTester
from supervisor.controllers.state.job_state import forgive
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.files.names import unknown_app
from supervisor.core.files.redact import without_values
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.events import Event
from supervisor.model.observed import RepairState, UnitState
from supervisor.model.plan import Plan
from supervisor.model.secret import SecretList
from supervisor.model.status import (
    AppState,
    AppStatus,
    History,
    OrderRequest,
    Reloaded,
    Status,
    SyncReply,
    SyncRequest,
)
from supervisor.model.webhook import WebhookTest

_PATIENCE_SECONDS = 1.0
"""How long whoever asks for the status waits for news of health; and how seldom the board is looked
at for whoever waits for a gate."""
_T = TypeVar("_T")
Tell = Callable[[Event | AppStatus], Awaitable[None]]
"""Hears every event, and of apps that are waited for, at what their trial is."""
Say = Callable[[Event | AppStatus], None]
_BACKLOG = 1_000
"""Entries that a slow reader may be behind; then it is cut off, and reads on from its last id."""


class ControlService:
    """One for the daemon."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        apps: AppController,
        images: ImageController,
        desired_state: DesiredState,
        reader: SourceReader,
        ledger: Ledger,
        overrides: AppActions,
        board: StatusBoard,
        clock: Clock,
        planning: Callable[[DesiredState], AppController],
        secrets: SecretController,
        new_desired_state: Callable[[], DesiredState],
        differ: Callable[[DesiredState], Differ],
        webhook_tester: WebhookTester,
        settings: SettingsReloader,
        statuses: StatusService,
    ) -> None:
        self._queue = queue
        self._apps = apps
        self._images = images
        self._desired_state = desired_state
        self._reader = reader
        self._ledger = ledger
        self._overrides = overrides
        self._board = board
        self._clock = clock
        self._planning = planning
        self._secrets = secrets
        self._new_desired_state = new_desired_state
        self._differ = differ
        self._webhook_tester = webhook_tester
        self._settings = settings
        self._statuses = statuses

    def status(self, app: str = "", *, units: Mapping[str, UnitState] | None = None) -> Status:
        """How everything (or one app) stands; see `StatusService`."""
        return self._statuses.status(app, units=units)

    async def look(self) -> Mapping[str, UnitState]:
        """Look at what may have changed unnoticed; see `StatusService`."""
        return await self._statuses.look()

    async def reload(self) -> Reloaded:
        """Read the settings anew."""
        return await self._settings.reload()

    async def test_webhook(self, source: str) -> WebhookTest:
        """Send a webhook of the source's kind to the listener. Raises Retry or Stalled."""
        return await self._webhook_tester.test(source, self._desired_state.settings)

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        """Read the sources, and work out what the daemon would do now; nothing is done.

        Raises Stalled for an app that is not there.
        """
        desired_state = self._new_desired_state()
        prune = self._all_sources() if prune_all else ()
        plan = await plan_now(
            desired_state, self._planning(desired_state), self._reader, apps, prune=prune
        )
        problems = (*self._settings.findings(), *plan.problems)
        return msgspec.structs.replace(plan, problems=problems)

    async def diff(self, request: DiffRequest) -> Diff:
        """Read the sources, and show what is installed beside what they hold; nothing is done.

        Raises Stalled for an app that is not there.
        """
        desired_state = self._new_desired_state()
        problems = await read_now(desired_state, self._reader)
        check_known(request.apps, await desired_state.deployments())
        apps = await self._differ(desired_state).diff(request.apps, units=request.units)
        return Diff(apps=apps, problems=tuple(problems))

    async def sync(self, request: SyncRequest, tell: Tell) -> SyncReply:
        """Read the sources now and bring the apps to what they say, through their gates.

        Raises Stalled for an app that is not there.
        """
        return await self._told(lambda say: self._sync(request, say), request.apps, tell)

    async def _told(
        self, work: Callable[[Say], Awaitable[None]], apps: Collection[str], tell: Tell
    ) -> SyncReply:
        """Do something of which `tell` hears; returns how the apps stand after it."""
        failure: Failure | None = None
        send, receive = anyio.create_memory_object_stream[Event | AppStatus](_BACKLOG)
        say = _into(send)
        stop = self._ledger.subscribe(say)

        async def hand_on() -> None:
            async for one in receive:
                await tell(one)

        with receive:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hand_on)
                try:
                    await work(say)
                except Failure as error:
                    failure = error
                finally:
                    stop()
                    send.close()
        if failure:
            raise failure
        status = self.status()
        chosen = frozenset(apps)
        return SyncReply(
            apps=tuple(one for one in status.apps if not chosen or one.name in chosen),
            sources=status.sources,
            problems=status.problems,
        )

    async def _sync(self, request: SyncRequest, say: Say) -> None:
        def awaited(key: str) -> bool:
            """Whether a pass for this key brings on what is asked for."""
            images = self._images.keys(request.apps)
            return key in images or key in self._apps.unfinished(request.apps)

        for name in request.apps:
            forgive(self._ledger, name)
        sources = tuple(self._desired_state.settings.sources)
        await self._queue.wait_for_pass(Kind.SOURCE.keys(sources))
        prune = self._all_sources() if request.prune_all else ()
        with self._desired_state.pruning(prune, request.apps) if prune else nullcontext():
            mark = self._queue.generation()
            known = await self._names()
            await self.check_names(request.apps)
            # A person who asks does not want to hear of backoffs.
            self._ledger.put_repairs(
                RepairState(unit=name)
                for name in self._ledger.repairs()
                if not request.apps or name in self._units(request.apps)
            )
            keys = Kind.APP.keys(request.apps or known)
            self._queue.add(*self._images.keys(request.apps))
            await self._queue.wait_for_pass(keys, since=mark)
            while self._queue.is_busy(awaited, bursts=False):
                await self._queue.wait_idle(awaited, bursts=False)
                await self._queue.wait_for_pass(keys)
            await self._settled(request.apps, say)

    async def _settled(self, apps: Collection[str], say: Say) -> None:
        """Wait until no gate of these apps (all, if empty), and of those before them, is open.

        And until systemd has started what it starts of them by itself, for as long as a start may
        take.
        """
        said: dict[str, str] = {}
        until = self._clock.now() + float(self._desired_state.settings.repair.start_timeout)
        while True:
            keys = set(Kind.APP.keys(apps or self._board.apps))
            keys |= self._apps.unfinished(apps)
            await self._queue.wait_idle(keys.__contains__, bursts=False)
            waiting = {
                Kind.APP.key(one.name): one
                for one in self._board.apps.values()
                if one.gate and one.state is AppState.CHANGING and Kind.APP.key(one.name) in keys
            }
            moves = any(
                Kind.APP.key(one.name) in keys and one.state is AppState.CHANGING and one.is_moving
                for one in self._board.apps.values()
            )
            for key, one in waiting.items():
                if said.get(key) != one.gate:
                    said[key] = one.gate
                    say(one)
            dues = [due for key in waiting if (due := self._queue.due_in(key)) is not None]
            if not waiting and moves and self._clock.now() < until:
                await anyio.sleep(_PATIENCE_SECONDS)  # its end is told, and brings a pass
                continue
            if not waiting or not (dues or self._queue.is_busy(keys.__contains__)):
                return  # what is left may come at any time, or never
            # The pass at which a gate looks again is armed already; others may come before it.
            seconds = min(dues, default=_PATIENCE_SECONDS)
            await anyio.sleep(min(seconds, _PATIENCE_SECONDS))
            if seconds <= _PATIENCE_SECONDS:
                await self._queue.wait_for_pass(waiting)

    async def suspend(self, order: OrderRequest) -> None:
        """Have apps left alone; see `AppActions`."""
        await self.check_names(order.apps)
        await self._overrides.suspend(order)

    async def resume(self, order: OrderRequest) -> None:
        """Have apps go on; see `AppActions`."""
        await self.check_names(order.apps)
        await self._overrides.resume(order)

    async def rollback(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Bring an app back to an older revision and hold it there; as `sync` else.

        Raises Stalled if there is none such.
        """

        async def work(say: Say) -> None:
            await self.check_names(order.apps)
            await self._overrides.roll_back(order.apps[0], order.revision, reason=order.reason)
            await self._settled(order.apps, say)

        return await self._told(work, order.apps, tell)

    async def history(self, app: str) -> History:
        """Revisions of an app that were tried here. Raises Stalled for an unknown app."""
        await self.check_names([app])
        return self._overrides.history(app)

    async def secrets(self) -> SecretList:
        """How all secrets stand. Raises Retry if Podman cannot be asked."""
        everything = await self._desired_state.deployments()
        return SecretList(secrets=await self._secrets.look(tuple(everything.values())))

    async def rotate(self, name: str) -> SyncReply:
        """Give a generated secret another value, and restart what uses it; tells how that is.

        Raises Stalled for any other secret.
        """
        everything = await self._desired_state.deployments()
        app = self._secrets.rotate(name, everything.values())
        users = [
            one
            for one, units in self._desired_state.known().items()
            if any(name in unit.secrets for unit in units)
        ]
        try:
            await self._queue.wait_for_pass([Kind.APP.key(app)])
            await self._queue.wait_for_pass(Kind.APP.key(one) for one in users if one != app)
        finally:
            made = name not in self._secrets.rotating
            self._secrets.rotating.discard(name)
        if not made:
            problem = self._board.problems.get(Kind.APP.key(app))
            hint = f"podvisor status {app} says why: {problem.message}" if problem else ""
            raise Stalled(f"cannot rotate {name}: app {app} cannot be changed now", hint=hint)
        apps = self.status().apps
        return SyncReply(apps=tuple(one for one in apps if one.name in {app, *users}))

    def _all_sources(self) -> frozenset[str]:
        """Sources of the settings, and those that some app still comes from."""
        held = {one.source for one in self._ledger.applied().values()}
        latest = self._desired_state.latest().values()
        held.update(one.last_good.source for one in latest if one.last_good)  # on trial as yet
        return frozenset((*self._desired_state.settings.sources, *held))

    async def _names(self) -> Collection[str]:
        try:
            return await self._desired_state.deployments()
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
        known = self._known()
        for name in apps:
            if name not in known:
                raise unknown_app(name, known, sources=self._desired_state.settings.sources)

    def check_logged(self, app: str) -> None:
        """Raise Stalled if an app is not known, and was not while the event log goes back."""
        known = self._known()
        if app not in known and not self._ledger.events(app=app, limit=1):
            raise unknown_app(app, known)

    def _known(self) -> frozenset[str]:
        return frozenset((*self._board.apps, *self._ledger.applied(), *self._desired_state.known()))

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
    desired_state: DesiredState,
    apps: AppController,
    reader: SourceReader,
    names: Collection[str],
    *,
    prune: Collection[str] = (),
) -> Plan:
    """Read the sources into `desired_state` and plan these apps (all, if empty).

    Those that left one of the sources in `prune` go, all of them too. Raises Stalled for an unknown
    app.
    """
    problems = await read_now(desired_state, reader)
    with desired_state.pruning(prune, names):
        everything = await apps.names()
        check_known(names, everything)
        plan = await apps.plan(names or everything)
    problems.extend(plan.problems)
    return msgspec.structs.replace(without_values(plan), problems=tuple(problems))


async def read_now(desired_state: DesiredState, reader: SourceReader) -> list[Finding]:
    """Read the sources into `desired_state`; one that cannot be read stands as it was stored."""
    problems = [] if desired_state.settings.sources else [NO_SOURCE]
    for name, settings in desired_state.settings.sources.items():
        try:
            snapshot = await reader.fetch(name, settings)
        except Failure as failure:
            hint = failure.hint
            problems.append(Finding(message=f"source {name}: {failure}", source=name, hint=hint))
            stored = await reader.stored(name)
            if stored is None:
                continue
            snapshot = stored
        desired_state.put(snapshot)
    return problems


def check_known(names: Collection[str], everything: Collection[str]) -> None:
    """Raise Stalled if one of these apps is not among all."""
    for name in names:
        if name not in everything:
            raise unknown_app(name, everything)


def _into(send: MemoryObjectSendStream[_T]) -> Callable[[_T], None]:
    """A listener that never blocks the writer: a reader that is too slow is cut off."""

    def put(one: _T) -> None:
        try:
            send.send_nowait(one)
        except anyio.WouldBlock:
            send.close()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass

    return put
