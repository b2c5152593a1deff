"""Orders: the forms of those that the page offers, how each went, and all of the API's."""

import re

import aiohttp
from aiohttp import web

from supervisor.web import problems
from supervisor.web.daemon_client import Absent, DaemonClient, Refused
from supervisor.web.forms import body, check_proof, form
from supervisor.web.order_client import OrderClient
from supervisor.web.orders import ORDERS, Given, PageOrder
from supervisor.web.pages import Pages
from supervisor.web.runs import Runs, TooMany
from supervisor.web.visitor import VISITOR, once
from supervisor.web.words import Release, releases_of

_ONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_JSON = "application/json"
_CHUNK = 64 << 10


class OrderViews:
    """What answers each route."""

    def __init__(
        self, daemon: OrderClient, questions: DaemonClient, runs: Runs, pages: Pages
    ) -> None:
        self._daemon = daemon
        self._questions = questions
        self._runs = runs
        self._pages = pages

    async def ask(self, request: web.Request) -> web.Response:
        """Show the form of an order."""
        _check_may_order()
        order = _order(request)
        given = {name: request.query.get(name, "") for name in order.about}
        return await self._form(order, given)

    async def take(self, request: web.Request) -> web.Response:
        """Take the form of an order: show it once more if it is to be confirmed, or begin."""
        _check_may_order()
        order = _order(request)
        given = await form(request, order.known)
        check_proof(given)
        try:
            wish = order.body(given)
        except ValueError as error:
            return await self._form(order, given, problem=str(error), status=400)
        confirmed, warning = given.get("confirmed", ""), order.warning(given)
        if (order.asks and not confirmed) or (warning and confirmed != "again"):
            return await self._form(order, given, warning=warning)
        name = given.get("once", "")
        if not _ONCE.fullmatch(name):
            name = once()
        visitor = VISITOR.get()
        try:
            self._runs.begin(order, wish, app=given.get("app", ""), by=visitor.signature, name=name)
        except TooMany:
            problem = "Too many orders are being carried out: wait until one has ended."
            return await self._form(order, given, problem=problem, status=429)
        return web.Response(status=303, headers={"Location": f"/ordered/{name}"})

    async def result(self, request: web.Request) -> web.Response:
        """Show what came of an order up to now."""
        _check_may_order()
        run = self._runs.get(request.match_info["name"])
        return self._pages.answer("ordered.html", status=200 if run else 404, run=run)

    async def relay(self, request: web.Request) -> web.StreamResponse:
        """Hand an order of a program on to the daemon, and what it says back as it comes."""
        visitor = VISITOR.get()
        if not visitor.is_known:
            headers = {"WWW-Authenticate": 'Bearer realm="podvisor"'}
            raise web.HTTPUnauthorized(text="orders need the token", headers=headers)
        if not visitor.is_program and not visitor.by_proxy:
            raise web.HTTPForbidden(text="send the token: Authorization: Bearer TOKEN")
        content = await body(request)
        if request.content_type != _JSON and (content or visitor.by_proxy):
            raise web.HTTPUnsupportedMediaType(text=f"send it as {_JSON}")
        by = visitor.signature if visitor.is_program else f"{visitor.shown} (API)"
        response = web.StreamResponse()
        try:
            async with self._daemon.send(request.path, content, by=by) as told:
                response.set_status(told.status)
                response.content_type = told.content_type
                await response.prepare(request)
                async for chunk in told.content.iter_chunked(_CHUNK):
                    await response.write(chunk)
        except (aiohttp.ClientError, OSError):
            if not response.prepared:
                return problems.answer(problems.ABSENT)
        return response

    async def _form(
        self,
        order: PageOrder,
        given: Given,
        *,
        problem: str = "",
        warning: str = "",
        status: int = 200,
    ) -> web.Response:
        return self._pages.answer(
            "order.html",
            status=status,
            order=order,
            given=given,
            release=await self._release(given),
            problem=problem,
            warning=warning,
        )

    async def _release(self, given: Given) -> Release | None:
        """Return the release that a form names, if it can be had."""
        wish = given.get("revision")
        if not wish:
            return None
        try:
            history = await self._questions.json("/v1/history", {"app": given.get("app", "")})
        except (Absent, Refused):
            return None
        return next((one for one in releases_of(history) if one.release == wish), None)


def _order(request: web.Request) -> PageOrder:
    order = ORDERS.get(request.match_info["order"])
    if order is None:
        raise web.HTTPNotFound(text="There is no such order.")
    return order


def _check_may_order() -> None:
    """Raise an error of HTTP for who may only look."""
    visitor = VISITOR.get()
    if visitor.may_order and not visitor.is_program:
        return
    if visitor.can_log_in and not visitor.is_known:
        raise web.HTTPSeeOther("/login")
    raise web.HTTPForbidden(text="You may look here, and not order anything.")
