"""Finds out who asks, and turns away who has to say it and does not: around every request.

| who | how it is known |
| --- | --- |
| a program | `Authorization: Bearer TOKEN` |
| a person who logged in | a cookie, which no script reads and no other site sends |
| a person whom a reverse proxy let in | a header of the proxy's, from this machine only |
| anybody, where no login is required | may look, and nothing else |
"""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import msgspec
from aiohttp import web

from supervisor.core.githost.client_address import rate_limit_key, sender
from supervisor.kit.rates import TokenBuckets
from supervisor.web.sessions import LONGEST_NAME, SESSION_SECONDS, Sessions
from supervisor.web.token import Token
from supervisor.web.visitor import VISITOR, Visitor

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION, SECURE_SESSION = "podvisor", "__Host-podvisor"
_FORMS, _SECURE_FORMS = "podvisor-forms", "__Host-podvisor-forms"
_TRIES_PER_MINUTE = 10
_OPEN = ("/login", "/static/")
_FOR_PROGRAMS = ("/v1/", "/metrics", "/live", "/openapi.json")
_READING = ("GET", "HEAD")
_TOKEN_NAME = re.compile(r"token$|^(api|access)?key$|^(bearer|auth|authorization|password)$")
"""Of a parameter, in small letters and without hyphens and the like. Values are not looked at: an
answer to a guess would be one more place to guess at."""
_PLACEHOLDER = re.compile(r"\{.*\}")
"""What Caddy writes instead of a name that nobody told it: it let somebody in without one."""
_IN_URL = (
    "A token does not belong into a URL: from there it gets into histories and logs. "
    "Take another one, and send it as: Authorization: Bearer TOKEN"
)
_BEARER = {"WWW-Authenticate": 'Bearer realm="podvisor"'}
_LOCAL = ("127.0.0.0/8", "::1")


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may come, and do what."""

    token: Token | None = None
    sessions: Sessions = msgspec.field(default_factory=Sessions)
    user_header: str = ""
    """Of the reverse proxy; empty is none."""
    actions: bool = False
    is_closed: bool = False
    """Whether who only looks has to say who it is, too."""
    tries: TokenBuckets = msgspec.field(
        default_factory=lambda: TokenBuckets(per_minute=_TRIES_PER_MINUTE)
    )
    """What is left of failed tries, by address."""

    @web.middleware
    async def known(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Middleware."""
        _look_at_url(request)
        visitor = self._visitor(request)
        if self._is_shown_to_known(request) and not visitor.is_known:
            if request.path.startswith(_FOR_PROGRAMS):
                raise web.HTTPUnauthorized(text="send the token", headers=_BEARER)
            if self.token is None:
                raise web.HTTPForbidden(
                    text=f"Nobody says who you are: {self.user_header} is empty."
                )
            raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
        before = VISITOR.set(visitor)
        try:
            response = await handler(request)
        finally:
            VISITOR.reset(before)
        if visitor.by_proxy and not response.prepared:
            forms = _forms_cookie(request)
            if not request.cookies.get(forms):
                response.set_cookie(
                    forms,
                    visitor.cookie,
                    httponly=True,
                    samesite="Strict",
                    secure=forms == _SECURE_FORMS,
                )
        return response

    def log_in(self, request: web.Request, token: str, name: str) -> str | None:
        """Return the cookie of a new session; None if that is not the token."""
        if self.token is None or not self.token.is_it(token):
            self._count_try(request)
            return None
        return self.sessions.begin(name, now=time.time())

    def log_out(self, visitor: Visitor) -> None:
        """End a session: its cookie is worth nothing from now on, wherever it was copied to."""
        self.sessions.end(visitor.cookie)

    def _visitor(self, request: web.Request) -> Visitor:
        anybody = Visitor(can_log_in=self.token is not None)
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":  # others are a proxy's own
            return self._program(request, given.strip())
        if self.user_header and is_from_here(request):
            names = request.headers.getall(self.user_header, [])
            if len(names) > 1 or any(not is_name(one) for one in names):
                raise web.HTTPBadRequest(text=f"{self.user_header} does not say who it is")
            if names and names[0] and not _PLACEHOLDER.fullmatch(names[0]):
                cookie = request.cookies.get(_forms_cookie(request)) or secrets.token_urlsafe(24)
                return Visitor(
                    name=names[0],
                    is_known=True,
                    by_proxy=True,
                    cookie=cookie,
                    may_order=self.actions,
                )
        cookie = request.cookies.get(SECURE_SESSION) or request.cookies.get(SESSION, "")
        name = self.sessions.name(cookie, now=time.time()) if self.token and cookie else None
        if name is None:
            return anybody
        return Visitor(
            name=name, is_known=True, cookie=cookie, may_order=self.actions, can_log_in=True
        )

    def _program(self, request: web.Request, given: str) -> Visitor:
        if self.token is not None and self.token.is_it(given):
            return Visitor(is_known=True, is_program=True, may_order=self.actions)
        if request.method in _READING and not self._is_shown_to_known(request):
            return Visitor(can_log_in=self.token is not None)
        if self.token is None:
            raise web.HTTPUnauthorized(text="there is no token here", headers=_BEARER)
        self._count_try(request)
        raise web.HTTPUnauthorized(text="that is not the token", headers=_BEARER)

    def _is_shown_to_known(self, request: web.Request) -> bool:
        """Whether who only looks there has to say who it is."""
        return self.is_closed and not request.path.startswith(_OPEN)

    def _count_try(self, request: web.Request) -> None:
        """Count one in vain, or say that there were too many.

        The right token is never asked how many there were: else whoever sends wrong ones from an
        address, perhaps yesterday's, would keep out all others who come from there.
        """
        address, now = self._address(request), time.monotonic()
        if self.tries.left(address, now=now) < 1:
            text = "It was tried too often in vain: wait a minute."
            raise web.HTTPTooManyRequests(text=text, headers={"Retry-After": "60"})
        self.tries.take(address, now=now)

    def _address(self, request: web.Request) -> str:
        """Return what tries in vain are counted by: behind a proxy, the address that it names.

        A proxy is who has the socket, or whose word is taken for who people are. Of a port of this
        machine alone, whoever comes from here could be anybody.
        """
        peer, forwarded = request.remote or "", ""
        if not peer or self.user_header:
            forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        return rate_limit_key(sender(peer or "127.0.0.1", forwarded, _LOCAL).address)


