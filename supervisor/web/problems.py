"""What is answered that cannot be: problem details (RFC 9457) to programs, a page to people."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from supervisor.model.wire import Problem
from supervisor.web.pages import Pages

ABSENT = Problem(
    title="Service Unavailable",
    status=503,
    detail="the daemon is not running",
    hint="systemctl --user start podvisor",
)
_FIRST_ERROR = 400
_OWN = {404: "There is nothing here by that name.", 413: "That is too large."}
_LONGEST_METHOD = 20
_KEPT = {"Allow", "Retry-After", "WWW-Authenticate"}


def answer(problem: Problem) -> web.Response:
    """Answer with it."""
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
    )


def told(pages: Pages) -> Middleware:
    """Make the middleware that tells of errors: programs as the daemon does, people in HTML."""

    @web.middleware
    async def tell(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < _FIRST_ERROR:
                raise
            detail = error.text or error.reason
            if detail == f"{error.status}: {error.reason}":  # aiohttp's own
                detail = _OWN.get(error.status, error.reason)
            problem = Problem(title=error.reason, status=error.status, detail=detail)
            if isinstance(error, web.HTTPMethodNotAllowed):
                problem = _other_method(error)
            if request.path.startswith("/v1/"):
                response = answer(problem)
            elif "text/html" in request.headers.get("Accept", ""):
                response = pages.answer("refused.html", status=error.status, problem=problem)
            else:
                raise
            kept = _KEPT & {*error.headers}
            response.headers.update({name: error.headers[name] for name in kept})
            return response

    return tell


def _other_method(error: web.HTTPMethodNotAllowed) -> Problem:
    allowed = ", ".join(sorted(error.allowed_methods))
    detail = f"that is asked by {allowed} here, not by {error.method[:_LONGEST_METHOD]}"
    hint = ""
    if error.method == "POST" and "POST" not in error.allowed_methods:
        hint = "the page takes orders where [web] says actions = true, then podvisor setup"
    return Problem(title=error.reason, status=error.status, detail=detail, hint=hint)
