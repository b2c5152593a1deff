"""A request and its answer, on a connection of their own; for whoever works meanwhile."""

import ssl
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress

import anyio
from anyio.abc import ByteStream

from supervisor.client.errors import ClientError, TimedOut, Unreachable
from supervisor.client.place import Place
from supervisor.client.wire import OK, Lines, Response


class AsyncExchange:
    """As `exchange.Exchange`; `begin` sends the request."""

    def __init__(
        self,
        place: Place,
        request: bytes,
        *,
        timeout_seconds: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._place = place
        self._request = request
        self._timeout_seconds = timeout_seconds
        self._tls = tls
        self._response = Response(place)
        self._content = b""
        self._connection: ByteStream | None = None

    async def whole(self) -> bytes:
        """Send the request, and return all of the answer. Raises ClientError."""
        try:
            with self._in_time():
                connection = await self._begun()
                parts = [self._content]
                while not self._response.is_over:
                    parts.append(await self._received(connection))
        finally:
            await self.close()
        return b"".join(parts)

    async def lines(self) -> AsyncGenerator[bytes]:
        """Send the request, and yield each line of the answer as it comes. Raises ClientError.

        `timeout_seconds` is for its beginning.
        """
        lines = Lines()
        try:
            with self._in_time():
                connection = await self._begun()
            ready = deque(lines.receive(self._content))
            while True:
                while ready:
                    yield ready.popleft()
                if self._response.is_over:
                    break
                ready.extend(lines.receive(await self._received(connection)))
            if lines.is_in_the_middle:
                raise self._response.cut_off()
        finally:
            await self.close()

    async def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection:
            # At once: there is nothing that a cancelled task should wait for.
            await anyio.aclose_forcefully(connection)

    async def _begun(self) -> ByteStream:
        """Send the request, and wait until its answer has begun."""
        connection = self._connection = await self._connected()
        # Who does not read all of it may have answered why.
        with suppress(anyio.BrokenResourceError, OSError):
            await connection.send(self._request)
        while not self._response.status:
            self._content = await self._received(connection)
        if self._response.status != OK:
            parts = [self._content]
            while not self._response.is_over:
                parts.append(await self._received(connection))
            raise self._response.problem(b"".join(parts))
        return connection

    async def _connected(self) -> ByteStream:
        place = self._place
        try:
            if place.socket:
                return await anyio.connect_unix(place.socket)
            if place.is_tls:
                return await anyio.connect_tcp(
                    place.host,
                    place.port,
                    tls=True,
                    ssl_context=self._tls,
                    tls_standard_compatible=False,
                )
            return await anyio.connect_tcp(place.host, place.port)
        except OSError as error:
            if all(isinstance(one, _NOBODY) for one in _causes(error)):
                raise Unreachable(f"nobody listens at {place}") from error
            why = error.strerror or error
            raise ClientError(f"cannot reach {place.speaker} at {place}: {why}") from error

    async def _received(self, connection: ByteStream) -> bytes:
        """Wait for more of the body, or its end."""
        try:
            data = await connection.receive()
        except anyio.EndOfStream:
            data = b""
        except (anyio.BrokenResourceError, OSError) as error:
            raise self._response.cut_off() from error
        return self._response.receive(data)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            with anyio.fail_after(self._timeout_seconds):
                yield
        except TimeoutError as error:
            raise TimedOut(f"{self._place.speaker} does not answer") from error


_NOBODY = (FileNotFoundError, ConnectionRefusedError)


def _causes(error: OSError) -> tuple[BaseException, ...]:
    """Why it could not connect: anyio says it beside, for each address that it tried."""
    cause = error.__cause__ or error
    return cause.exceptions if isinstance(cause, BaseExceptionGroup) else (cause,)
