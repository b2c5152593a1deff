"""The server for whoever may come, on loopback, and senders who mean it ill."""

import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest

from supervisor.kit.http import client, public_server
from supervisor.kit.http.public_server import LimitedServer, Limits
from supervisor.kit.http.server import Request

LIMIT = 1 << 20


class Served:
    """A door, and what came through it."""

    def __init__(self, limits: Limits) -> None:
        self.slow: list[str] = []
        self.cut = anyio.Event()
        self.bodies: list[int] = []
        self.peers: set[str] = set()
        self.listener = public_server.listen("127.0.0.1", 0)
        self.address = self.listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}/x"
        self.door = LimitedServer(self.answer, limits=limits, on_slow=self.noted)

    def noted(self, request: Request, peer: str) -> None:
        self.slow.append(peer)
        self.cut.set()

    async def until_slow(self, number: int) -> None:
        while len(self.slow) < number:
            self.cut = anyio.Event()
            await self.cut.wait()

    async def answer(self, request: Request, peer: str) -> None:
        self.peers.add(peer)
        try:
            body = await request.read(limit=LIMIT)
        except ValueError:
            await request.reply(413, b"too large", content_type="text/plain")
            return
        self.bodies.append(len(body))
        await request.reply(202, b"taken", content_type="text/plain")

    async def send(self, body: bytes = b"{}") -> int:
        async with client.ask("POST", self.url, body=body, timeout_seconds=60) as answer:
            await answer.read(limit=1_000)
            return answer.status

    def connect(self, said: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, timeout=60)
        client.sendall(said)
        client.setblocking(False)  # noqa: FBT003
        return client


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Served]:
    served = Served(Limits(**limits))  # type: ignore[arg-type]
    with served.listener, anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.door.serve, served.listener)
            yield served
            tasks.cancel_scope.cancel()


async def heard(client: socket.socket) -> bytes:
    """All that the server says until it hangs up."""
    said = b""
    while True:
        await anyio.wait_readable(client)
        try:
            part = client.recv(1 << 16)
        except ConnectionResetError:
            return said
        if not part:
            return said
        said += part


async def test_a_request_is_served_and_its_peer_known() -> None:
    async with serving() as served:
        assert await served.send(b"x" * 1_000) == 202
        assert served.bodies == [1_000]
        assert served.peers == {"127.0.0.1"}
        assert not served.slow


async def test_ten_megabytes_are_refused_unread_and_the_sender_hears_of_it() -> None:
    body = b"x" * (10 << 20)
    async with serving() as served:
        head = f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        client = served.connect(head.encode())
        tracemalloc.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, send_all, client, body)
            said = await heard(client)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        client.close()
        assert said.startswith(b"HTTP/1.1 413 ")
        assert not served.bodies
        assert peak < 1 << 20
        assert await served.send() == 202


async def test_ten_megabytes_in_chunks_are_refused_when_they_are_too_many() -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    async with serving() as served:
        client = served.connect(
            b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

        async def flood() -> None:
            for _ in range(160):
                with suppress(OSError):
                    await anyio.to_thread.run_sync(send_all, client, chunk)
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(flood)
            assert (await heard(client)).startswith(b"HTTP/1.1 413 ")
        client.close()
        assert not served.bodies


def send_all(client: socket.socket, data: bytes) -> None:
    own = client.dup()
    with own:
        own.settimeout(5)
        own.sendall(data)


async def test_expect_continue_is_answered() -> None:
    async with serving() as served:
        head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        client = served.connect(head)
        await anyio.wait_readable(client)
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")
        assert (await heard(client)).startswith(b"HTTP/1.1 202 ")
        client.close()


async def test_whatever_is_said_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    lines = [
        b"HEAD /x HTTP/1.1\r\nHost: x\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n",
        b"GET http://x/y HTTP/1.1\r\nHost: x\r\n",
        b"GET //[ HTTP/1.1\r\nHost: x\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nX: \xe9\r\nContent-Length: 0\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5_000,
    ]
    async with serving(seconds=5) as served:
        for line in lines:
            client = served.connect(line + b"\r\n")
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            await heard(client)
            client.close()
        assert await served.send() == 202
    assert not caplog.records


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"P",
        b"POST /x HTTP/1.1\r\nHost: x\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
    ],
)
async def test_who_is_too_slow_is_cut_off(said: bytes) -> None:
    async with serving(seconds=0.3) as served:
        client = served.connect(said)
        assert await heard(client) == b""
        client.close()
        assert served.slow == ["127.0.0.1"]
        assert await served.send() == 202


async def test_a_drop_now_and_then_does_not_help() -> None:
    async with serving(seconds=0.5) as served:
        client = served.connect(b"POST /x HTTP/1.1\r\nHost: x\r\nX-Slow: ")

        async def drip() -> None:
            with suppress(OSError):
                while True:
                    client.send(b"x")
                    await anyio.sleep(0.02)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drip)
            with anyio.fail_after(60):
                await heard(client)
            tasks.cancel_scope.cancel()
        client.close()


async def test_an_endless_head_is_cut_off() -> None:
    async with serving() as served:
        client = served.connect(b"POST /x HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000)
        await heard(client)
        client.close()
        assert await served.send() == 202


async def test_dawdlers_on_all_places_give_way() -> None:
    async with serving(places=8, dawdling_seconds=0.1, seconds=600) as served:
        dawdlers = [served.connect(b"POST /x HTTP/1.1\r\n") for _ in range(40)]
        with anyio.fail_after(60):
            assert await served.send() == 202
        assert len(served.slow) >= 8
        for one in dawdlers:
            one.close()


async def test_a_crowd_that_is_well_behaved_is_served_to_the_last() -> None:
    async with serving(places=4, dawdling_seconds=30) as served:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(served.send)
        assert len(served.bodies) == 100
        assert not served.slow


async def test_bodies_that_take_too_much_memory_together_give_way_the_largest_first() -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    async with serving(memory=4 << 20, seconds=600) as served:
        hoarders = [served.connect(head) for _ in range(10)]
        small = served.connect(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        for one in hoarders:
            with suppress(OSError):
                await anyio.to_thread.run_sync(send_all, one, b"x" * 999_999)
        await served.until_slow(6)
        assert sum(visit.request.held for visit in served.door._visits) <= 4 << 20
        small.sendall(b"}")
        assert (await heard(small)).startswith(b"HTTP/1.1 202 ")
        for one in (*hoarders, small):
            one.close()


async def test_listens_on_both_kinds_of_addresses() -> None:
    with public_server.listen("::", 0) as listener:
        port = listener.getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port), timeout=60).close()
        with pytest.raises(OSError, match="in use"):
            public_server.listen("::", port)
