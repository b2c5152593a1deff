"""A small HTTP/1.1 server: one request on each connection, then it hangs up.

Whoever may connect is trusted with what the handler offers, but not to be well-behaved: requests
have limits. For those who are not trusted at all, `public_server` has stricter ones.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import h11

_REQUEST_SECONDS = 30.0
_LARGEST_HEAD = 32 << 10
_OK = 200
_CHUNK = 64 << 10
_BREATH_SECONDS = 1.0
"""Before the next try, when no connection can be taken (too many files are open)."""

log = logging.getLogger(__name__)


class Gone(Exception):
    """The client hung up, or was never well-behaved."""


class TooLarge(ValueError):
    """The body is larger than it may be."""


class Request:
    """A request, and the way to answer it: `reply` once, or `begin` and then `write`."""

    def __init__(self, connection: socket.socket, *, largest_head: int = _LARGEST_HEAD) -> None:
        self._connection = connection
        self._state = h11.Connection(h11.SERVER, max_incomplete_event_size=largest_head)
        self.method = ""
        self.path = ""
        self.query: Mapping[str, str] = {}
        self.headers: Mapping[str, str] = {}
        """Names in small letters; doubled ones with a comma between their values."""
        self.is_begun = False
        """Whether anything of it has come."""
        self.held = 0
        """Bytes of the body that are in memory."""
        self.on_held: Callable[[], None] = lambda: None
        """Called when there are more of them."""

    async def serve(self, handler: Callable[["Request"], Awaitable[None]]) -> bool:
        """Read its head and have it answered; whether the client was there all the time."""
        try:
            await self._read_head()
            await handler(self)
            await self._end()
        except Gone:
            return False
        except Exception:
            # A defect in one answer must not take the daemon down.
            log.exception("a request for %r failed", self.path)
        return True

    async def _read_head(self) -> None:
        head = await self._next_event()
        if not isinstance(head, h11.Request) or head.method == b"CONNECT":
            raise Gone  # nor is this a proxy
        try:
            target = urlsplit(head.target.decode("ascii"))
        except ValueError as error:
            raise Gone from error
        self.method = head.method.decode("ascii")
        self.path = target.path
        self.query = dict(parse_qsl(target.query))
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers

    async def read(self, *, limit: int) -> bytes:
        """Read the body. Raises Gone, or TooLarge."""
        # What it says of itself is not believed, but saves reading it.
        if int(self.headers.get("content-length", "0")) > limit:
            raise TooLarge(f"it is larger than {limit} bytes")
        if self._state.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > limit:
                raise TooLarge(f"it is larger than {limit} bytes")
            self.held = len(body)
            self.on_held()
        return bytes(body)

    @property
    def peer_user(self) -> int:
        """The id of the user at the other end of a Unix socket."""
        size = struct.calcsize("3i")
        given = self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", given)[1])

    @property
    def is_read(self) -> bool:
        """Whether all of the request was read."""
        return self._state.their_state not in {h11.IDLE, h11.SEND_BODY}

    @property
    def is_answered(self) -> bool:
        """Whether the answer has begun."""
        return self._state.our_state is not h11.SEND_RESPONSE

    async def reply(
        self, status: int, content: bytes, *, content_type: str, allow: str = ""
    ) -> None:
        """Answer with all of the body; `allow` are the methods that would do. Raises Gone."""
        headers = [("Content-Length", str(len(content))), ("Content-Type", content_type)]
        head = _head(status, *headers, *([("Allow", allow)] if allow else ()))
        body = b"" if self.method == "HEAD" else content
        await self._send(head, h11.Data(data=body), h11.EndOfMessage())

    async def begin(self, *, content_type: str, link: str = "") -> None:
        """Answer well, with a body that is to come, and a `Link` (RFC 8288). Raises Gone."""
        links = [("Link", link)] if link else []
        await self._send(_head(_OK, ("Content-Type", content_type), *links))

    async def write(self, content: bytes) -> None:
        """Go on with the body. Raises Gone."""
        await self._send(h11.Data(data=content))

    async def _end(self) -> None:
        """End a body that was begun, if any."""
        if self._state.our_state is h11.SEND_BODY:
            await self._send(h11.EndOfMessage())

    @contextmanager
    def while_connected(self) -> Iterator[None]:
        """Cancel what is within when the client hangs up; for after its request was read."""
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:
            loop.add_reader(self._connection, scope.cancel)
            try:
                yield
            finally:
                loop.remove_reader(self._connection)

    async def _next_event(self) -> object:
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(_REQUEST_SECONDS):
                while (event := self._state.next_event()) is h11.NEED_DATA:
                    data = await loop.sock_recv(self._connection, _CHUNK)
                    self.is_begun = self.is_begun or bool(data)
                    self._state.receive_data(data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise Gone from error
        return event

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._state.send(event) or b"" for event in events)
        try:
            await asyncio.get_running_loop().sock_sendall(self._connection, data)
        except OSError as error:
            raise Gone from error


async def serve(listener: socket.socket, handler: Callable[[Request], Awaitable[None]]) -> None:
    """Take connections until cancelled, each with a task of its own; `listener` does not block."""

    async def answer(connection: socket.socket) -> None:
        with connection:
            await Request(connection).serve(handler)

    async with anyio.create_task_group() as tasks:
        while True:
            connection, _ = await accept(listener)
            tasks.start_soon(answer, connection)


async def accept(listener: socket.socket) -> tuple[socket.socket, Any]:
    """Wait for a connection, and return it with its address; `listener` does not block."""
    while True:
        try:
            return await asyncio.get_running_loop().sock_accept(listener)
        except OSError as error:
            log.warning("cannot take a connection: %s", error.strerror)
            await anyio.sleep(_BREATH_SECONDS)


def _head(status: int, *headers: tuple[str, str]) -> h11.Response:
    return h11.Response(status_code=status, headers=[*headers, ("Connection", "close")])
