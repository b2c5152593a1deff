"""A request and its answer, on a connection of their own; for whoever waits meanwhile."""

import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from supervisor.client.errors import ClientError, TimedOut, Unreachable
from supervisor.client.place import Place
from supervisor.client.wire import OK, Lines, Response

if TYPE_CHECKING:
    import ssl

_PART = 64 << 10
_SHORTEST_SECONDS = 1e-3


class Exchange:
    """Sends a request, and waits until its answer has begun.

    `timeout_seconds` is for that, and for `read`; None is for ever. Raises ClientError.
    """

    def __init__(
        self,
        place: Place,
        request: bytes,
        *,
        timeout_seconds: float | None = None,
        tls: "ssl.SSLContext | None" = None,
    ) -> None:
        self._place = place
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._response = Response(place)
        self._content = b""
        self._is_closed = False
        with self._in_time():
            self._socket = self._connected(tls)
        try:
            # Who does not read all of it may have answered why.
            with suppress(BrokenPipeError, ConnectionResetError), self._in_time():
                self._socket.settimeout(self._left())
                self._socket.sendall(request)
            while not self._response.status:
                self._content = self._received()
            self._check()
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """Return the whole answer. Raises ClientError."""
        parts = [self._content]
        while not self._response.is_over:
            parts.append(self._received())
        self.close()
        return b"".join(parts)

    def lines(self) -> Iterator[bytes]:
        """Yield each line of the answer as it comes; however long that takes. Raises ClientError.

        Ends when it is closed, by another thread too.
        """
        self._deadline = None
        lines = Lines()
        ready = deque(lines.receive(self._content))
        while True:
            while ready:
                yield ready.popleft()
            if self._response.is_over or self._is_closed:
                break
            ready.extend(lines.receive(self._received()))
        if lines.is_in_the_middle and not self._is_closed:
            raise self._response.cut_off()
        self.close()

    def close(self) -> None:
        """Hang up; what is under way ends. May be called at any moment, by any thread."""
        self._is_closed = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        if self._response.status != OK:
            raise self._response.problem(self.read())

    def _connected(self, tls: "ssl.SSLContext | None") -> socket.socket:
        place = self._place
        try:
            if not place.socket:
                connection = socket.create_connection((place.host, place.port), self._left())
                return self._encrypted(connection, tls) if place.is_tls else connection
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._left())
                connection.connect(place.socket)
            except BaseException:
                connection.close()
                raise
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unreachable(f"nobody listens at {place}") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise ClientError(f"cannot reach {place.speaker} at {place}: {_why(error)}") from error
        return connection

    def _encrypted(
        self, connection: socket.socket, tls: "ssl.SSLContext | None"
    ) -> "ssl.SSLSocket":
        import ssl  # noqa: PLC0415  # the command line never needs it

        context = tls or ssl.create_default_context()
        try:
            return context.wrap_socket(connection, server_hostname=self._place.host)
        except BaseException:
            connection.close()
            raise

    def _received(self) -> bytes:
        """Wait for more of the body, or its end."""
        with self._in_time():
            try:
                self._socket.settimeout(self._left())
                data = self._socket.recv(_PART)
            except TimeoutError:
                raise
            except OSError as error:
                if not self._is_closed:
                    raise self._response.cut_off() from error
                data = b""
        return b"" if self._is_closed else self._response.receive(data)

    def _left(self) -> float | None:
        """Seconds that it may still take; for a socket, to which 0 means something else."""
        if self._deadline is None:
            return None
        return max(self._deadline - time.monotonic(), _SHORTEST_SECONDS)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            hint = "systemctl --user status podvisor says how it is" if self._place.socket else ""
            raise TimedOut(f"{self._place.speaker} does not answer", hint) from error


def _why(error: OSError) -> str:
    return str(error.strerror or error)
