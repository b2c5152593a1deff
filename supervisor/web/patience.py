"""Hangs up on who connects and then dawdles, or comes too often: around each connection.

aiohttp waits for ever for the head of a request, and takes as many connections as come.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

_HEAD_SECONDS = 10.0
_MOST = 512


class Patience:
    """Knows each connection on which nobody is being answered, and since when it waits."""

    def __init__(self, *, head_seconds: float = _HEAD_SECONDS, most: int = _MOST) -> None:
        self._head_seconds = head_seconds
        self._most = most
        self._open: set[asyncio.BaseTransport] = set()
        self._waiting: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        """In the order in which they began to."""

    def around(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return what makes a protocol that is watched."""
        return lambda: _Watched(make(), self)

    @web.middleware
    async def answering(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Middleware: whose request has come may wait for its answer."""
        transport = request.transport
        if transport is not None:
            self._forget(transport)
        try:
            return await handler(request)
        finally:
            if transport is not None and transport in self._open:
                self._wait(transport)

    def came(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, and for one too many hang up on whoever has waited longest."""
        self._open.add(transport)
        self._wait(transport)
        if len(self._open) > self._most:
            self._hang_up(next(iter(self._waiting), transport))

    def went(self, transport: asyncio.BaseTransport) -> None:
        """Let go of one."""
        self._open.discard(transport)
        self._forget(transport)

    def _wait(self, transport: asyncio.BaseTransport) -> None:
        self._forget(transport)
        loop = asyncio.get_running_loop()
        self._waiting[transport] = loop.call_later(self._head_seconds, self._hang_up, transport)

    def _forget(self, transport: asyncio.BaseTransport) -> None:
        if timer := self._waiting.pop(transport, None):
            timer.cancel()

    def _hang_up(self, transport: asyncio.BaseTransport) -> None:
        self._forget(transport)
        transport.close()


class _Watched(asyncio.Protocol):
    """Hands everything on to the protocol within."""

    def __init__(self, within: asyncio.Protocol, patience: Patience) -> None:
        self._within = within
        self._patience = patience
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._within.connection_made(transport)
        self._patience.came(transport)

    def data_received(self, data: bytes) -> None:
        self._within.data_received(data)

    def eof_received(self) -> Any:
        return self._within.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._patience.went(self._transport)
        self._within.connection_lost(error)

    def pause_writing(self) -> None:
        self._within.pause_writing()

    def resume_writing(self) -> None:
        self._within.resume_writing()
