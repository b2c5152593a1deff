"""What the methods need of their client, for each way in which an endpoint answers."""

from abc import ABC, abstractmethod

import msgspec

from supervisor.client.async_streams import AsyncProgress, AsyncStream
from supervisor.client.typed import T

_Wish = msgspec.Struct | None
"""What is asked with; None where nothing can be said."""


class AsyncAsking(ABC):
    """Its client lets others work meanwhile."""

    @abstractmethod
    async def _whole(self, method: str, path: str, wish: _Wish, reply: type[T]) -> T: ...

    @abstractmethod
    def _stream(self, method: str, path: str, wish: _Wish, reply: type[T]) -> AsyncStream[T]: ...

    @abstractmethod
    def _told(self, method: str, path: str, wish: _Wish, reply: type[T]) -> AsyncProgress[T]: ...
