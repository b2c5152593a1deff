"""The control socket: HTTP over a Unix socket, mode 0600, for the command line.

Asks a `Service`; `kit.http.server` speaks HTTP.

| request | reply |
| --- | --- |
| `GET /v1/status?app=` | `model.status.Status` |
| `POST /v1/plan` `{"apps": [], "prune_all": false}` | `model.plan.Plan` |
| `POST /v1/diff` `model.diff.DiffRequest` | `model.diff.Diff` |
| `POST /v1/sync` `model.status.SyncRequest` | lines: `event`, `waiting`; at last `reply` |
| `POST /v1/suspend`, `/v1/resume` `model.status.OrderRequest` | `model.status.Status` |
| `POST /v1/rollback` `model.status.OrderRequest` | as of sync |
| `POST /v1/reload` | `model.status.Reloaded` |
| `GET /v1/history?app=` | `model.status.History` |
| `GET /v1/secrets` | `model.secret.SecretList` |
| `POST /v1/secrets/rotate` `model.secret.RotateRequest` | `model.status.SyncReply` |
| `POST /v1/webhook-test` `model.webhook.WebhookTestRequest` | `model.webhook.WebhookTest` |
| `GET /v1/events?` `model.events.EventQuery` | lines of `model.events.Event` |

Errors: `{"error": "…", "hint": "…"}` with status 400, 404 or 503, or as the last line.
"""

import math
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import msgspec
from anyio.abc import TaskStatus

from supervisor.kit.http import server
from supervisor.kit.http.server import Gone, Request
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.errors import Failure, Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.observed import UnitState
from supervisor.model.plan import Plan
from supervisor.model.secret import RotateRequest, SecretList
from supervisor.model.status import (
    AppStatus,
    History,
    OrderRequest,
    Reloaded,
    Status,
    SyncReply,
    SyncRequest,
)
from supervisor.model.webhook import WebhookTest, WebhookTestRequest
from supervisor.model.wire import Name, Names

_BODY_LIMIT = 1 << 16
_LINES = "application/x-ndjson"
_Query = TypeVar("_Query")


Tell = Callable[[Event | AppStatus], Awaitable[None]]


class Service(Protocol):
    """What the control socket offers; `controllers.operator.service` serves it."""

    async def look(self) -> Mapping[str, UnitState]: ...

    def status(self, app: str = "", *, units: Mapping[str, UnitState] | None = None) -> Status: ...

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan: ...

    async def diff(self, request: DiffRequest) -> Diff: ...

    async def sync(self, request: SyncRequest, tell: Tell) -> SyncReply: ...

    async def suspend(self, order: OrderRequest) -> None: ...

    async def resume(self, order: OrderRequest) -> None: ...

    async def rollback(self, order: OrderRequest, tell: Tell) -> SyncReply: ...

    async def reload(self) -> Reloaded: ...

    async def history(self, app: str) -> History: ...

    async def secrets(self) -> SecretList: ...

    async def rotate(self, name: str) -> SyncReply: ...

    async def test_webhook(self, source: str) -> WebhookTest: ...

    async def check_names(self, apps: Collection[str]) -> None: ...

    def check_logged(self, app: str) -> None: ...

    def events(self, query: EventQuery) -> AsyncGenerator[Event]: ...


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/plan`."""

    apps: Names = ()
    prune_all: bool = False


class AppQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/status` and `GET /v1/history`."""

    app: Name | None = None


async def serve(
    path: Path, service: Service, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Listen until cancelled; `started` once the socket is there."""
    with _listen(path) as listener:
        try:
            task_status.started()
            await server.serve(listener, _Answers(service))
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240  # one system call, in memory


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


