import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from supervisor.api import control
from supervisor.cli.daemon.client import NotRunning, Refused, ask, stream
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.plan import Plan, Reload
from supervisor.model.status import Status, SyncReply, SyncRequest


@contextmanager
def server_that_says(path: Path, reply: bytes) -> Iterator[None]:
    """Answer one request with these bytes, and hang up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.fixture
def path(home: Path) -> Path:
    return home / "run/podvisor/control.sock"


def test_nobody_there(path: Path) -> None:
    with pytest.raises(NotRunning):
        ask("/")
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    with pytest.raises(NotRunning):
        ask("/")


def test_a_socket_that_cannot_be_reached(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{home}/file")
    with pytest.raises(Refused, match="cannot reach the daemon"):
        ask("/")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/x" * 200)
    with pytest.raises(Refused, match="path too long"):
        ask("/")


def test_a_daemon_that_ends_before_it_reads(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def end() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1, socket.MSG_PEEK)

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(Refused, match="hung up without an answer"):
            ask("/")
        thread.join()


def test_a_daemon_that_does_not_answer(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(Refused, match="the daemon does not answer"):
            ask("/", timeout_seconds=0.01)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", "hung up without an answer"),
        (b"nonsense\r\n\r\n", "what the daemon answers is no HTTP"),
        (b"HTTP/1.1 500 Oops\r\n\r\nwent wrong", "the daemon answered 500: went wrong"),
        (b"HTTP/1.1 404 Oops\r\n\r\n[]", r"the daemon answered 404: \[\]"),
        (b'HTTP/1.1 503 Oops\r\nX: y\r\n\r\n{"detail": "cannot x: y"}', "cannot x: y"),
    ],
)
def test_odd_answers(path: Path, reply: bytes, said: str) -> None:
    with server_that_says(path, reply), pytest.raises(Refused, match=said):
        ask("/")


class FakeService:
    """Stands for `controllers.operator.service`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def look(self, app: str) -> Status:
        check(app)
        self.seen.append(app)
        return Status(running=True, version="1", apps=())

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        self.seen.append((*apps, prune_all))
        return Plan(steps=(Reload(reason="x"),))

    async def sync(
        self, request: SyncRequest, tell: Callable[[Event], Awaitable[None]]
    ) -> SyncReply:
        self.seen.append(request)
        for number in range(3):
            await tell(Event(id=number, time=0, kind=EventKind.STEP))
        return SyncReply()

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        check(query.app)
        self.seen.append(query)
        return self._events()

    async def _events(self) -> AsyncGenerator[Event]:
        yield Event(id=1, time=0, kind=EventKind.STARTED, reason="é" * 100_000)


def check(app: str) -> None:
    if app == "nobody":
        raise Stalled("no app named nobody", hint="look")


@pytest.fixture
def service(path: Path) -> Iterator[FakeService]:
    """The daemon's own control socket, with a fake service behind it."""
    service, started = FakeService(), threading.Event()
    ended: list[Callable[[], None]] = []

    async def serve() -> None:
        async with anyio.create_task_group() as tasks:
            token = anyio.lowlevel.current_token()
            ended.append(
                partial(anyio.from_thread.run_sync, tasks.cancel_scope.cancel, token=token)
            )
            await tasks.start(control.serve, path, service)
            started.set()

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    assert started.wait(5)
    yield service
    ended[0]()
    thread.join()


def test_speaks_with_the_real_control_socket(service: FakeService) -> None:
    status = ask("/v1/status", query={"app": "a b&c/é", "other": ""})
    assert msgspec.json.decode(status, type=Status).running
    plan = ask("/v1/plan", body={"apps": ["web"], "prune_all": True})
    assert msgspec.json.decode(plan, type=Plan) == Plan(steps=(Reload(reason="x"),))
    lines = list(stream("/v1/sync", body={"apps": ["web"], "prune_all": False}))
    assert [list(line) for line in lines] == [["event"]] * 3 + [["reply"]]
    (event,) = stream("/v1/events", query={"since": 1.5, "limit": 5, "follow": 0})
    assert event["reason"] == "é" * 100_000
    assert service.seen == [
        "a b&c/é",
        ("web", True),
        SyncRequest(apps=("web",)),
        EventQuery(since=1.5, limit=6),  # one more tells whether there is a next page
    ]


def test_hears_the_real_control_sockets_refusals(service: FakeService) -> None:
    with pytest.raises(Refused, match="no app named nobody"):
        list(stream("/v1/events", query={"app": "nobody"}))
    with pytest.raises(Refused, match="no app named nobody") as raised:
        ask("/v1/status", query={"app": "nobody"})
    assert raised.value.hint == "look"
    with pytest.raises(Refused, match="cannot read the request"):
        ask("/v1/plan", body={"appps": []})
    with pytest.raises(Refused, match="there is no GET /v2/status"):
        ask("/v2/status")
    with pytest.raises(Refused, match="there is no GET /v1/sync"):
        ask("/v1/sync")
