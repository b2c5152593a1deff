"""The client for whoever works meanwhile, with asyncio."""

import os
import ssl

import msgspec

from supervisor.client import typed
from supervisor.client.async_exchange import AsyncExchange
from supervisor.client.async_streams import AsyncProgress, AsyncStream
from supervisor.client.methods.async_orders import AsyncOrders
from supervisor.client.methods.async_questions import AsyncQuestions
from supervisor.client.typed import T


class AsyncClient(AsyncQuestions, AsyncOrders):
    """As `Client`. What waits can be cancelled at any moment; its connection ends with it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        socket: str | os.PathLike[str] | None = None,
        token: str = "",
        timeout_seconds: float | None = 60.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._place = typed.placed(url, socket, token)
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    async def _whole(
        self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]
    ) -> T:
        return typed.decoded(await self._exchange(method, path, wish).whole(), reply)

    def _stream(
        self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]
    ) -> AsyncStream[T]:
        return AsyncStream(self._exchange(method, path, wish), reply)

    def _told(
        self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]
    ) -> AsyncProgress[T]:
        return AsyncProgress(self._exchange(method, path, wish), reply)

    def _exchange(self, method: str, path: str, wish: msgspec.Struct | None) -> AsyncExchange:
        request = typed.request(self._place, method, path, wish)
        seconds = self._timeout_seconds
        return AsyncExchange(self._place, request, timeout_seconds=seconds, tls=self._tls)
