"""Probes against servers that are well, wrong, slow and hostile."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from supervisor.adapters.host.probe import NetworkProber
from supervisor.model.health import Probe

Serve = Callable[[ByteStream], Awaitable[None]]
pytestmark = pytest.mark.anyio


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection so; gives the port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # not Django's
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, closing(serve))
        yield port
        tasks.cancel_scope.cancel()


def closing(serve: Serve) -> Serve:
    async def handle(stream: ByteStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                await serve(stream)

    return handle


def answering(text: bytes) -> Serve:
    async def serve(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(text)

    return serve


async def silent(_stream: ByteStream) -> None:
    await anyio.sleep(600)


async def hangs_up(_stream: ByteStream) -> None:
    pass


async def endless(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send(b"x" * 65_536)


async def endless_head(stream: ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"x-more: more\r\n" * 1_000)


async def asked(serve: Serve, scheme: str, *, seconds: float = 60.0) -> str:
    async with server(serve) as port:
        target = f"{scheme}://127.0.0.1:{port}" + ("/health" if scheme == "http" else "")
        probe = Probe(
            target=target,
            scheme=scheme,
            host="127.0.0.1",
            port=port,
            path="/health" if scheme == "http" else "",
            timeout=seconds,
        )
        with anyio.fail_after(60):
            return await NetworkProber().probe(probe)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nok", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503 Service Unavailable"),
    ],
)
async def test_an_http_answer(answer: bytes, said: str) -> None:
    assert await asked(answering(answer), "http") == said


async def test_a_head_is_enough() -> None:
    assert await asked(endless, "http") == ""


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), "no HTTP"),
        (silent, "no answer within 1 s"),
        (hangs_up, ""),
        (endless_head, ""),
    ],
)
async def test_what_is_no_answer(serve: Serve, words: str) -> None:
    said = await asked(serve, "http", seconds=1.0 if serve is silent else 60.0)
    assert said
    assert words in said


async def test_a_connection_is_enough_for_tcp() -> None:
    assert await asked(silent, "tcp") == ""
    assert await asked(answering(b""), "tcp") == ""


async def test_what_forwards_a_port_to_nobody_is_not_well() -> None:
    assert await asked(hangs_up, "tcp") == "it hung up at once"


async def test_nobody_is_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for scheme in ("tcp", "http"):
            path = "/" if scheme == "http" else ""
            probe = Probe(
                target=f"{scheme}://127.0.0.1:{port}{path}",
                scheme=scheme,
                host="127.0.0.1",
                port=port,
                path=path,
            )
            assert "efused" in await NetworkProber().probe(probe)
    nothing = Probe(target="unix:/x", scheme="unix", path=str(tmp_path / "none.sock"))
    assert "No such file" in await NetworkProber().probe(nothing)


async def test_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "db.sock"
    probe = Probe(target=f"unix:{path}", scheme="unix", path=str(path))
    listener = await anyio.create_unix_listener(path)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, closing(silent))
        assert await NetworkProber().probe(probe) == ""
        tasks.cancel_scope.cancel()
