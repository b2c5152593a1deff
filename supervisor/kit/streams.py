"""Streams between tasks."""

from collections.abc import AsyncIterator
from typing import TypeVar

from anyio.streams.memory import MemoryObjectReceiveStream

_T = TypeVar("_T")


async def batches(receive: MemoryObjectReceiveStream[_T]) -> AsyncIterator[list[_T]]:
    """Yield what has come by each time that somebody asks."""
    with receive:
        async for first in receive:
            waiting = receive.statistics().current_buffer_used
            yield [first, *(receive.receive_nowait() for _ in range(waiting))]
