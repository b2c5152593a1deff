"""Answers that come line by line, for whoever works meanwhile."""

from collections.abc import AsyncIterator
from typing import Generic, Self

from supervisor.client import typed
from supervisor.client.async_exchange import AsyncExchange
from supervisor.client.errors import Disconnected
from supervisor.client.typed import R, T, Told


class AsyncStream(Generic[T]):
    """Entries as they come: an async iterator; whoever leaves it early uses `async with`.

    The request is sent when the first one is waited for.
    """

    def __init__(self, exchange: AsyncExchange, kind: type[T]) -> None:
        self._lines = exchange.lines()
        self._kind = kind

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        line = await anext(self._lines)
        try:
            return typed.decoded(line, self._kind)
        except Exception:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Hang up."""
        await self._lines.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class AsyncProgress(Generic[R]):
    """An order: what is done, as it is done, and then its reply.

    It is sent when the first of that, or `result`, is waited for; whoever leaves it early uses
    `async with`. What was ordered is done, whether anybody waits for its end or not.
    """

    def __init__(self, exchange: AsyncExchange, reply: type[R]) -> None:
        self._lines = exchange.lines()
        self._order = typed.Order(reply)

    def __aiter__(self) -> AsyncIterator[Told]:
        return self

    async def __anext__(self) -> Told:
        try:
            while not (told := self._order.take(await anext(self._lines))):
                pass
        except Exception:
            await self.aclose()
            raise
        return told

    async def result(self) -> R:
        """Send it, if need be, wait for the end, and return the reply."""
        try:
            async for _ in self:
                pass
        finally:
            await self.aclose()
        if self._order.reply is None:
            raise Disconnected("podvisor hung up before it was done", typed.WHAT_NOW)
        return self._order.reply

    async def aclose(self) -> None:
        """Hang up."""
        await self._lines.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
