"""The event log, for whoever reads it, and goes on reading.

Part of `controllers.operator.service`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Events
from supervisor.model.errors import Failure
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.status import AppStatus

_T = TypeVar("_T")
Tell = Callable[[Event | AppStatus], Awaitable[None]]
"""Hears every event, and of apps that are waited for, at what their trial is, or how far a pull."""
Say = Callable[[Event | AppStatus], None]
_BACKLOG = 1_000
"""Entries that a slow reader may be behind; then it is cut off, and reads on from its last id."""


class EventLog(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the ledger, and hears of what it takes up."""

    ledger: Events
    names: AppNames

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        """Entries of the log, and those to come if it says so.

        Raises Stalled for an app that is not known, and was not while the log goes back.
        """
        if query.app:
            self.names.check_logged(query.app)
        return self._events(query)

    async def _events(self, query: EventQuery) -> AsyncGenerator[Event]:
        send, receive = anyio.create_memory_object_stream[Event](_BACKLOG)
        stop = self.ledger.subscribe(_into(send)) if query.follow else None
        last = query.after_id or 0
        try:
            for event in self.ledger.events(query):
                last = event.id
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
