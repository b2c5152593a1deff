"""A server for whoever may come: `server`'s requests, with limits that nobody can outlast.

When all places are taken, who has dawdled longest is cut off, of the address that takes up most
places: a sender that is well-behaved is gone in milliseconds, so it is never that one. When bodies
take up too much memory together, the largest is cut off.
"""

import asyncio
import contextlib
import math
import socket
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from supervisor.kit.http.server import Request, accept

_QUEUE = 1_024
_CHUNK = 64 << 10


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender is given."""

    places: int = 64
    seconds: float = 10.0
    """For a request, from the connection to the answer."""
    dawdling_seconds: float = 1.0
    """Who is not done by then may have to give way."""
    largest_head: int = 16 << 10
    memory: int = 8 << 20
    """For all bodies together, each as far as it has come."""
    farewell_seconds: float = 2.0
    """To take in what is still being sent when the answer is out: else it would not arrive."""


class _Visit(msgspec.Struct, eq=False):
    """A connection that was taken."""

    connection: socket.socket
    request: Request
    peer: str
    began: float = msgspec.field(default_factory=anyio.current_time)
    scope: anyio.CancelScope = msgspec.field(default_factory=anyio.CancelScope)


class LimitedServer(msgspec.Struct):
    """Takes connections on a listener until cancelled."""

    handler: Callable[[Request, str], Awaitable[None]]
    """Gets each request and its peer once its head was read."""
    limits: Limits
    on_slow: Callable[[Request, str], None]
    """Hears of those that were cut off, or broke off."""
    _visits: dict[_Visit, None] = {}
    """In the order in which they came."""
    _left: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    async def serve(self, listener: socket.socket) -> None:
        """Take connections, each with a task of its own; `listener` does not block."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._place()
                connection, address = await accept(listener)
                request = Request(connection, largest_head=self.limits.largest_head)
                request.on_held = self._weigh
                visit = _Visit(connection, request, address[0])
                self._visits[visit] = None
                tasks.start_soon(self._serve_one, visit)

    async def _place(self) -> None:
        """Wait until there is a place, and make one if that takes too long."""
        while len(self._visits) >= self.limits.places:
            self._left.clear()
            reading = [visit for visit in self._visits if not visit.request.is_read]
            crowd = Counter(visit.peer for visit in reading)
            oldest = max(reading, key=lambda visit: crowd[visit.peer], default=None)
            patience = math.inf
            if oldest is not None:
                patience = oldest.began + self.limits.dawdling_seconds - anyio.current_time()
            with anyio.move_on_after(patience):
                await self._left.wait()
                continue
            if oldest is not None:
                oldest.scope.cancel()
                await self._left.wait()

    def _weigh(self) -> None:
        """Cut off the largest body, if all are too large together."""
        if sum(visit.request.held for visit in self._visits) > self.limits.memory:
            max(self._visits, key=lambda visit: visit.request.held).scope.cancel()

    async def _serve_one(self, visit: _Visit) -> None:
        with visit.connection:
            try:
                with visit.scope:
                    visit.scope.deadline = visit.began + self.limits.seconds
                    await self._answer(visit)
                if visit.scope.cancelled_caught:
                    self.on_slow(visit.request, visit.peer)
            finally:
                del self._visits[visit]
                self._left.set()

    async def _answer(self, visit: _Visit) -> None:
        is_gone = not await visit.request.serve(lambda one: self.handler(one, visit.peer))
        if is_gone:
            self.on_slow(visit.request, visit.peer)
        elif not visit.request.is_read:
            await self._bid_farewell(visit.connection)

    async def _bid_farewell(self, connection: socket.socket) -> None:
        """Let the answer arrive: to close with bytes unread would take it back."""
        loop = asyncio.get_running_loop()
        with anyio.move_on_after(self.limits.farewell_seconds), contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(connection, _CHUNK):
                pass


def listen(address: str, port: int) -> socket.socket:
    """Listen on a numerical address; `::` takes IPv4 as well. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        listener.bind((address, port))
        listener.listen(_QUEUE)
    except OSError:
        listener.close()
        raise
    return listener