def _forms_cookie(request: web.Request) -> str:
    """Return the name of what a proxy's visitors keep: by HTTPS, one that no other way sets."""
    is_secure = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    return _SECURE_FORMS if is_secure else _FORMS


def _look_at_url(request: web.Request) -> None:
    for name in request.query:
        if _TOKEN_NAME.search(re.sub(r"[^a-z]", "", name.lower())):
            raise web.HTTPBadRequest(text=_IN_URL)


def set_session(response: web.Response, cookie: str, *, is_secure: bool) -> None:
    """Have a browser keep a session; one by HTTPS for HTTPS only."""
    response.set_cookie(
        SECURE_SESSION if is_secure else SESSION,
        cookie,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=is_secure,
    )


def end_session(response: web.Response) -> None:
    """Have a browser forget it."""
    response.del_cookie(SESSION, httponly=True, samesite="Strict")
    response.del_cookie(SECURE_SESSION, httponly=True, samesite="Strict", secure=True)


def is_name(text: str) -> bool:
    """Whether somebody can be called that, or nothing."""
    return len(text) <= LONGEST_NAME and text.isprintable()


def is_from_here(request: web.Request) -> bool:
    """Whether it comes by a Unix socket, or from this machine itself."""
    peer = request.remote or ""
    return peer == "" or sender(peer, "", _LOCAL).by_proxy
