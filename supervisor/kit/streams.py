"""Streams between tasks."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from anyio.streams.memory import MemoryObjectReceiveStream

_T = TypeVar("_T")


class DistinctQueue(asyncio.Queue[_T]):
    """An endless queue in which nothing waits twice."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002
        self._queue: dict[_T, None] = {}

    def _put(self, item: _T) -> None:
        self._queue[item] = None

    def _get(self) -> _T:
        first = next(iter(self._queue))
        del self._queue[first]
        return first

    async def __aiter__(self) -> AsyncIterator[_T]:
        """Yield all that comes."""
        while True:
            yield await self.get()


async def batches(receive: MemoryObjectReceiveStream[_T]) -> AsyncIterator[list[_T]]:
    """Yield what has come by each time that somebody asks."""
    with receive:
        async for first in receive:
            waiting = receive.statistics().current_buffer_used
            yield [first, *(receive.receive_nowait() for _ in range(waiting))]
