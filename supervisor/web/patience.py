"""Hangs up on who connects and then dawdles, or comes too often: around each connection.

aiohttp waits for ever for the head of a request, and takes as many connections as come.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

_HEAD_SECONDS = 10.0
_MOST = 512
_FAREWELL_SECONDS = 60.0


class Patience:
    """Knows each connection on which nobody is being answered, and since when it waits."""

    def __init__(self, *, head_seconds: float = _HEAD_SECONDS, most: int = _MOST) -> None:
        self._head_seconds = head_seconds
        self._most = most
        self._open: set[asyncio.Transport] = set()
        self._waiting: dict[asyncio.Transport, asyncio.TimerHandle] = {}
        """In the order in which they began to."""
        self._leaving: dict[asyncio.Transport, asyncio.TimerHandle] = {}

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

    def came(self, transport: asyncio.Transport) -> None:
        """Take a connection, and for one too many hang up on whoever has waited longest."""
        self._open.add(transport)
        self._wait(transport)
        if len(self._open) > self._most:
            self._hang_up(next(iter(self._waiting), transport))

    def went(self, transport: asyncio.Transport) -> None:
        """Let go of one."""
        self._open.discard(transport)
        self._forget(transport)
        if timer := self._leaving.pop(transport, None):
            timer.cancel()

    def _wait(self, transport: asyncio.Transport) -> None:
        self._forget(transport)
        loop = asyncio.get_running_loop()
        self._waiting[transport] = loop.call_later(self._head_seconds, self._hang_up, transport)

    def _forget(self, transport: asyncio.Transport) -> None:
        if timer := self._waiting.pop(transport, None):
            timer.cancel()

    def _hang_up(self, transport: asyncio.Transport) -> None:
        self._forget(transport)
        transport.close()  # once what was answered is taken
        loop = asyncio.get_running_loop()
        self._leaving[transport] = loop.call_later(_FAREWELL_SECONDS, transport.abort)


class _Watched(asyncio.Protocol):
    """Hands everything on to the protocol within."""

    def __init__(self, within: asyncio.Protocol, patience: Patience) -> None:
        self._within = within
        self._patience = patience
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # of a stream
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
