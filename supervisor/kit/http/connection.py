"""A connection that takes one HTTP/1.1 exchange after another, directly or through a proxy."""

import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from supervisor.kit.texts import one_line

_CONNECT_SECONDS = 30.0
_LARGEST_HEAD = 32 << 10
_MOST_INTERIM = 8
"""Answers of the 1xx kind, which come before the answer itself."""
_CHUNK = 64 << 10
_GOOD = range(200, 300)
_PORTS = {"http": 80, "https": 443}
_WITH_BODY = ("POST", "PUT", "PATCH")


class HttpError(Exception):
    """No answer, or none that can be taken; `str()` says why."""


class Unreachable(HttpError):
    """There is nobody to ask."""


class Untrusted(Unreachable):
    """Whoever is there proves by no certificate to be who was asked."""


class TooLarge(HttpError):
    """It says more than anybody is ready to hear."""


class Answer:
    """The head of an answer; the body comes by `read`, `lines` or `chunks`, once."""

    def __init__(self, head: h11.Response, source: "Connection") -> None:
        self.status: int = head.status_code
        self.reason = bytes(head.reason).decode("latin-1")
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers: Mapping[str, str] = headers
        """Names in small letters; doubled ones with a comma between their values."""
        self._source = source

    async def read(self, *, limit: int, hear: Callable[[bytes], None] | None = None) -> bytes:
        """Return the whole body. Raises HttpError if it is larger than `limit`.

        With `hear`, it goes there as it comes, and is not kept.
        """
        body, size = bytearray(), 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"the answer is larger than {limit} bytes")
            if hear is None:
                body += chunk
            else:
                hear(chunk)
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


class Address(NamedTuple):
    """Where a URL leads."""

    host: str
    port: int
    is_secure: bool


