"""The page's process around its application."""

import asyncio
import signal
import socket
from functools import partial
from pathlib import Path

import anyio
import pytest

from supervisor.web.access import Access
from supervisor.web.process import serve

HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
NO_HTTP = {
    "a null": HEAD + b"X-Null: \x00\r\n\r\n",
    "too long": HEAD + b"X-Long: %s\r\n\r\n" % (b"x" * 100_000),
    "no length": HEAD + b"Content-Length: many\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
}


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_answered_and_fills_no_journal(
    said: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    begin = partial(serve, names=(), idle=0.0, access=Access(), orders=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(begin, [listener], tmp_path / "no daemon")
        reader, writer = await asyncio.open_connection(*address)
        writer.write(said)
        answer = await reader.read()
        writer.close()
        signal.raise_signal(signal.SIGTERM)
    assert answer.split()[1] == b"400"
    assert caplog.records == []
