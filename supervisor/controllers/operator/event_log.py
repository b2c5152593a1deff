"""The event log, for whoever reads it, and goes on reading.

Part of `controllers.operator.service`.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import msgspec
from anyio.streams.memory import MemoryObjectSendStream
from msgspec.structs import replace

from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Events
from supervisor.core.status.event_codes import check_code
from supervisor.model.errors import Failure
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.status import AppStatus

_T = TypeVar("_T")
Tell = Callable[[Event | AppStatus], Awaitable[None]]
"""Hears every event, and of apps that are waited for, at what their trial is, or how far a pull."""
Say = Callable[[Event | AppStatus], None]
_PAGE = 100
"""Entries that are read at once: some milliseconds, with what is made of them."""
_BACKLOG = 1_000
"""Entries that a slow reader may be behind; then it is cut off, and reads on from its last id."""

_NEWEST = EventQuery(limit=1)


class EventLog(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the ledger, and hears of what it takes up."""

    ledger: Events
    names: AppNames

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        """Entries of the log, and those to come if it says so.

        After one that the log does not hold yet, it is another log, which was lost or put back
        from a copy: that is read from its beginning. Raises Stalled for an app or a unit that is
        not known, and was not while the log goes back, and for a code that no entry can have.
        """
        check_code(query.code or "")
        if query.unit:
            self.names.check_logged_unit(query.unit)
        if query.app:
            self.names.check_logged(query.app)
        return self._events(query)

    async def _events(self, query: EventQuery) -> AsyncGenerator[Event]:
        if query.after_id and query.after_id > self.ledger.first_of_newest(_NEWEST):
            query = replace(query, after_id=0)
        send, receive = anyio.create_memory_object_stream[Event](_BACKLOG)
        stop = self.ledger.subscribe(_into(send)) if query.follow else None
        last = query.after_id or 0
        try:
            async for event in self._logged(query):
                last = event.id or last
                yield event
            if not query.follow:
                return
            async for event in receive:
                if query.fits(event) and not 0 < event.id <= last:
                    yield event
        finally:
            if stop:
                stop()
            send.close()
            receive.close()

    async def _logged(self, query: EventQuery) -> AsyncIterator[Event]:
        """Entries that there are; of many a page at a time, between which others get their turn."""
        if 0 < query.limit <= _PAGE:
            for event in self.ledger.events(query)[: query.limit]:
                yield event
            return
        after, left = query.after_id or 0, query.limit or math.inf
        if query.limit and not query.goes_forward:
            after = max(after, self.ledger.first_of_newest(query) - 1)
        while left > 0:
            limit = int(min(left, _PAGE))
            page = replace(query, after_id=after, follow=False, limit=limit)
            found = self.ledger.events(page)
            for event in found:
                yield event
            # What is not written yet has no number, and comes last.
            if len(found) < limit or not found[-1].id:
                return
            after, left = found[-1].id, left - len(found)
            await anyio.lowlevel.checkpoint()

    async def tell_of(self, work: Callable[[Say], Awaitable[None]], tell: Tell) -> None:
        """Do something of which `tell` hears, with what it says itself; raises what it raises.

        That it was ordered, whoever listens knows.
        """
        failure: Failure | None = None
        send, receive = anyio.create_memory_object_stream[Event | AppStatus](_BACKLOG)
        say = _into(send)
        stop = self.ledger.subscribe(say)

        async def hand_on() -> None:
            async for one in receive:
                if not isinstance(one, Event) or one.kind is not EventKind.ORDERED:
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
