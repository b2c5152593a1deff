"""Several questions on kept connections: few at once, and no broken one is taken for an answer."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import ByteStream, SocketAttribute

from supervisor.kit.http.connection import HttpError, Unreachable
from supervisor.kit.http.pool import Pool, Reply, Wanted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: a\r\nX-One: b\r\n\r\nok"


class Server:
    """Answers request after request with what it was told, and counts connections."""

    def __init__(self, *answers: bytes, seconds: float = 0) -> None:
        self.answers = list(answers)
        self.seconds = seconds
        self.connections = self.open = self.most = 0
        self.asked: list[bytes] = []

    async def __call__(self, stream: ByteStream) -> None:
        self.connections += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with stream:
                await self._serve(stream)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
        finally:
            self.open -= 1

    async def _serve(self, stream: ByteStream) -> None:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            self.asked.append(head)
            await anyio.sleep(self.seconds)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if not answer:
                return
            await stream.send(answer.removesuffix(b"ok") if head.startswith(b"HEAD") else answer)
            if b"close" in answer:
                return


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, server)
        port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


async def ask(
    pool: Pool,
    url: str,
    method: str = "GET",
    *,
    limit: int = 100,
    timeout_seconds: float = 20,
    hear: Callable[[bytes], None] | None = None,
    **more: object,
) -> Reply:
    wanted = Wanted(limit, timeout_seconds, hear)
    return await pool.ask(method, url, **{"headers": {}, "wanted": wanted, **more})


async def test_one_connection_serves_question_after_question() -> None:
    server, pool = Server(OK), Pool()
    async with serving(server) as url:
        for method in ("GET", "HEAD", "GET"):
            reply = await ask(pool, f"{url}/a?b", method, headers={"X": "y"})
            assert reply.status == 200
            assert reply.body == (b"" if method == "HEAD" else b"ok")
            assert reply.headers["x-one"] == "a, b"
            assert not reply.is_public
        assert server.connections == 1
        await pool.close()
        await ask(pool, url)
        assert server.connections == 2
        await pool.close()


async def test_many_at_once_share_two() -> None:
    server, pool = Server(OK, seconds=0.001), Pool()
    async with serving(server) as url:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask, pool, url)
        assert (len(server.asked), server.connections, server.most) == (20, 2, 2)
        await pool.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ],
)
async def test_a_connection_that_ends_or_says_more_than_it_was_asked_is_not_kept(
    answer: bytes,
) -> None:
    server, pool = Server(answer), Pool()
    async with serving(server) as url:
        for _ in range(3):
            assert (await ask(pool, url)).body == b"ok"
        assert server.connections == 3


async def test_a_kept_one_that_was_closed_meanwhile_is_replaced() -> None:
    server, pool = Server(OK, b"", OK), Pool()
    async with serving(server) as url:
        await ask(pool, url)
        assert (await ask(pool, url)).body == b"ok"
        assert server.connections == 2
        await pool.close()


async def test_what_changes_something_is_asked_once() -> None:
    server, pool = Server(OK, b"", OK), Pool()
    async with serving(server) as url:
        await ask(pool, url)
        with pytest.raises(HttpError):
            await ask(pool, url, "POST", body=b"x")
        assert len(server.asked) == 2
        await pool.close()


async def test_a_body_has_a_limit() -> None:
    async with serving(Server(OK)) as url:
        with pytest.raises(HttpError, match="larger than 1 bytes"):
            await ask(Pool(), url, limit=1)


async def test_a_body_is_heard_as_it_comes_and_a_refusal_is_not() -> None:
    heard, pool = list[bytes](), Pool()
    refusal = OK.replace(b"200 OK", b"404 No")
    async with serving(Server(OK, refusal)) as url:
        reply = await ask(pool, url, hear=heard.append)
        assert (b"".join(heard), reply.body) == (b"ok", b"")
        assert (await ask(pool, url, hear=heard.append)).body == b"ok"
        assert b"".join(heard) == b"ok"
        await pool.close()


async def test_a_refusal_of_too_many_words_is_one_without_any() -> None:
    size, pool = (1 << 20) + 1, Pool()
    refusal = b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n%b" % (size, bytes(size))
    server = Server(refusal, OK)
    async with serving(server) as url:
        reply = await ask(pool, url, limit=4 << 20, hear=lambda _: None)
        assert (reply.status, reply.body) == (404, b"")
        assert (await ask(pool, url)).body == b"ok"
        assert server.connections == 2, "the rest of the words are not for the next question"
        await pool.close()


async def test_who_is_not_there_is_waited_for_once() -> None:
    server, pool, failed = Server(OK, seconds=100), Pool(), list[str]()

    async def try_it(url: str) -> None:
        try:
            await ask(pool, url, timeout_seconds=0.05)
        except Unreachable as error:
            failed.append(str(error))

    async with serving(server) as url:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(try_it, url)
    assert failed == ["no end after 0.05 s"] * 50
    assert server.connections == 2


async def test_a_private_address_is_refused_where_only_a_public_one_will_do() -> None:
    server = Server(OK)
    async with serving(server) as url:
        with pytest.raises(HttpError, match="private network"):
            await ask(Pool(), url, in_public=True)
    assert not server.asked


async def test_a_proxy_gets_whole_urls_and_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    server, pool = Server(OK), Pool()
    async with serving(server) as url:
        monkeypatch.setenv("HTTP_PROXY", url.replace("//", "//me:s3cret@"))
        monkeypatch.setenv("NO_PROXY", "")
        assert (await ask(pool, "http://registry.example/v2/")).body == b"ok"
        assert server.asked[0].startswith(b"GET http://registry.example/v2/ HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6czNjcmV0\r\n" in server.asked[0]
        await pool.close()


async def test_a_proxy_is_asked_to_connect_for_what_is_encrypted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
    async with serving(server) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(Unreachable, match="proxy answers 407 Who are you"):
            await ask(Pool(), "https://registry.example/v2/")
        assert server.asked == [
            b"CONNECT registry.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n"
        ]


async def test_of_many_hosts_those_that_were_asked_last_are_kept() -> None:
    server, pool = Server(OK), Pool()
    # As many hosts, as far as the pool can tell.
    first, *others = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(40))
    async with serving(server) as url:
        for one in others:
            await ask(pool, url, context=one)
            await ask(pool, url, context=first)
        assert server.connections == 40
        for one in (first, *others[-15:]):
            await ask(pool, url, context=one)
        assert server.connections == 40
        await ask(pool, url, context=others[0])
        assert server.connections == 41
        await pool.close()


@pytest.mark.parametrize(("host", "is_by_proxy"), [("a b", True), ("a" * 5_000, False)])
async def test_a_host_that_cannot_be_is_no_defect(
    host: str, monkeypatch: pytest.MonkeyPatch, *, is_by_proxy: bool
) -> None:
    async with serving(Server(OK)) as url:
        monkeypatch.setenv("HTTPS_PROXY", url if is_by_proxy else "")
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(HttpError) as failure:
            await ask(Pool(), f"https://{host}/")
        assert len(str(failure.value)) < 200
