"""Tell people what they have to know. Keys `notify:NAME`, one for each `[notify.NAME]`.

What is wrong, waits or has happened goes into an outbox in the ledger for each notifier
(`core.notify.outbox`); its key is armed for when that is due. A key of its own, so that a service
that is slow or down keeps nobody waiting.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import anyio
import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger, Messenger, Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.notify import outbox as box
from supervisor.core.notify.message import message_of, sample_message
from supervisor.core.notify.news import of_board, of_event, of_incidents
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.counters import NotifierCount
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import (
    Lasts,
    Message,
    News,
    NotifierList,
    NotifierStatus,
    NotifyResult,
    NotifyTest,
    Outbox,
)
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.status import AppState

_MOST_EVENTS = 1_000
"""Of those that were logged while nobody looked."""
_TICK_SECONDS = 0.01
_LAST_SECONDS = 5.0
"""What a message has that is under way when the daemon is stopped."""


class NotifyController(msgspec.Struct, kw_only=True):
    """One for all notifiers, made when there are some."""

    messenger: Messenger
    secrets: Secrets
    ledger: Ledger
    board: StatusBoard
    clock: Clock
    queue: WorkQueue
    settings: CurrentSettings
    _happened: list[tuple[int, News]] = []
    """Numbers of entries of the event log, and what they are news of."""
    _is_changed: bool = True
    _board_before: tuple[object, ...] = ()
    _has_caught_up: bool = False
    _busy: frozenset[str] = frozenset()
    """Apps of which something is over, and a pass goes on: it waits for that."""
    _sends: Counter[tuple[str, bool]] = msgspec.field(default_factory=Counter)
    """How many messages a notifier sent, and (False) how often it could not."""

    def heard(self, event: Event) -> None:
        """Take note of an entry of the event log."""
        if self._has_caught_up and (news := of_event(event)):
            self._happened.append((event.id, news))
            self._is_changed = True

    def changed(self) -> None:
        """Take note that something was opened or is over, or that the settings are other ones."""
        self._is_changed = True

    def follow(self) -> None:
        """Take into the outboxes what has changed, and arm the keys. Cheap if nothing has."""
        looks = self._looks()
        is_waited_for = all(map(self._is_busy, self._busy))
        if not self._is_changed and is_waited_for and looks == self._board_before:
            return
        self._is_changed, self._board_before = False, looks
        self._take_in()
        for name in self.settings.now.notify:
            self._arm(name)

    async def reconcile(self, name: str) -> None:
        """Send what is due, if it is still so. Raises what reading the URL and sending raise."""
        settings = self.settings.now.notify.get(name)
        if settings is None:
            return
        self._take_in()
        outbox, now = self._ripening(name), self.clock.now()
        due = box.due_at(outbox, settings, now)
        batch = box.batch(outbox, settings, now) if due and due <= now + _TICK_SECONDS else ()
        if batch:
            message = message_of(
                batch,
                host=_host(),
                left_out=outbox.left_out,
                open_now=[one for key, one in self._wrong().items() if key != _own(name)],
            )
            try:
                then = partial(self._sent, name, batch, message.title)
                await self._send(name, settings, message, then=then)
            except Failure as failure:
                self._failed(name, failure)
                raise type(failure)(f"cannot send: {failure}", failure.hint) from failure
        self._arm(name)

    async def test(self, name: str = "") -> NotifyTest:
        """Send a test message by one notifier, or by all. Raises Stalled if there is none."""
        known = self.settings.now.notify
        if name not in known and (name or not known):
            raise Stalled(
                f"no notifier named {name}" if name else "the settings name no notifier",
                hint=f"there are: {', '.join(known)}" if known else "add [notify.NAME]",
            )
        results = []
        for one in [name] if name else known:
            try:
                message = sample_message(one, host=_host())
                await self._send(one, known[one], message, then=partial(self._works, one))
            except Failure as failure:
                results.append(NotifyResult(name=one, failure=str(failure), hint=failure.hint))
                continue
            results.append(NotifyResult(name=one))
        return NotifyTest(results=tuple(results))

    def list(self) -> NotifierList:
        """How they stand."""
        return NotifierList(
            notifiers=tuple(self._status(*item) for item in self.settings.now.notify.items())
        )

    def counts(self) -> dict[str, NotifierCount]:
        """What each has done since the daemon began, and what waits."""
        return {name: self._count(name, self._outbox(name)) for name in self.settings.now.notify}

    def _count(self, name: str, outbox: Outbox) -> NotifierCount:
        return NotifierCount(
            sent=self._sends[name, True],
            failed=self._sends[name, False],
            waiting=len(outbox.waiting),
            failing=bool(outbox.failure),
        )

    def _status(self, name: str, settings: NotifySettings) -> NotifierStatus:
        outbox, now = self._outbox(name), self.clock.now()
        due = box.due_at(outbox, settings, now) or 0.0
        if due and (again := self.queue.due_in(Kind.NOTIFY.key(name))):
            due = max(due, now + again)
        return NotifierStatus(
            name=name,
            events=settings.events,
            apps=settings.apps,
            waiting=outbox.waiting,
            next_at=due,
            sent_at=outbox.sent_at,
            sent=outbox.sent,
            failure=outbox.failure,
            hint=outbox.hint,
            failing_since=outbox.failing_since,
        )

    # The outboxes

    def _outbox(self, name: str) -> Outbox:
        return self.ledger.get(Outbox, name) or Outbox()

    def _ripening(self, name: str) -> Outbox:
        """Return an outbox without what is over of apps that a pass goes on for.

        What it finds may be wrong again; it is told of when the pass has ended. Before the first
        one, that goes for whatever was wrong in the run before: it may be over by now.
        """
        outbox = self._outbox(name)
        if not self.board.has_looked:
            happened = tuple(one for one in outbox.waiting if one.lasts is Lasts.ONCE)
            return msgspec.structs.replace(outbox, waiting=happened)
        apps = {one.app for one in outbox.waiting if one.app and one.is_over}
        busy = frozenset(filter(self._is_busy, apps))
        self._busy = frozenset(filter(self._is_busy, self._busy)) | busy
        return box.without_ends(outbox, busy)

    def _is_busy(self, app: str) -> bool:
        return self.queue.is_busy(Kind.APP.key(app).__eq__)

    def _wrong(self) -> dict[str, News]:
        return of_incidents(self.ledger.all(Incident))

    def _looks(self) -> tuple[object, ...]:
        """Return what on the board is news when it changes."""
        board = self.board
        updates = tuple((one.name, one.updates) for one in board.apps.values() if one.updates)
        kept = tuple(one.name for one in board.apps.values() if one.state is AppState.KEPT)
        return updates, kept, tuple(board.proposals.items()), board.has_looked

    def _take_in(self) -> None:
        """Bring all outboxes up to date."""
        known = self.ledger.all(Outbox)
        if not self._has_caught_up:
            self._catch_up(known)
        happened, self._happened = self._happened, []
        now, board = self.clock.now(), self.board
        lasting = self._wrong()
        lasting |= {one.key: one for one in of_board(board.apps.values(), board.proposals)}
        with self.ledger.together():
            for name in known.keys() - self.settings.now.notify.keys():
                self.ledger.drop(Outbox, name)
                self.board.problems.pop(_problem_key(name), None)
            for name, settings in self.settings.now.notify.items():
                before = known.get(name, Outbox())
                after = box.noticed(
                    before,
                    settings,
                    # Its own trouble is for others to tell.
                    lasting={key: one for key, one in lasting.items() if key != _own(name)},
                    happened=[one for at, one in happened if not at or at > before.event_id],
                    apps=board.apps,
                    is_whole=board.has_looked,
                    now=now,
                )
                newest = max((number for number, _ in happened), default=0)
                after = msgspec.structs.replace(after, event_id=max(newest, after.event_id))
                if after != before or name not in known:
                    self.ledger.put(after, name)

    def _catch_up(self, known: dict[str, Outbox]) -> None:
        """Read what was logged since the outboxes were written last; show who fails."""
        self._has_caught_up = True
        numbers = [one.event_id for one in known.values() if one.event_id]
        query = EventQuery(after_id=min(numbers, default=0), limit=_MOST_EVENTS if numbers else 1)
        missed = self.ledger.events(query)
        newest = missed[-1].id if missed else 0
        for name in self.settings.now.notify:
            if not (outbox := known.get(name, Outbox())).event_id:
                known[name] = msgspec.structs.replace(outbox, event_id=newest)
                self.ledger.put(known[name], name)
            if outbox.failure:
                self._show(name, outbox)
        self._happened = [(one.id, news) for one in missed if (news := of_event(one))]

    def _arm(self, name: str) -> None:
        outbox, now = self._ripening(name), self.clock.now()
        key = Kind.NOTIFY.key(name)
        due = box.due_at(outbox, self.settings.now.notify[name], now)
        if due is None:
            self.queue.forget(key)
        elif not (outbox.failure and self.queue.due_in(key) is not None):
            # One that fails has a next try, however much waits.
            self.queue.add_in(key, max(0.0, due - now))

    # Sending

    async def _send(
        self, name: str, settings: NotifySettings, message: Message, *, then: Callable[[], None]
    ) -> None:
        """Send it, count that, and do that `then`."""
        try:
            await self._deliver(await self.secrets.read(settings.url), message, then=then)
        except Failure:
            self._sends[name, False] += 1
            raise
        self._sends[name, True] += 1

    async def _deliver(self, url: bytes, message: Message, *, then: Callable[[], None]) -> None:
        """Send it, and do that `then`.

        A message that is under way when the daemon is stopped has a moment to arrive and to be
        written down: it would come twice else.
        """
        failures: list[Failure] = []
        ended, scope = anyio.Event(), anyio.CancelScope(shield=True)

        async def work() -> None:
            with scope:
                try:
                    await self.messenger.send(url, message)
                except Failure as failure:
                    failures.append(failure)
                else:
                    then()
            ended.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            try:
                await ended.wait()
            finally:
                scope.deadline = anyio.current_time() + _LAST_SECONDS
        if failures:
            raise failures[0]

    def _sent(self, name: str, batch: Iterable[News], title: str) -> None:
        outbox = box.sent(self._outbox(name), batch, title=title, now=self.clock.now())
        self.ledger.put(outbox, name)
        self.board.problems.pop(_problem_key(name), None)
        self._is_changed = True  # some of it may be over by now

    def _works(self, name: str) -> None:
        """Take note that a test came through: what waits may go."""
        if (outbox := self._outbox(name)).failure:
            well = msgspec.structs.replace(outbox, failure="", hint="", failing_since=0.0)
            self.ledger.put(well, name)
            self.board.problems.pop(_problem_key(name), None)
            self.queue.add(Kind.NOTIFY.key(name))

    def _failed(self, name: str, failure: Failure) -> None:
        outbox = box.failed(self._outbox(name), str(failure), failure.hint, self.clock.now())
        self.ledger.put(outbox, name)
        self._show(name, outbox)

    def _show(self, name: str, outbox: Outbox) -> None:
        self.board.problems[_problem_key(name)] = Finding(
            message=f"{_problem_key(name)} cannot send: {outbox.failure}",
            hint=outbox.hint,
            command=f"podvisor notify test {name}",
            code=IncidentCode.NOTIFIER_FAILING,
            subject=name,
        )


def _problem_key(name: str) -> str:
    return f"notifier {name}"


def _own(name: str) -> str:
    """Return the key of the incident that is a notifier's own trouble."""
    return Incident(code=IncidentCode.NOTIFIER_FAILING, subject=name, text="").key


def _host() -> str:
    return os.uname().nodename
