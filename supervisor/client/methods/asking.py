"""What the methods need of their client, for each way in which an endpoint answers."""

from abc import ABC, abstractmethod

import msgspec

from supervisor.client.streams import Progress, Stream
from supervisor.client.typed import T

_Wish = msgspec.Struct | None
"""What is asked with; None where nothing can be said."""


class Asking(ABC):
    """Its client waits."""

    @abstractmethod
    def _whole(self, method: str, path: str, wish: _Wish, reply: type[T]) -> T: ...

    @abstractmethod
    def _stream(self, method: str, path: str, wish: _Wish, reply: type[T]) -> Stream[T]: ...

    @abstractmethod
    def _told(self, method: str, path: str, wish: _Wish, reply: type[T]) -> Progress[T]: ...
