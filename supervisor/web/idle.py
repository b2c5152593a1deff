"""Ends the process when nobody has asked for a while; the next who asks has systemd start it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from aiohttp import web


class Idle:
    """Counts who is being answered."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open = 0
        self._changed = asyncio.Event()
        self._since = asyncio.get_running_loop().time()

    @web.middleware
    async def counted(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Middleware."""
        with self.busy():
            return await handler(request)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Do not end meanwhile."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._since = asyncio.get_running_loop().time()
            self._changed.set()

    async def wait(self) -> None:
        """Return when nobody has been answered for so long; with 0 seconds, never."""
        while self._open or not self._seconds or self._left() > 0:
            left = self._left() if self._seconds and not self._open else None
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    def _left(self) -> float:
        return self._since + self._seconds - asyncio.get_running_loop().time()
