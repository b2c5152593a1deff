"""One exchange over HTTP, with servers of every manner."""

import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import TypedAttributeProvider
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener

from supervisor.kit.http import client
from supervisor.kit.http.client import HttpError, Unreachable

LARGE = 1 << 20


class Server:
    """Takes what is sent, answers what it was told to, piece by piece."""

    def __init__(self, *pieces: bytes, wait: bool = False) -> None:
        self.pieces = pieces
        self.wait = wait
        self.asked = b""
        self.gone = anyio.Event()

    async def __call__(self, stream: ByteStream) -> None:
        async with stream:
            while not self.asked.endswith((b"\r\n\r\n", b"body")):
                self.asked += await stream.receive()
            try:
                for piece in self.pieces:
                    await stream.send(piece)
                    await anyio.lowlevel.checkpoint()
                if self.wait:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.gone.set()


def port_of(listener: TypedAttributeProvider) -> int:
    return listener.extra(SocketAttribute.local_port)  # noqa: S610  # no database is near


@asynccontextmanager
async def serving(server: Callable[[ByteStream], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve on a port of this machine; gives the URL's beginning."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, server)
        yield f"http://127.0.0.1:{port_of(listener)}"
        tasks.cancel_scope.cancel()


async def get(url: str, *, limit: int = LARGE, seconds: float = 20) -> bytes:
    async with client.ask("GET", url, timeout_seconds=seconds) as answer:
        assert answer.status == 200
        return await answer.read(limit=limit)


async def test_a_question_and_its_answer() -> None:
    server = Server(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 No Su",
        b"ch\r\nContent-Type: text/plain\r\ncontent-length: 6\r\n\r\nno",
        b"thing else",
    )
    async with (
        serving(server) as url,
        client.ask(
            "POST",
            f"{url}/a%20b?c=d&e=#f",
            headers={"X-One": "1"},
            body=b"body",
            timeout_seconds=20,
        ) as answer,
    ):
        assert (answer.status, answer.reason) == (404, "No Such")
        assert answer.headers["content-type"] == "text/plain"
        assert await answer.read(limit=6) == b"nothin"
    head, _, body = server.asked.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a%20b?c=d&e= HTTP/1.1"
    host = url.removeprefix("http://").encode()
    assert set(lines[1:]) == {
        b"Host: " + host,
        b"Content-Length: 4",
        b"Connection: close",
        b"X-One: 1",
    }
    assert body == b"body"


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    async with (
        await anyio.create_unix_listener(tmp_path / "s") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, server)
        async with client.ask(
            "GET", "http://podman", unix=tmp_path / "s", timeout_seconds=20
        ) as answer:
            assert await answer.read(limit=100) == b"until the end"
        tasks.cancel_scope.cancel()
    assert server.asked == b"GET / HTTP/1.1\r\nHost: podman\r\nConnection: close\r\n\r\n"


async def test_lines_come_as_they_are_sent() -> None:
    chunks = [b'{"a":1}\n{"b"', b":2}\n\n", b"the rest"]
    server = Server(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks),
        b"0\r\n\r\n",
    )
    async with (
        serving(server) as url,
        client.ask("GET", url, timeout_seconds=float("inf")) as answer,
    ):
        assert [line async for line in answer.lines()] == [
            *(b'{"a":1}', b'{"b":2}', b"", b"the rest"),
        ]


async def test_a_stream_that_goes_on_is_left_by_leaving() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\nfirst\n", wait=True)
    async with serving(server) as url:
        async with client.ask("GET", url, timeout_seconds=float("inf")) as answer:
            async for line in answer.lines():
                assert line == b"first"
                break
        with anyio.fail_after(60):
            await server.gone.wait()


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([], "hung up without an answer"),
        ([b"HTTP/1.1 200"], "no HTTP"),
        ([b"220 mail.example.org ESMTP\r\n\r\n"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\nX-Endless: "] + [b"x" * 60_000] * 3, "no HTTP"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"] * 1_000, "without an answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * 60_000] * 20, "larger than 1048576 bytes"),
        ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], "no HTTP"),
    ],
)
async def test_answers_that_cannot_be_taken(pieces: list[bytes], why: str) -> None:
    async with serving(Server(*pieces)) as url:
        with pytest.raises(HttpError, match=why):
            await get(url)


async def test_what_is_no_http_is_not_repeated() -> None:
    async with serving(Server(b"z" * 9_000 + b"\r\n\r\n")) as url:
        with pytest.raises(HttpError) as failure:
            await get(url)
    assert str(failure.value) == "the answer is no HTTP"


async def test_an_endless_line_is_not_kept() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1_000] * 100)
    async with (
        serving(server) as url,
        client.ask("GET", url, timeout_seconds=20) as answer,
    ):
        with pytest.raises(HttpError, match="a line of more than 5000 bytes"):
            async for _ in answer.lines(longest=5_000):
                pass


@pytest.mark.parametrize("pieces", [[], [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"]])
async def test_silence_has_an_end(pieces: list[bytes]) -> None:
    async with serving(Server(*pieces, wait=True)) as url:
        with pytest.raises(HttpError, match=r"no end after 0\.2 s"):
            await get(url, seconds=0.2)


async def test_nobody_is_there(tmp_path: Path) -> None:
    async with serving(Server()) as url:
        pass
    for address in (url, "http://", "http://127.0.0.1:99999"):
        with pytest.raises(HttpError):
            await get(address)
    with pytest.raises(Unreachable, match=r"refused|Connect call failed"):
        await get(url)
    with pytest.raises(Unreachable, match="No such file"):
        async with client.ask("GET", url, unix=tmp_path / "none", timeout_seconds=20):
            pass


@pytest.mark.parametrize("url", ["/a b", "/\x7f", "/é"])
async def test_a_request_that_cannot_be_written(url: str) -> None:
    async with serving(Server(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        with pytest.raises(HttpError, match="cannot be asked"):
            await get(server + url)


async def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(  # noqa: ASYNC221  # nothing else runs yet
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key}"
        f" -out {certificate} -subj /CN=test -addext subjectAltName=DNS:localhost".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
    async with (
        TLSListener(
            await anyio.create_tcp_listener(local_host="127.0.0.1"),
            context,
            standard_compatible=False,
        ) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, server)
        port = port_of(listener.listener)
        with pytest.raises(Unreachable, match="self-signed"):
            await get(f"https://localhost:{port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await get(f"https://localhost:{port}") == b"safe"
        with pytest.raises(Unreachable, match=r"not valid for '127\.0\.0\.1'"):
            await get(f"https://127.0.0.1:{port}")
        tasks.cancel_scope.cancel()
