"""The control socket: HTTP over a Unix socket, mode 0600, for the command line.

Beside it are two for the page: one that only takes questions, and one for orders, which takes them
as long as the settings let it, and from whoever the page says it is.

What can be asked stands in `api.endpoints`; `kit.http.server` speaks HTTP. Errors are problem
details (RFC 9457) with status 400, 403, 404, 405, 413 or 503, or the last line of an answer.
"""

import enum
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import anyio
import msgspec
from anyio.abc import TaskStatus

from supervisor.api.endpoints import BY, ENDPOINTS, Answer, Endpoint
from supervisor.api.paging import one_more, page
from supervisor.controllers.operator.event_log import Tell
from supervisor.controllers.operator.service import ControlService
from supervisor.kit.clock import follow_time_zone
from supervisor.kit.http import server
from supervisor.kit.http.server import Gone, Request, TooLarge
from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.model.errors import Failure, Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.status import AppStatus
from supervisor.model.wire import NoRequest, Problem

_BODY_LIMIT = 1 << 16
_JSON, _LINES, _PROBLEM = "application/json", "application/x-ndjson", "application/problem+json"
_TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    503: "Service Unavailable",
}
_Wish = TypeVar("_Wish", bound=msgspec.Struct)
_ANSWERS: Mapping[str, Callable[[ControlService, Any], Awaitable[msgspec.Struct]]] = {
    "/v1/status": lambda it, wish: it.look(wish.app or ""),
    "/v1/history": lambda it, wish: it.history(wish.app),
    "/v1/compare": lambda it, wish: it.compare(wish),
    "/v1/machine": lambda it, wish: it.machine(wish.app or ""),
    "/v1/logs": lambda it, wish: it.logs(wish),
    "/v1/why": lambda it, wish: it.why(wish.name),
    "/v1/images": lambda it, wish: it.images(wish.app or ""),
    "/v1/signatures": lambda it, _: it.signatures(),
    "/v1/secrets": lambda it, _: it.secrets(),
    "/v1/secrets/rotate": lambda it, wish: it.rotate(wish.name),
    "/v1/certificates": lambda it, _: it.certificates(),
    "/v1/metrics": lambda it, _: it.metrics(),
    "/v1/notify": lambda it, _: it.notifiers(),
    "/v1/notify/test": lambda it, wish: it.test_notifier(wish.name or ""),
    "/v1/plan": lambda it, wish: it.plan(wish.apps, prune_all=wish.prune_all),
    "/v1/diff": lambda it, wish: it.diff(wish),
    "/v1/suspend": lambda it, wish: it.suspend(wish),
    "/v1/reload": lambda it, _: it.reload(),
    "/v1/webhook-test": lambda it, wish: it.test_webhook(wish.target),
    "/v1/certificates/test": lambda it, wish: it.test_certificate(wish),
}
_TELLERS: Mapping[str, Callable[[ControlService, Any, Tell], Awaitable[msgspec.Struct]]] = {
    "/v1/sync": lambda it, wish, tell: it.sync(wish, tell),
    "/v1/resume": lambda it, wish, tell: it.resume(wish, tell),
    "/v1/rollback": lambda it, wish, tell: it.rollback(wish, tell),
    "/v1/restore": lambda it, wish, tell: it.restore(wish, tell),
    "/v1/retry": lambda it, wish, tell: it.retry(wish, tell),
    "/v1/scale": lambda it, wish, tell: it.scale(wish, tell),
    "/v1/update": lambda it, wish, tell: it.update(wish, tell),
    "/v1/pin": lambda it, wish, tell: it.pin(wish, tell),
    "/v1/unpin": lambda it, wish, tell: it.unpin(wish, tell),
    "/v1/certificates/renew": lambda it, wish, tell: it.renew(wish, tell),
    "/v1/certificates/revoke": lambda it, wish, tell: it.revoke(wish, tell),
    "/v1/certificates/import": lambda it, _, tell: it.take_imported(tell),
}
_Stream = Callable[[ControlService, EventQuery], AsyncGenerator[Event]]
_STREAMS: Mapping[str, _Stream] = {
    "/v1/events": lambda it, wish: it.events(wish),
}
_ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {(one.method, one.path): one for one in ENDPOINTS}
_QUESTIONS = {asked: one for asked, one in _ENDPOINTS.items() if one.method == "GET"}
"""Those that cost little and change nothing: a plan has every source read."""


_LONGEST_NAME = 200
_OFF = "the page takes no orders"
_OFF_HINT = "actions = true in [web] of the settings, and podvisor setup"


class Door(enum.Enum):
    """Whose socket it is."""

    COMMAND_LINE = enum.auto()
    """All that can be asked; its user is known by the socket."""
    QUESTIONS = enum.auto()
    """The page's questions: what is no GET is answered as if it were not there."""
    PAGE_ORDERS = enum.auto()
    """All that can be asked, in the name of whom the page says, where the settings let it."""


