"""The server of the control socket, and clients of every manner."""

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest

from supervisor.kit.http import client, server
from supervisor.kit.http.server import Request


@asynccontextmanager
async def serving(path: Path, handler: Callable[[Request], Awaitable[None]]) -> AsyncIterator[Path]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(0)
        listener.bind(str(path / "s"))
        listener.listen()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, listener, handler)
            yield path / "s"
            tasks.cancel_scope.cancel()


async def ask(path: Path, target: str, body: bytes = b"") -> bytes:
    async with client.ask(
        "POST", f"http://here{target}", unix=path, body=body, timeout_seconds=20
    ) as answer:
        assert answer.headers["connection"] == "close"
        return b"%d " % answer.status + await answer.read(limit=1 << 22)


async def echo(request: Request) -> None:
    body = await request.read(limit=1 << 20)
    said = f"{request.method} {request.path} {sorted(request.query.items())} ".encode()
    await request.reply(404, said + body, content_type="text/plain")


async def test_asked_and_answered(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as path:
        assert await ask(path, "/a/b?c=%C3%A9&d=1+2", b"body") == (
            "404 POST /a/b [('c', 'é'), ('d', '1 2')] body".encode()
        )
        large = b"x" * (1 << 20)
        assert (await ask(path, "/", large)).endswith(large)


async def test_many_at_once(tmp_path: Path) -> None:
    all_there = anyio.Event()
    waiting = 0

    async def handler(request: Request) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 50:
            all_there.set()
        await all_there.wait()
        await request.reply(200, b"", content_type="text/plain")

    with anyio.fail_after(60):
        async with serving(tmp_path, handler) as path, anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(ask, path, "/")


async def test_a_body_that_is_written_bit_by_bit(tmp_path: Path) -> None:
    go_on = anyio.Event()

    async def handler(request: Request) -> None:
        assert not request.is_answered
        await request.begin(content_type="text/plain")
        assert request.is_answered
        await request.write(b"one\n")
        await go_on.wait()
        await request.write(b"two\n")

    async with serving(tmp_path, handler) as path:
        async with client.ask("GET", "http://here/", unix=path, timeout_seconds=20) as answer:
            lines = answer.lines()
            assert await anext(lines) == b"one"
            go_on.set()
            assert [line async for line in lines] == [b"two"]
        async with await anyio.connect_unix(path) as old:  # as the command line speaks
            await old.send(b"GET / HTTP/1.0\r\n\r\n")
            said = b""
            async for part in old:
                said += part
            assert said.endswith(b"\r\n\r\none\ntwo\n")


async def test_who_hangs_up_is_noticed(tmp_path: Path) -> None:
    noticed = anyio.Event()

    async def handler(request: Request) -> None:
        await request.begin(content_type="text/plain")
        with request.while_connected():
            await anyio.sleep_forever()
        noticed.set()

    async with serving(tmp_path, handler) as path:
        async with client.ask("GET", "http://here/", unix=path, timeout_seconds=20) as answer:
            assert answer.status == 200
            assert not noticed.is_set()
        with anyio.fail_after(60):
            await noticed.wait()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000,
    ],
)
async def test_nonsense_is_hung_up_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    async with serving(tmp_path, echo) as path:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            client.settimeout(0)
            with anyio.fail_after(60):
                await anyio.wait_readable(client)
            with suppress(ConnectionResetError):  # it did not read all of it
                assert client.recv(100) == b""
        assert await ask(path, "/") == b"404 POST / [] "
    assert not caplog.records


async def test_a_defect_ends_one_answer_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request) -> None:
        if request.path == "/defect":
            raise RuntimeError("a defect")
        await echo(request)

    async with serving(tmp_path, handler) as path:
        with caplog.at_level(logging.CRITICAL), pytest.raises(client.HttpError):
            await ask(path, "/defect")
        with pytest.raises(client.HttpError):
            await ask(path, "/defect")
        assert await ask(path, "/") == b"404 POST / [] "
    assert "a request for '/defect' failed" in caplog.text
