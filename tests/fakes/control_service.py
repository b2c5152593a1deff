"""Stands for `controllers.operator.service`, and for the daemon and the page around it."""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import anyio
import anyio.from_thread
import msgspec
from aiohttp import web

from supervisor.api import control
from supervisor.api.control import Door
from supervisor.controllers.operator.service import ControlService
from supervisor.kit.http import server
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.status import AppStatus
from supervisor.web.access import Access
from supervisor.web.application import application
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.idle import Idle
from supervisor.web.order_client import OrderClient
from supervisor.web.token import Token
from tests.fakes.examples import example

TOKEN = "a-token-that-nobody-guesses"
NOBODY, LATER = "nobody", "later"
"""What there is not, and what cannot be done now."""


class AnyService:
    """Answers whatever the service is asked, with an example of what it says that it returns."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.logged = [
            Event(id=number, time=float(number), kind=EventKind.APPLIED, ok=number % 2 == 1)
            for number in range(1, 6)
        ]
        self.news = anyio.Event()
        self.readers = 0
        self.is_stopping = False
        """Whether nothing is to come any more."""

    def page_may_order(self) -> bool:
        """Whether the settings say so."""
        return True

    def __getattr__(self, name: str) -> Any:
        reply = get_type_hints(getattr(ControlService, name))["return"]

        async def answer(*asked: Any, **more: Any) -> Any:
            self._take(name, *asked, *more.values())
            for one in asked:
                if callable(one):
                    await one(self.logged[0])
                    await one(example(AppStatus))
            return example(reply)

        return answer

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        """Those that were logged, and those to come."""
        self._take("events", query)
        return self._events(query)

    async def _events(self, query: EventQuery) -> AsyncGenerator[Event]:
        self.readers += 1
        try:
            last = query.after_id or 0
            while True:
                found = [one for one in self.logged if one.id > last and query.fits(one)]
                limit = query.limit or len(found)
                for one in found[:limit] if query.goes_forward else found[-limit:]:
                    last = one.id
                    yield one
                if not query.follow or self.is_stopping:
                    return
                await self.news.wait()
        finally:
            self.readers -= 1

    def log(self, event: Event) -> None:
        """Log another one; on the loop's thread."""
        self.logged.append(event)
        news, self.news = self.news, anyio.Event()
        news.set()

    def _take(self, name: str, *asked: Any) -> None:
        said = tuple(one for one in asked if not callable(one))
        self.asked.append((name, *said))
        words = msgspec.json.encode(said).decode()
        if f'"{NOBODY}"' in words:
            raise Stalled("no app named nobody", hint="podvisor status lists them all")
        if f'"{LATER}"' in words:
            raise Retry("cannot read the source: no network")


class Served(msgspec.Struct, frozen=True):
    """Where it is asked."""

    service: AnyService
    socket: Path
    url: str
    """Of the page's process."""
    control_url: str
    """Where the control socket's own answers are had on a port, for tools that know no sockets."""
    call: Callable[..., Any]
    """Calls a function on the loop's thread."""


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Run the control socket, and the page's process, which asks one of its own; on a thread."""
    with anyio.from_thread.start_blocking_portal() as portal:
        service = portal.call(AnyService)
        with portal.wrap_async_context_manager(_running(service, folder)) as (page, answers):
            path = folder / "podvisor" / "control.sock"
            yield Served(service, path, page, answers, portal.call)


@asynccontextmanager
async def _running(service: Any, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Yield the URLs of the page, and of the control socket's answers."""
    questions = folder / "podvisor" / "questions" / "podvisor.sock"
    orders = folder / "podvisor" / "orders" / "podvisor.sock"
    daemon, hands = DaemonClient(questions), OrderClient(orders)
    access = Access(actions=True, token=Token(TOKEN.encode()))
    app = application(daemon, Idle(0), access=access, orders=hands)
    page = web.AppRunner(app, handler_cancellation=True)
    await page.setup()
    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(control.serve, folder / "podvisor" / "control.sock", service)
            for path, door in ((questions, Door.QUESTIONS), (orders, Door.PAGE_ORDERS)):
                await tasks.start(partial(control.serve, path, service, door=door))
            await web.TCPSite(page, "127.0.0.1", 0).start()
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.settimeout(0)
                answers = control._Answers(service, Door.COMMAND_LINE)
                tasks.start_soon(server.serve, listener, answers)
                ports = page.addresses[0][1], listener.getsockname()[1]
                yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
                tasks.cancel_scope.cancel()
    finally:
        await page.cleanup()
        await daemon.close()
        await hands.close()
