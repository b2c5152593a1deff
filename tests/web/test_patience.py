"""Who connects and dawdles, or comes too often, is hung up on; whoever asks is answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from aiohttp import web

from supervisor.web.patience import Patience

ASKS = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
SOON = 0.2
"""Seconds."""


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Begin to serve with such limits; returns how to connect."""
    runners: list[web.AppRunner] = []
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def begin(**limits: Any) -> Callable[[], Any]:
        patience = Patience(**limits)

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/slow":
                await asyncio.sleep(3 * SOON)
            return web.Response(text="here")

        app = web.Application(middlewares=[patience.answering])
        app.router.add_get("/{any}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        assert runner.server is not None
        make = patience.around(runner.server)
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        servers.append(server)
        address = server.sockets[0].getsockname()

        async def connect() -> Any:
            reader, writer = await asyncio.open_connection(*address)
            writers.append(writer)
            return reader, writer

        return connect

    yield begin
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
    for runner in runners:
        await runner.cleanup()


async def answered(connection: Any, path: bytes = b"quick") -> bytes:
    reader, writer = connection
    writer.write(ASKS % path)
    head = await reader.readuntil(b"\r\n\r\n")
    return bytes(head + await reader.readexactly(4))


async def test_who_sends_no_head_in_time(serve: Any) -> None:
    connect = await serve(head_seconds=SOON)
    with anyio.fail_after(20):
        reader, writer = await connect()
        assert await reader.read() == b""
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert await reader.read() == b""


async def test_a_slow_answer_is_waited_for_and_the_next_question_then_is_not(serve: Any) -> None:
    connect = await serve(head_seconds=SOON)
    with anyio.fail_after(20):
        connection = await connect()
        assert (await answered(connection, b"slow")).endswith(b"here")
        reader, _ = connection
        assert await reader.read() == b""


async def test_of_too_many_who_waited_longest_goes(serve: Any) -> None:
    connect = await serve(head_seconds=60.0, most=3)
    with anyio.fail_after(20):
        idle = [await connect() for _ in range(3)]
        assert (await answered(await connect())).endswith(b"here")
        assert await idle[0][0].read() == b""
        assert (await answered(idle[2])).endswith(b"here")
