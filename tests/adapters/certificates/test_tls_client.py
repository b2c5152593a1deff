"""Servers that serve no certificate, or not the one that was asked for."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from supervisor.adapters.certificates.tls_look import TlsClient
from supervisor.model.errors import Retry
from tests.fakes.tls_server import TlsServer

pytestmark = pytest.mark.anyio


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if over.is_set():
                    connection.close()
                    return
                with connection, suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        address = server.getsockname()
        yield f"https://{address[0]}:{address[1]}"
        over.set()
        socket.create_connection(address).close()
        thread.join()


def speaks_plainly(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hangs_up(connection: socket.socket) -> None:
    connection.recv(4096)


def resets(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def alerts(code: int) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(bytes((21, 3, 3, 0, 2, 2, code)))

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (speaks_plainly, "it does not speak TLS"),
        (hangs_up, "it closed the connection"),
        (resets, "it closed the connection"),
        (alerts(112), "it does not know web.example.org"),
        (alerts(40), "it refused: .*handshake failure"),
    ],
)
async def test_what_keeps_a_certificate_from_being_seen_is_said_plainly(answer, said) -> None:
    with listening(answer) as url, pytest.raises(Retry, match=f"{url} serves: {said}"):
        await TlsClient().served(url, "web.example.org")


async def test_who_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Retry, match=f"{url} serves: no answer within 0.2 s"):
            await TlsClient(seconds=0.2).served(url, "web.example.org")


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
async def test_a_host_that_cannot_exist_is_said(host: str) -> None:
    with pytest.raises(Retry, match="cannot look at what https://a"):
        await TlsClient().served(f"https://{host}:443", "web.example.org")


async def test_the_name_is_asked_for(tmp_path) -> None:
    server = TlsServer(tmp_path)
    try:
        first, second = server.show("first"), server.show("second", to="two.example.org")
        client = TlsClient()
        assert await client.served(server.url, "one.example.org") == first
        assert await client.served(server.url, "two.example.org") == second
        assert await client.served(server.url, "*.two.example.org") == first
        assert await client.served(server.url, "192.0.2.1") == first
        assert server.asked == ["one.example.org", "two.example.org", "any.two.example.org", None]
    finally:
        server.close()


async def test_a_host_with_several_addresses_is_said_why_it_is_not_there(monkeypatch) -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    both = [(*kind, (f"127.0.0.{last}", 1)) for last in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(Retry, match="serves: connection refused"):
        await TlsClient().served("https://two.example.org:1", "web.example.org")