async def serve(
    path: Path,
    service: ControlService,
    *,
    door: Door = Door.COMMAND_LINE,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled; `started` once the socket is there."""
    with _listen(path) as listener:
        try:
            task_status.started()
            await server.serve(listener, _Answers(service, door))
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240  # one system call, in memory


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
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
    door: Door

    async def __call__(self, request: Request) -> None:
        """Answer it, with an error if need be: as the reply, or as its last line."""
        follow_time_zone()
        try:
            await self._answer(request)
        except TooLarge as error:
            await _refuse(request, 413, f"cannot read the request: {error}")
        except (ValueError, RecursionError) as error:
            hint = getattr(error, "hint", "")
            await _refuse(request, 400, f"cannot read the request: {error}", hint=hint)
        except Stalled as failure:
            await _refuse(request, 404, str(failure), hint=failure.hint)
        except Failure as failure:
            await _refuse(request, 503, str(failure), hint=failure.hint)

    async def _answer(self, request: Request) -> None:
        endpoints = _QUESTIONS if self.door is Door.QUESTIONS else _ENDPOINTS
        endpoint = endpoints.get((request.method, request.path))
        if endpoint is None:
            allowed = [method for method, path in endpoints if path == request.path]
            detail = f"there is no {request.method} {request.path}"
            await _refuse(request, 405 if allowed else 404, detail, allow=", ".join(allowed))
            return
        if self.door is Door.PAGE_ORDERS and not self.service.page_may_order():
            await _refuse(request, 403, _OFF, hint=_OFF_HINT)
            return
        if endpoint.is_order:
            # This task is the request's own: nothing else is done in that name.
            ORDERED_BY.set(self._who(request))
        wish: Any = await _wish(request, endpoint.request)
        path = endpoint.path
        match endpoint.answer:
            case Answer.WHOLE:
                with request.while_connected() if endpoint.is_awaited else nullcontext():
                    await _reply(request, 200, await _ANSWERS[path](self.service, wish))
            case Answer.TOLD:
                await request.begin(content_type=_LINES)
                reply = await _TELLERS[path](self.service, wish, _teller(request))
                await _write(request, {"reply": reply})
            case Answer.STREAM:
                await self._stream(request, _STREAMS[path], wish)

    async def _stream(self, request: Request, read: _Stream, wish: EventQuery) -> None:
        """Answer with a page, or with all that there are, and those to come."""
        if wish.limit and not wish.follow:
            found = [entry async for entry in read(self.service, one_more(wish))]
            entries, link = page(wish, found)
            await request.begin(content_type=_LINES, link=link)
            for entry in entries:
                await _write(request, entry)
            return
        async with aclosing(read(self.service, wish)) as all_of_them:
            await request.begin(content_type=_LINES)
            with request.while_connected():
                async for entry in all_of_them:
                    await _write(request, entry)

    def _who(self, request: Request) -> str:
        """Return whose order it is. Raises ValueError if the page does not say it."""
        if self.door is not Door.PAGE_ORDERS:
            return _user(request.peer_user)
        name = unquote(request.headers.get(BY, ""), errors="strict")
        if not (name.isprintable() and 0 < len(name) <= _LONGEST_NAME):
            raise ValueError(f"the header {BY} does not say who it is")
        return name


def _user(number: int) -> str:
    import pwd  # noqa: PLC0415  # seldom wanted

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


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
        try:
            wish = msgspec.convert(said, kind, strict=False)
        except msgspec.ValidationError as error:
            raise _plainly(error, said) from error
        if nulls := [name for name in said if getattr(wish, name) is None]:
            raise ValueError(f"in a query, nothing is null: {', '.join(nulls)}")
        return wish
    body = await request.read(limit=_BODY_LIMIT) or b"{}"
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _plainly(error, msgspec.json.decode(body)) from error


def _plainly(error: msgspec.ValidationError, said: Any) -> ValueError:
    from supervisor.api.wrong_words import in_words  # noqa: PLC0415  # seldom wanted

    return in_words(error, said)


async def _reply(
    request: Request, status: int, body: Any, *, kind: str = _JSON, allow: str = ""
) -> None:
    await request.reply(status, msgspec.json.encode(body), content_type=kind, allow=allow)


async def _write(request: Request, line: Any) -> None:
    await request.write(msgspec.json.encode(line) + b"\n")


async def _refuse(
    request: Request, status: int, detail: str, *, hint: str = "", allow: str = ""
) -> None:
    problem = Problem(title=_TITLES[status], status=status, detail=detail, hint=hint)
    if request.is_answered:
        await _write(request, {"problem": problem})
    else:
        await _reply(request, status, problem, kind=_PROBLEM, allow=allow)
