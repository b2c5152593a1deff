"""Both clients, against the real control socket and the real process of the page."""

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from supervisor.client import (
    ApiError,
    AsyncClient,
    Client,
    ClientError,
    Disconnected,
    TimedOut,
    Unreachable,
)
from supervisor.model.events import Event, EventKind
from supervisor.model.status import SyncReply
from tests.fakes.control_service import LATER, NOBODY, Served


@contextmanager
def one_that_says(folder: Path, *parts: bytes) -> Iterator[Path]:
    """Listen, take one request, say this, and hang up when it is over."""
    path = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for part in parts:
                    connection.sendall(part)
                if not parts:
                    over.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        over.set()
        thread.join()


def of_socket(podvisor: Served) -> Client:
    return Client(socket=podvisor.socket)


def of_url(podvisor: Served) -> Client:
    return Client(podvisor.url)


@pytest.mark.parametrize("client", [of_socket, of_url])
def test_what_is_refused(podvisor: Served, client) -> None:
    with pytest.raises(ApiError) as raised:
        client(podvisor).status(app=NOBODY)
    error = raised.value
    assert (error.status, error.title, str(error)) == (404, "Not Found", "no app named nobody")
    assert error.detail == str(error)
    assert error.hint == "podvisor status lists them all"
    with pytest.raises(ApiError, match="no network") as raised:
        client(podvisor).history(LATER)
    assert raised.value.status == 503
    with pytest.raises(ApiError, match="cannot read the request"):
        list(client(podvisor).events(limit=-1))


async def test_what_is_refused_the_other_client(podvisor: Served) -> None:
    for client in (AsyncClient(socket=podvisor.socket), AsyncClient(podvisor.url)):
        with pytest.raises(ApiError) as raised:
            await client.status(app=NOBODY)
        assert (raised.value.status, raised.value.hint) == (404, "podvisor status lists them all")
        with pytest.raises(ApiError, match="no app named nobody"):
            async for _ in client.events(app=NOBODY):
                pass


async def test_what_is_refused_while_it_is_told(podvisor: Served) -> None:
    with pytest.raises(ApiError, match="no app named nobody"):
        of_socket(podvisor).sync(apps=[NOBODY]).result()
    with pytest.raises(ApiError, match="no app named nobody"):
        await AsyncClient(socket=podvisor.socket).sync(apps=[NOBODY]).result()


def test_what_is_asked_arrives(podvisor: Served) -> None:
    of_socket(podvisor).scale("shop", replicas=0).result()
    name, request = podvisor.service.asked[-1]
    assert name == "scale"
    assert (request.app, request.unit, request.replicas) == ("shop", "", 0)
    list(of_url(podvisor).events(app="a b&c/é", after_id=0, failed=True))
    name, query = podvisor.service.asked[-1]
    assert (query.app, query.after_id, query.failed) == ("a b&c/é", 0, True)


def test_one_name_is_no_list_of_them(podvisor: Served) -> None:
    with pytest.raises(TypeError, match=r"\['web'\]"):
        of_socket(podvisor).sync(apps="web")
    with pytest.raises(ApiError, match="length <= 1"):
        of_socket(podvisor).rollback(["web", "blog"]).result()


def test_pages_of_events(podvisor: Served) -> None:
    client = of_url(podvisor)
    last = list(client.events(limit=2))
    before = list(client.events(limit=2, before_id=last[0].id))
    assert [one.id for one in (*before, *last)] == [2, 3, 4, 5]


class TestFollowing:
    @pytest.mark.parametrize("client", [of_socket, of_url])
    def test_it_goes_on_until_it_is_closed(self, podvisor: Served, client) -> None:
        before = len(podvisor.service.logged)
        with client(podvisor).events(follow=True, limit=1) as events:
            assert next(events).id == before
            new = Event(id=before + 1, time=1, kind=EventKind.APPLIED)
            podvisor.call(podvisor.service.log, new)
            assert next(events) == new
            closing = threading.Timer(0.05, events.close)
            closing.start()
            assert list(events) == []
            closing.join()

    @pytest.mark.parametrize("kind", ["socket", "url"])
    async def test_it_is_cancelled(self, podvisor: Served, kind: str) -> None:
        client = (
            AsyncClient(socket=podvisor.socket) if kind == "socket" else AsyncClient(podvisor.url)
        )
        events = client.events(follow=True, limit=1)
        assert (await anext(events)).kind is EventKind.APPLIED
        with anyio.move_on_after(0.05) as scope:
            await anext(events)
        assert scope.cancelled_caught
        await all_have_gone(podvisor)

    async def test_whoever_leaves_early_hangs_up(self, podvisor: Served) -> None:
        async with AsyncClient(socket=podvisor.socket).events(follow=True) as events:
            async for _ in events:
                break
        await all_have_gone(podvisor)
        async with AsyncClient(socket=podvisor.socket).sync() as progress:
            await anext(progress)

    async def test_a_slow_answer_of_lines_is_no_late_one(self, podvisor: Served) -> None:
        """The timeout is for its beginning."""
        client = Client(socket=podvisor.socket, timeout_seconds=3)
        before = podvisor.service.logged[-1].id
        with client.events(follow=True, limit=1) as events:
            next(events)
            later = threading.Timer(
                3.3,
                podvisor.call,
                (podvisor.service.log, Event(id=before + 1, time=1, kind=EventKind.STEP)),
            )
            later.start()
            assert next(events).id == before + 1
            later.join()


