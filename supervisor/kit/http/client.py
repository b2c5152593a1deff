"""One HTTP/1.1 exchange on a connection of its own: open, ask, read, close.

The other end is not trusted: heads, lines and bodies have limits, and every wait has an end.
"""

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import ByteStream

_CONNECT_SECONDS = 30.0
_LARGEST_HEAD = 32 << 10
_MOST_INTERIM = 8
"""Answers of the 1xx kind, which come before the answer itself."""
_CHUNK = 64 << 10


class HttpError(Exception):
    """No answer, or none that can be taken; `str()` says why."""


class Unreachable(HttpError):
    """There is nobody to ask."""


class Answer:
    """The head of an answer; the body comes by `read`, `lines` or `chunks`, once."""

    def __init__(self, head: h11.Response, source: "_Source") -> None:
        self.status: int = head.status_code
        self.reason = bytes(head.reason).decode("latin-1")
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers
        }
        """Names in small letters; of doubled ones the last."""
        self._source = source

    async def read(self, *, limit: int) -> bytes:
        """Return the whole body. Raises HttpError if it is larger than `limit`."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise HttpError(f"the answer is larger than {limit} bytes")
        return bytes(body)

    async def lines(self, *, longest: int = 1 << 20) -> AsyncIterator[bytes]:
        """Yield the body's lines as they come, without their ends. Raises HttpError."""
        rest = b""
        async for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > longest:
                raise HttpError(f"the answer has a line of more than {longest} bytes")
        if rest:
            yield rest

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises HttpError, also for one that breaks off."""
        while isinstance(event := await self._source.next_event(), h11.Data):
            yield bytes(event.data)


@asynccontextmanager
async def ask(
    method: str,
    url: str,
    *,
    unix: Path | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_seconds: float,
) -> AsyncIterator[Answer]:
    """Send a request and give the answer, whatever its status; redirects are not followed.

    A `body` goes with POST only. `unix` is the socket to connect to instead of the URL's host.
    `timeout_seconds` (it may be infinite) is for all of it, what the caller does with the answer
    included. Raises HttpError.
    """
    try:
        parts = urlsplit(url)
        host, port, secure = parts.hostname or "", parts.port, parts.scheme == "https"
        request = h11.Request(
            method=method,
            target=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            headers=[
                ("Host", parts.netloc.rpartition("@")[2]),
                ("Connection", "close"),
                *([("Content-Length", str(len(body)))] if method == "POST" else ()),
                *(headers or {}).items(),
            ],
        )
    except (ValueError, h11.LocalProtocolError) as error:
        raise HttpError(f"this cannot be asked: {error}") from error
    with anyio.move_on_after(timeout_seconds) as scope:
        async with await _connect(host, port, secure=secure, unix=unix) as stream:
            source = _Source(stream)
            await source.send(request, h11.Data(data=body), h11.EndOfMessage())
            yield Answer(await source.head(), source)
    if scope.cancelled_caught:
        raise HttpError(f"no end after {timeout_seconds:g} s")


class _Source:
    """A connection, seen as h11's events."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)

    async def send(self, *events: h11.Event) -> None:
        try:
            await self._stream.send(b"".join(self._state.send(event) or b"" for event in events))
        except (anyio.BrokenResourceError, OSError) as error:
            raise HttpError(why(error)) from error

    async def head(self) -> h11.Response:
        for _ in range(_MOST_INTERIM):
            event = await self.next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise HttpError("it hung up without an answer")

    async def next_event(self) -> h11.Event:
        try:
            while (event := self._state.next_event()) is h11.NEED_DATA:
                try:
                    self._state.receive_data(await self._stream.receive(_CHUNK))
                except anyio.EndOfStream:
                    self._state.receive_data(b"")
        except h11.RemoteProtocolError as error:
            raise HttpError(f"the answer is no HTTP: {error}") from error
        except (anyio.BrokenResourceError, OSError) as error:
            raise HttpError(why(error)) from error
        if isinstance(event, h11.Event):
            return event
        raise HttpError("the answer goes on in another protocol")


async def _connect(host: str, port: int | None, *, secure: bool, unix: Path | None) -> ByteStream:
    try:
        with anyio.fail_after(_CONNECT_SECONDS):
            if unix is not None:
                return await anyio.connect_unix(unix)
            if not secure:
                return await anyio.connect_tcp(host, port or 80)
            # HTTP itself says where an answer ends; many servers just hang up then.
            return await anyio.connect_tcp(
                host, port or 443, ssl_context=_verifying(), tls_standard_compatible=False
            )
    except TimeoutError as error:
        raise Unreachable("it does not answer") from error
    except (anyio.BrokenResourceError, anyio.EndOfStream, OSError) as error:
        raise Unreachable(why(error)) from error


def _verifying() -> ssl.SSLContext:
    """Trust the machine's certificate authorities, or those of $SSL_CERT_FILE or $SSL_CERT_DIR.

    Where they lie in a folder by their hashes, only the one that a server names is read: to read
    all takes 5 ms and 2 MB.
    """
    folder = ssl.get_default_verify_paths().capath
    hashed = folder and next(Path(folder).glob("*.0"), None) and "SSL_CERT_FILE" not in os.environ
    return ssl.create_default_context(capath=folder if hashed else None)


def why(error: BaseException) -> str:
    """Say why a connection failed, in the system's words if it has some."""
    while isinstance(error.__cause__, OSError):
        error = error.__cause__
    number = getattr(error, "errno", None) or 0
    if number > 0 and not isinstance(error, ssl.SSLError):  # which numbers its own
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error) or "the connection broke"
