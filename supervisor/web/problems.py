"""What the API answers that cannot be answered: problem details (RFC 9457)."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from supervisor.model.wire import Problem

ABSENT = Problem(
    title="Service Unavailable",
    status=503,
    detail="the daemon is not running",
    hint="systemctl --user start podvisor",
)
_FIRST_ERROR = 400
_KEPT = {"Allow", "Retry-After", "WWW-Authenticate"}


def answer(problem: Problem) -> web.Response:
    """Answer with it."""
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
    )


@web.middleware
async def told(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Middleware: tell those who ask the API of errors of HTTP in the same way."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < _FIRST_ERROR or not request.path.startswith("/v1/"):
            raise
        detail = error.text or error.reason
        response = answer(Problem(title=error.reason, status=error.status, detail=detail))
        response.headers.update({name: error.headers[name] for name in _KEPT & {*error.headers}})
        return response
