"""Who is answered, and what browsers are told to allow: around every request.

A page on a machine's own address is reached by whatever runs in its user's browser, also by pages
of strangers, whose names may be made to lead here (DNS rebinding). So a request says by which name
it came, and the names are known.
"""

from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "podvisor",
    "X-Content-Type-Options": "nosniff",
}
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


def guarded(names: Collection[str]) -> Middleware:
    """Make the middleware; `names` are those by which it is reached, besides the machine's own."""
    known = {*_LOCAL, *(name.lower() for name in names)}

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"))
        host = _without_port(request.headers.get("Host", "")).lower()
        if host not in known:
            text = "It is not known by this name: add it to “hosts” of [web], then podvisor setup."
            raise web.HTTPMisdirectedRequest(text=text)
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            mode = request.headers.get("Sec-Fetch-Mode", "")
            if mode != "navigate":  # a link that somebody followed
                raise web.HTTPForbidden(text="Another site asked for this.")
        return await handler(request)

    return guard


async def with_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Tell browsers what a page may do; a signal of aiohttp's, for every answer."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
