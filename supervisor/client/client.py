"""The client for whoever waits for each answer."""

import os
import ssl

import msgspec

from supervisor.client import typed
from supervisor.client.exchange import Exchange
from supervisor.client.methods.orders import Orders
from supervisor.client.methods.questions import Questions
from supervisor.client.streams import Progress, Stream
from supervisor.client.typed import T


class Client(Questions, Orders):
    """Asks podvisor. Each request has a connection of its own: there is nothing to close.

    Without a `url` it asks the control socket, of this user's daemon or that at the path `socket`;
    with one (`http://127.0.0.1:9079`) the process of the page, with `token` for what it lets nobody
    else do. `timeout_seconds` is the longest that an answer may take to come, of streams to begin;
    None is for ever. `tls` replaces the system's certificates.

    Every method raises ApiError where podvisor refuses, and otherwise ClientError.
    """

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

    def _whole(self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]) -> T:
        with self._exchange(method, path, wish) as exchange:
            return typed.decoded(exchange.read(), reply)

    def _stream(
        self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]
    ) -> Stream[T]:
        return Stream(self._exchange(method, path, wish), reply)

    def _told(
        self, method: str, path: str, wish: msgspec.Struct | None, reply: type[T]
    ) -> Progress[T]:
        return Progress(self._exchange(method, path, wish), reply)

    def _exchange(self, method: str, path: str, wish: msgspec.Struct | None) -> Exchange:
        request = typed.request(self._place, method, path, wish)
        seconds = self._timeout_seconds
        return Exchange(self._place, request, timeout_seconds=seconds, tls=self._tls)