class _Answers:
    """What comes of a request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._routes = {
            ("GET", "/v1/status"): self._status,
            ("POST", "/v1/plan"): self._plan,
            ("POST", "/v1/diff"): self._diff,
            ("POST", "/v1/sync"): self._sync,
            ("POST", "/v1/suspend"): self._suspend,
            ("POST", "/v1/resume"): self._resume,
            ("POST", "/v1/rollback"): self._rollback,
            ("POST", "/v1/reload"): self._reload,
            ("GET", "/v1/history"): self._history,
            ("GET", "/v1/secrets"): self._secrets,
            ("POST", "/v1/secrets/rotate"): self._rotate,
            ("POST", "/v1/webhook-test"): self._webhook_test,
            ("GET", "/v1/events"): self._events,
        }

    async def __call__(self, request: Request) -> None:
        """Answer it, with an error if need be: as the reply, or as its last line."""
        route = self._routes.get((request.method, request.path))
        try:
            if route is None:
                await _refuse(request, 404, f"there is no {request.method} {request.path}")
            else:
                await route(request)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            await _refuse(request, 400, f"cannot read the request: {error}")
        except Stalled as failure:
            await _refuse(request, 404, str(failure), hint=failure.hint)
        except Failure as failure:
            await _refuse(request, 503, str(failure))

    async def _status(self, request: Request) -> None:
        app = _query(request, AppQuery).app or ""
        if app:
            await self._service.check_names([app])
        units = await self._service.look()
        await _reply(request, 200, self._service.status(app, units=units))

    async def _plan(self, request: Request) -> None:
        body = await request.read(limit=_BODY_LIMIT)
        wish = msgspec.json.decode(body or b"{}", type=PlanRequest)
        await _reply(request, 200, await self._service.plan(wish.apps, prune_all=wish.prune_all))

    async def _diff(self, request: Request) -> None:
        body = await request.read(limit=_BODY_LIMIT)
        wish = msgspec.json.decode(body or b"{}", type=DiffRequest)
        await _reply(request, 200, await self._service.diff(wish))

    async def _webhook_test(self, request: Request) -> None:
        body = await request.read(limit=_BODY_LIMIT)
        wish = msgspec.json.decode(body, type=WebhookTestRequest)
        await _reply(request, 200, await self._service.test_webhook(wish.source))

    async def _sync(self, request: Request) -> None:
        body = await request.read(limit=_BODY_LIMIT)
        wish = msgspec.json.decode(body or b"{}", type=SyncRequest)
        await request.begin(content_type=_LINES)
        await _write(request, {"reply": await self._service.sync(wish, _teller(request))})

    async def _suspend(self, request: Request) -> None:
        await self._service.suspend(await _order(request))
        await _reply(request, 200, self._service.status())

    async def _resume(self, request: Request) -> None:
        await self._service.resume(await _order(request))
        await _reply(request, 200, self._service.status())

    async def _rollback(self, request: Request) -> None:
        order = await _order(request)
        if len(order.apps) != 1:
            raise ValueError("it names one app")
        await request.begin(content_type=_LINES)
        await _write(request, {"reply": await self._service.rollback(order, _teller(request))})

    async def _reload(self, request: Request) -> None:
        await _reply(request, 200, await self._service.reload())

    async def _history(self, request: Request) -> None:
        await _reply(request, 200, await self._service.history(_query(request, AppQuery).app or ""))

    async def _secrets(self, request: Request) -> None:
        await _reply(request, 200, await self._service.secrets())

    async def _rotate(self, request: Request) -> None:
        body = await request.read(limit=_BODY_LIMIT)
        wish = msgspec.json.decode(body, type=RotateRequest)
        await _reply(request, 200, await self._service.rotate(wish.name))

    async def _events(self, request: Request) -> None:
        query = _query(request, EventQuery)
        if not math.isfinite(query.since):
            raise ValueError("`since` is no moment")
        if query.app:
            self._service.check_logged(query.app)
        entries = self._service.events(query)
        await request.begin(content_type=_LINES)
        with request.while_connected():
            async with aclosing(entries):
                async for entry in entries:
                    await _write(request, entry)


def _teller(request: Request) -> Tell:
    async def tell(one: Event | AppStatus) -> None:
        # Whoever asked may go away; what was asked for goes on.
        with suppress(Gone):
            await _write(request, {"event" if isinstance(one, Event) else "waiting": one})

    return tell


def _query(request: Request, kind: type[_Query]) -> _Query:
    """Read a query; what is empty is not said."""
    said = {key: value for key, value in request.query.items() if value}
    return msgspec.convert(said, kind, strict=False)


async def _order(request: Request) -> OrderRequest:
    body = await request.read(limit=_BODY_LIMIT)
    return msgspec.json.decode(body or b"{}", type=OrderRequest)


async def _reply(request: Request, status: int, body: Any) -> None:
    await request.reply(status, msgspec.json.encode(body), content_type="application/json")


async def _write(request: Request, line: Any) -> None:
    await request.write(msgspec.json.encode(line) + b"\n")


async def _refuse(request: Request, status: int, error: str, *, hint: str = "") -> None:
    said = {"error": error, "hint": hint}
    if request.is_answered:
        await _write(request, said)
    else:
        await _reply(request, status, said)
