"""Who is answered, and what browsers are told to allow: around every request.

A page on a machine's own address is reached by whatever runs in its user's browser, also by pages
of strangers, whose names may be made to lead here (DNS rebinding). So a request says by which name
it came, and the names are known; and what is sent here is sent by a page of ours.
"""

from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

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
    "Referrer-Policy": "same-origin",
    "Server": "podvisor",
    "X-Content-Type-Options": "nosniff",
}
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_READING = ("GET", "HEAD")
_NO_ORIGIN = (
    "It does not say by which page it was sent: there is no Origin. "
    "A program sends the token, and no cookie."
)
_OTHER_ORIGIN = (
    "This was sent by a page of {origin}, and here is {host}. If these are the same to you, "
    "have your reverse proxy hand on Host as browsers send it."
)
_SHOWN = 200
"""Characters of what others say."""


def guarded(names: Collection[str], *, takes_forms: bool = False) -> Middleware:
    """Make the middleware; `names` are those by which it is reached, besides the machine's own.

    With `takes_forms`, something may be sent here, too.
    """
    known = {*_LOCAL, *(name.lower() for name in names)}
    methods = (*_READING, "POST") if takes_forms else _READING

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.method not in methods:
            # The router knows better which methods a place has that is there.
            error = request.match_info.http_exception
            if isinstance(error, web.HTTPMethodNotAllowed):
                raise error
            raise web.HTTPMethodNotAllowed(request.method, methods)
        if len(request.headers.getall("Host", ())) > 1:
            raise web.HTTPBadRequest(text="There is more than one Host header.")
        host = _without_port(_asked_name(request))
        if host not in known and (not host or host != _own_address(request)):
            text = "It is not known by this name: add it to “hosts” of [web], then podvisor setup."
            raise web.HTTPMisdirectedRequest(text=text)
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            mode = request.headers.get("Sec-Fetch-Mode", "")
            if mode != "navigate" or request.method not in _READING:  # a link that is followed
                raise web.HTTPForbidden(text="Another site asked for this.")
        if request.method not in _READING and (why := _not_of_ours(request)):
            raise web.HTTPForbidden(text=why)
        return await handler(request)

    return guard


async def with_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Tell browsers what a page may do; a signal of aiohttp's, for every answer."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


def is_https(request: web.Request) -> bool:
    """Whether the browser that sends a form came by HTTPS, as it says itself."""
    return request.headers.get("Origin", "").startswith("https://")


def _not_of_ours(request: web.Request) -> str:
    """Say why what is sent comes of no page of ours; empty if it does, or of a program.

    Browsers say where from, and send no token by themselves. A proxy may hand on the name without
    its port.
    """
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return ""
    origin, host = request.headers.get("Origin"), _asked_name(request)
    if origin is None:
        is_said = request.headers.get("Sec-Fetch-Site") == "same-origin"
        return "" if is_said or "Cookie" not in request.headers else _NO_ORIGIN
    try:
        there = urlsplit(origin.lower()).netloc
    except ValueError:
        there = ""
    if there and host in (there, _without_port(there)):
        return ""
    return _OTHER_ORIGIN.format(origin=origin[:_SHOWN] or "nowhere", host=host)


def _asked_name(request: web.Request) -> str:
    """Return the name that is asked, with its port; empty if that cannot be read.

    A whole URL in the request's first line counts, and Host does not (RFC 9112, 3.2.2).
    """
    name = request.headers.get("Host", "")
    if not request.raw_path.startswith("/"):
        try:
            name = urlsplit(request.raw_path).netloc
        except ValueError:
            return ""
    return "" if "@" in name else name.lower()


def _own_address(request: web.Request) -> str:
    """Return the address of this machine that was called; a name cannot be made to look like it."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    if not isinstance(name, tuple):
        return ""
    address = str(name[0]).removeprefix("::ffff:")
    return f"[{address}]" if ":" in address else address


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
