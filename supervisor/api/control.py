"""The control socket: HTTP over a Unix socket, mode 0600, for the command line.

Requests are queries (GET) or JSON; `kit.http.server` speaks HTTP. Sync, rollback, resume, retry and
orders for images and certificates answer with lines, `{"event": …}` and `{"waiting": …}`, the last
of them `{"reply": …}`; events with one each.

Errors: `{"error": "…", "hint": "…"}` with status 400, 404 or 503, or as the last line.
"""

import math
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from anyio.abc import TaskStatus

from supervisor.controllers.operator.event_log import Tell
from supervisor.controllers.operator.service import ControlService
from supervisor.kit.http import server
from supervisor.kit.http.server import Gone, Request
from supervisor.model.certificate import RenewRequest, RevokeRequest
from supervisor.model.diff import DiffRequest
from supervisor.model.errors import Failure, Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.image_status import PinRequest, UpdateRequest
from supervisor.model.secret import RotateRequest
from supervisor.model.status import AppStatus, OrderRequest, ScaleRequest, SyncRequest
from supervisor.model.webhook import WebhookTestRequest
from supervisor.model.wire import Name, Names

_BODY_LIMIT = 1 << 16
_LINES = "application/x-ndjson"


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/plan`."""

    apps: Names = ()
    prune_all: bool = False


class AppQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/status`, `/v1/history` and `/v1/images`."""

    app: Name | None = None


class AppOrder(OrderRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/rollback`, `/v1/restore` and `/v1/retry`: an order for one app."""

    def __post_init__(self) -> None:
        if len(self.apps) != 1:
            raise ValueError("it names one app")


class NoRequest(msgspec.Struct, frozen=True):
    """Where nothing is said; whatever is said goes unread."""


_Wish = TypeVar("_Wish", bound=msgspec.Struct)
_REPLIES: Mapping[
    tuple[str, str],
    tuple[type[msgspec.Struct], Callable[[ControlService, Any], Awaitable[msgspec.Struct]]],
] = {
    ("GET", "/v1/status"): (AppQuery, lambda it, wish: it.look(wish.app or "")),
    ("GET", "/v1/history"): (AppQuery, lambda it, wish: it.history(wish.app or "")),
    ("GET", "/v1/images"): (AppQuery, lambda it, wish: it.images(wish.app or "")),
    ("GET", "/v1/signatures"): (NoRequest, lambda it, _: it.signatures()),
    ("GET", "/v1/secrets"): (NoRequest, lambda it, _: it.secrets()),
    ("POST", "/v1/secrets/rotate"): (RotateRequest, lambda it, wish: it.rotate(wish.name)),
    ("GET", "/v1/certificates"): (NoRequest, lambda it, _: it.certificates()),
    ("POST", "/v1/plan"): (
        PlanRequest,
        lambda it, wish: it.plan(wish.apps, prune_all=wish.prune_all),
    ),
    ("POST", "/v1/diff"): (DiffRequest, lambda it, wish: it.diff(wish)),
    ("POST", "/v1/suspend"): (OrderRequest, lambda it, wish: it.suspend(wish)),
    ("POST", "/v1/reload"): (NoRequest, lambda it, _: it.reload()),
    ("POST", "/v1/webhook-test"): (
        WebhookTestRequest,
        lambda it, wish: it.test_webhook(wish.target),
    ),
}
"""What is asked with what, and what answers it."""
_TOLD: Mapping[
    tuple[str, str],
    tuple[type[msgspec.Struct], Callable[[ControlService, Any, Tell], Awaitable[msgspec.Struct]]],
] = {
    ("POST", "/v1/sync"): (SyncRequest, lambda it, wish, tell: it.sync(wish, tell)),
    ("POST", "/v1/resume"): (OrderRequest, lambda it, wish, tell: it.resume(wish, tell)),
    ("POST", "/v1/rollback"): (AppOrder, lambda it, wish, tell: it.rollback(wish, tell)),
    ("POST", "/v1/restore"): (AppOrder, lambda it, wish, tell: it.restore(wish, tell)),
    ("POST", "/v1/retry"): (AppOrder, lambda it, wish, tell: it.retry(wish, tell)),
    ("POST", "/v1/scale"): (ScaleRequest, lambda it, wish, tell: it.scale(wish, tell)),
    ("POST", "/v1/update"): (UpdateRequest, lambda it, wish, tell: it.update(wish, tell)),
    ("POST", "/v1/pin"): (PinRequest, lambda it, wish, tell: it.pin(wish, tell)),
    ("POST", "/v1/certificates/renew"): (
        RenewRequest,
        lambda it, wish, tell: it.renew(wish, tell),
    ),
    ("POST", "/v1/certificates/revoke"): (
        RevokeRequest,
        lambda it, wish, tell: it.revoke(wish, tell),
    ),
    ("POST", "/v1/unpin"): (PinRequest, lambda it, wish, tell: it.unpin(wish, tell)),
}
"""What tells of its course before it answers."""


async def serve(
    path: Path,
    service: ControlService,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
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


class _Answers(msgspec.Struct, frozen=True):
    """What comes of a request."""

    service: ControlService

    async def __call__(self, request: Request) -> None:
        """Answer it, with an error if need be: as the reply, or as its last line."""
        try:
            await self._answer(request)
        except (ValueError, RecursionError) as error:
            await _refuse(request, 400, f"cannot read the request: {error}")
        except Stalled as failure:
            await _refuse(request, 404, str(failure), hint=failure.hint)
        except Failure as failure:
            await _refuse(request, 503, str(failure))

    async def _answer(self, request: Request) -> None:
        asked = request.method, request.path
        if asked in _REPLIES:
            kind, answer = _REPLIES[asked]
            await _reply(request, 200, await answer(self.service, await _wish(request, kind)))
        elif asked in _TOLD:
            kind, tell_of = _TOLD[asked]
            wish = await _wish(request, kind)
            await request.begin(content_type=_LINES)
            reply = await tell_of(self.service, wish, _teller(request))
            await _write(request, {"reply": reply})
        elif asked == ("GET", "/v1/events"):
            await self._events(request)
        else:
            await _refuse(request, 404, f"there is no {request.method} {request.path}")

    async def _events(self, request: Request) -> None:
        query = await _wish(request, EventQuery)
        if not math.isfinite(query.since):
            raise ValueError("`since` is no moment")
        entries = self.service.events(query)
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


async def _wish(request: Request, kind: type[_Wish]) -> _Wish:
    """Read what is asked for; what is empty in a query is not said."""
    if kind is NoRequest:
        return kind()
    if request.method == "GET":
        said = {key: value for key, value in request.query.items() if value}
        return msgspec.convert(said, kind, strict=False)
    return msgspec.json.decode(await request.read(limit=_BODY_LIMIT) or b"{}", type=kind)


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