def address_of(url: str) -> Address:
    """Read it from an http or https URL. Raises HttpError."""
    parts = _split(url)
    try:
        port = parts.port
    except ValueError as error:
        raise HttpError("this cannot be asked: its port is none") from error
    return Address(
        parts.hostname or "", port or _PORTS.get(parts.scheme, 80), parts.scheme == "https"
    )


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    is_absolute: bool = False,
) -> h11.Request:
    """Write the head of a request; the whole URL is in it for a proxy. Raises HttpError."""
    parts = _split(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    host = parts.netloc.rpartition("@")[2]
    try:
        return h11.Request(
            method=method,
            target=f"{parts.scheme}://{host}{target}" if is_absolute else target,
            headers=[
                ("Host", host),
                *([("Content-Length", str(len(body)))] if method in _WITH_BODY else ()),
                *headers.items(),
            ],
        )
    except (ValueError, h11.LocalProtocolError) as error:
        raise HttpError("this cannot be asked: HTTP has no way to write it") from error


class Connection:
    """One end of it; `open` makes it, and it is closed where its block is left."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        self.is_public = _is_public(stream)
        """Whether the other end is reached by an address of the public Internet."""

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        unix: Path | None = None,
        context: ssl.SSLContext | None = None,
        proxy: Address | None = None,
        proxy_headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Connect, to a Unix socket or through a proxy instead if there is one.

        `context` says whom to trust; without it, the machine's authorities are. Raises HttpError.
        """
        try:
            with anyio.fail_after(_CONNECT_SECONDS):
                if unix is not None:
                    return cls(await anyio.connect_unix(unix))
                if proxy is None:
                    return cls(await _connect(address, context))
                stream = await _connect(proxy, None)
                if not address.is_secure:
                    return cls(stream)
                try:
                    await _tunnel(stream, address, proxy_headers or {})
                    return cls(await _secured(stream, address.host, context))
                except BaseException:
                    await anyio.aclose_forcefully(stream)
                    raise
        except TimeoutError as error:
            raise Unreachable("it does not answer") from error
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(why(error)) from error
        except (anyio.BrokenResourceError, anyio.EndOfStream, OSError) as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise Untrusted(why(error)) from error
            raise Unreachable(why(error)) from error
        except (ValueError, h11.LocalProtocolError) as error:
            raise HttpError("this cannot be asked: its host has no proper name") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stream.aclose()

    async def close(self) -> None:
        """Hang up, without a farewell."""
        await anyio.aclose_forcefully(self._stream)

    async def exchange(self, head: h11.Request, body: bytes) -> Answer:
        """Send a request and read the head of its answer. Raises HttpError."""
        await self._send(head, h11.Data(data=body), h11.EndOfMessage())
        return Answer(await self._head(), self)

    def is_ready_again(self) -> bool:
        """Whether another exchange can follow, once the answer is read; makes ready for it."""
        states = (self._state.our_state, self._state.their_state)
        if states != (h11.DONE, h11.DONE) or any(self._state.trailing_data):
            return False
        self._state.start_next_cycle()
        return True

    async def _send(self, *events: h11.Event) -> None:
        try:
            await self._stream.send(b"".join(self._state.send(event) or b"" for event in events))
        except (anyio.BrokenResourceError, OSError) as error:
            raise HttpError(why(error)) from error

    async def _head(self) -> h11.Response:
        for _ in range(_MOST_INTERIM):
            event = await self.next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise HttpError("it hung up without an answer")

    async def next_event(self) -> h11.Event:
        """Read on. Raises HttpError."""
        try:
            while (event := self._state.next_event()) is h11.NEED_DATA:
                try:
                    self._state.receive_data(await self._stream.receive(_CHUNK))
                except anyio.EndOfStream:
                    is_waiting = self._state.their_state is h11.SEND_RESPONSE
                    if is_waiting and not self._state.trailing_data[0]:
                        raise HttpError("it hung up without an answer") from None
                    self._state.receive_data(b"")
        except h11.RemoteProtocolError as error:
            # It would repeat what came, however long, and secrets that were sent back.
            raise HttpError("the answer is no HTTP") from error
        except (anyio.BrokenResourceError, OSError) as error:
            raise HttpError(why(error)) from error
        if isinstance(event, h11.Event):
            return event
        raise HttpError("the answer goes on in another protocol")


async def _connect(address: Address, context: ssl.SSLContext | None) -> ByteStream:
    if not address.is_secure:
        return await anyio.connect_tcp(address.host, address.port)
    # HTTP itself says where an answer ends; many servers just hang up then.
    return await anyio.connect_tcp(
        address.host,
        address.port,
        ssl_context=context or verifying(),
        tls_standard_compatible=False,
    )


def _is_public(stream: ByteStream) -> bool:
    peer = stream.extra(SocketAttribute.remote_address, "")  # noqa: S610  # no database
    try:
        return ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_global
    except (ValueError, IndexError):
        return False


async def _tunnel(stream: ByteStream, address: Address, headers: Mapping[str, str]) -> None:
    """Have the proxy at the other end connect to an address. Raises Unreachable."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = f"{host}:{address.port}"
    head = h11.Request(method="CONNECT", target=place, headers=[("Host", place), *headers.items()])
    try:
        answer = await Connection(stream).exchange(head, b"")
    except HttpError as error:
        raise Unreachable(f"the proxy does not connect: {error}") from error
    if answer.status not in _GOOD:
        raise Unreachable(f"the proxy answers {answer.status} {one_line(answer.reason)}".rstrip())


async def _secured(stream: ByteStream, host: str, context: ssl.SSLContext | None) -> TLSStream:
    return await TLSStream.wrap(
        stream, hostname=host, ssl_context=context or verifying(), standard_compatible=False
    )


def verifying() -> ssl.SSLContext:
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
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    number = getattr(error, "errno", None) or 0
    if number > 0 and not isinstance(error, ssl.SSLError):  # which numbers its own
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error) or "the connection broke"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise HttpError("this cannot be asked: it is no URL") from error
