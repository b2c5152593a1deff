"""A page in front of a real control socket, behind which a service says what it is told to."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from supervisor.api import control
from supervisor.core.status.incidents import incidents
from supervisor.model.certificate_status import CertificateList
from supervisor.model.comparison import CompareQuery, Comparison
from supervisor.model.counters import Metrics
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.image_status import ImageList, ImageStatus
from supervisor.model.log import LogLine, LogQuery, UnitLog
from supervisor.model.machine import Machine
from supervisor.model.rollout import Rollout
from supervisor.model.secret import SecretList, SecretStatus
from supervisor.model.status import AppStatus, History, Status
from supervisor.web.access import Access
from supervisor.web.application import application
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.idle import Idle
from supervisor.web.order_client import OrderClient
from supervisor.web.token import Token

TOKEN = "correct horse battery staple"


class FakeService:
    """Stands for `controllers.operator.service`."""

    def __init__(self) -> None:
        self.apps: tuple[AppStatus, ...] = ()
        self.more: dict[str, Any] = {}
        self.logged: list[Event] = []
        self.rollouts: tuple[Rollout, ...] = ()
        self.compared = Comparison(app="", old="", new="", old_revision="", new_revision="")
        self.used = Machine()
        self.lines: tuple[LogLine, ...] = ()
        self.held_secrets: tuple[SecretStatus, ...] = ()
        self.shown_images: tuple[ImageStatus, ...] = ()
        self.news = anyio.Event()
        self.looks = 0

    async def look(self, app: str) -> Status:
        self.looks += 1
        found = tuple(one for one in self.apps if app in ("", one.name))
        self.check(app)
        status = Status(running=True, version="1.2.3", apps=found, **self.more)
        wrong = incidents(msgspec.to_builtins(status), time.time())
        return msgspec.structs.replace(status, incidents=tuple(wrong.values()))

    async def history(self, app: str) -> History:
        return History(app=app, rollouts=self.rollouts)

    async def compare(self, query: CompareQuery) -> Comparison:
        self.check(query.app)
        return self.compared

    async def logs(self, query: LogQuery) -> UnitLog:
        return UnitLog(unit=query.unit, lines=self.lines)

    async def machine(self, app: str) -> Machine:
        return self.used

    async def images(self, app: str) -> ImageList:
        self.check(app)
        shown = tuple(one for one in self.shown_images if app in ("", one.app))
        return ImageList(running=True, images=shown)

    async def certificates(self) -> CertificateList:
        return CertificateList(running=True, certificates=())

    async def secrets(self) -> SecretList:
        return SecretList(secrets=self.held_secrets)

    async def metrics(self) -> Metrics:
        return Metrics(status=await self.look(""))

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        self.check(query.app)
        return self._events(query)

    async def _events(self, query: EventQuery) -> AsyncGenerator[Event]:
        last = query.after_id or 0
        if last > max((one.id for one in self.logged), default=0):
            last = 0
        while True:
            found = [one for one in self.logged if one.id > last and query.fits(one)]
            limit = query.limit or len(found)
            for one in found[:limit] if query.goes_forward else found[-limit:]:
                last = one.id
                yield one
            if not query.follow:
                return
            await self.news.wait()
            self.news = anyio.Event()

    def check(self, app: str) -> None:
        if app and app not in {one.name for one in self.apps}:
            raise Stalled(f"no app named {app}", hint="podvisor status lists them all")


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "questions" / "podvisor.sock"


@pytest.fixture
async def daemon(service: Any, socket: Path) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:

        async def serve(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            await control.serve(
                socket, service, door=control.Door.QUESTIONS, task_status=task_status
            )

        await tasks.start(serve)
        yield
        tasks.cancel_scope.cancel()


@pytest.fixture
async def page(socket: Path) -> AsyncIterator[Any]:
    """What a browser on this machine reaches."""
    client = DaemonClient(socket)
    app = application(client, Idle(0), names=("podvisor.example.org",))
    async with TestClient(TestServer(app)) as browser:
        yield browser
    await client.close()


@pytest.fixture
async def orders(service: Any, tmp_path: Path) -> AsyncIterator[Path]:
    """The daemon's socket for orders."""
    path = tmp_path / "page-orders" / "podvisor.sock"
    async with anyio.create_task_group() as tasks:

        async def serve(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            door = control.Door.PAGE_ORDERS
            await control.serve(path, service, door=door, task_status=task_status)

        await tasks.start(serve)
        yield path
        tasks.cancel_scope.cancel()


@pytest.fixture
async def make(orders: Path, socket: Path, daemon: None) -> AsyncIterator[Callable[..., Any]]:
    """Make a page of such access, as a browser reaches it."""
    opened: list[Any] = []

    async def make_one(*, actions: bool = True, **more: Any) -> Any:
        access = Access(actions=actions, **{"token": Token(TOKEN.encode()), **more})
        questions, client = DaemonClient(socket), OrderClient(orders)
        app = application(
            questions,
            Idle(0),
            names=("podvisor.example.org",),
            access=access,
            orders=client if actions else None,
        )
        browser = TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True))
        await browser.start_server()
        opened.extend([browser, questions, client])
        return browser

    yield make_one
    for one in opened:
        await one.close()