async def all_have_gone(podvisor: Served) -> None:
    with anyio.fail_after(20):
        while podvisor.service.readers:  # noqa: ASYNC110
            await anyio.sleep(0.005)


class TestNobody:
    @pytest.mark.parametrize("there", [False, True])
    async def test_listens_at_a_socket(self, tmp_path: Path, *, there: bool) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as abandoned:
            if there:
                abandoned.bind(str(path))
        with pytest.raises(Unreachable, match="nobody listens"):
            Client(socket=path).status()
        with pytest.raises(Unreachable, match="nobody listens"):
            await AsyncClient(socket=path).status()

    async def test_listens_at_a_url(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            for host in ("127.0.0.1", "localhost"):
                with pytest.raises(Unreachable, match=f"nobody listens at {host}"):
                    Client(f"http://{host}:{port}").status()
                with pytest.raises(Unreachable, match=f"nobody listens at {host}"):
                    await AsyncClient(f"http://{host}:{port}").status()

    async def test_can_be_reached(self, tmp_path: Path) -> None:
        path = tmp_path / ("x" * 200)
        with pytest.raises(ClientError, match=r"cannot reach the daemon at .*: .*too long"):
            Client(socket=path).status()
        with pytest.raises(ClientError, match=r"cannot reach the daemon at .*: .*too long"):
            await AsyncClient(socket=path).status()

    async def test_answers(self, tmp_path: Path) -> None:
        with one_that_says(tmp_path) as path, pytest.raises(TimedOut, match="does not answer"):
            Client(socket=path, timeout_seconds=0.05).status()
        path.unlink()
        with one_that_says(tmp_path) as path, pytest.raises(TimedOut, match="does not answer"):
            await AsyncClient(socket=path, timeout_seconds=0.05).status()

    async def test_ends_the_answer(self, tmp_path: Path) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        event = b'{"event": {"kind": "applied"}}\n'
        for parts in (
            (head, b"%x\r\n" % len(event), event + b"\r\n"),
            (head, b"%x\r\n" % len(event), event + b"\r\n0\r\n\r\n"),
            (head, b"5\r\n", event[:5] + b"\r\n0\r\n\r\n"),
        ):
            with one_that_says(tmp_path, *parts) as path, pytest.raises(Disconnected):
                Client(socket=path).sync().result()
            path.unlink()
            with one_that_says(tmp_path, *parts) as path, pytest.raises(Disconnected):
                await AsyncClient(socket=path).sync().result()
            path.unlink()


async def test_an_answer_of_another_version(tmp_path: Path) -> None:
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"running": 1}'
    with (
        one_that_says(tmp_path, answer) as path,
        pytest.raises(ClientError, match="cannot read what podvisor answers") as raised,
    ):
        Client(socket=path).status()
    assert raised.value.hint == "are client and daemon of one version?"
    path.unlink()
    with (
        one_that_says(tmp_path, answer) as path,
        pytest.raises(ClientError, match="cannot read what podvisor answers"),
    ):
        await AsyncClient(socket=path).status()


async def test_one_that_refuses_before_it_has_read_all(tmp_path: Path) -> None:
    refusal = b'HTTP/1.1 413 Too Large\r\nContent-Length: 29\r\n\r\n{"detail": "it is too large"}'
    many = [f"app-{number}" * 20 for number in range(20_000)]
    with (
        one_that_says(tmp_path, refusal) as path,
        pytest.raises(ApiError, match="it is too large") as raised,
    ):
        Client(socket=path).plan(apps=many)
    assert raised.value.status == 413
    path.unlink()
    with one_that_says(tmp_path, refusal) as path, pytest.raises(ApiError, match="it is too large"):
        await AsyncClient(socket=path).plan(apps=many)


def test_one_client_serves_many_threads(podvisor: Served) -> None:
    client, replies = of_socket(podvisor), []
    threads = [
        threading.Thread(target=lambda: replies.append(client.sync().result())) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(one) for one in replies] == [SyncReply] * 20


def test_either_a_url_or_a_socket() -> None:
    for client in (Client, AsyncClient):
        with pytest.raises(ValueError, match="either"):
            client("http://localhost", socket="/x")


def test_nothing_is_left_open(podvisor: Served) -> None:
    """Whatever is forgotten would be told as a warning, which fails the tests."""
    with pytest.raises(ApiError):
        of_socket(podvisor).sync(apps=[NOBODY]).result()
    with of_socket(podvisor).sync() as progress:
        next(progress)
    gc.collect()
