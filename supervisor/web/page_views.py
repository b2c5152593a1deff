"""The pages: what people see of how everything stands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import wraps
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from supervisor.model.wire import Problem
from supervisor.web import chart
from supervisor.web.daemon_client import Absent, DaemonClient, Refused
from supervisor.web.event_page import EventPage
from supervisor.web.pages import Pages
from supervisor.web.words import changed_files, memory_by_app

_STATIC = {
    "style.css": "text/css",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_YEAR_SECONDS = 365 * 86_400
_EVENTS_OF_APP = 30
_View = Callable[["PageViews", web.Request], Awaitable[web.Response]]


def _told(view: _View) -> _View:
    """Show, too, that the daemon is not there, or why it has no answer."""

    @wraps(view)
    async def told(self: "PageViews", request: web.Request) -> web.Response:
        try:
            return await view(self, request)
        except Absent:
            left = await asyncio.to_thread(self._daemon.last_status)
            last, ended_at = left or ({}, 0.0)
            return self.page("absent.html", status=503, status_then=last, ended_at=ended_at)
        except Refused as refused:
            problem = refused.problem
            return self.page("refused.html", status=problem.status, problem=problem)

    return told


class PageViews:
    """What answers each route."""

    def __init__(self, daemon: DaemonClient, pages: Pages) -> None:
        self._daemon = daemon
        self._pages = pages
        self._static = {
            name: files("supervisor.web").joinpath("static", name).read_bytes() for name in _STATIC
        }

    @_told
    async def index(self, _: web.Request) -> web.Response:
        last = await self._last()
        status, listed, machine = await _together(
            self._daemon.json("/v1/status"),
            self._daemon.json("/v1/images"),
            self._daemon.json("/v1/machine"),
        )
        images: dict[str, list[Any]] = {}
        for one in listed.get("images", ()):
            images.setdefault(one["app"], []).append(one)
        apps = {one.name: one for one in memory_by_app(machine.get("units", ()))}
        return self.page("index.html", status_now=status, images=images, uses=apps, last=last)

    @_told
    async def app(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        query, last = {"app": name}, await self._last()
        status, images, certificates, secrets, events, machine, history = await _together(
            self._daemon.json("/v1/status", query),
            self._daemon.json("/v1/images", query),
            self._daemon.json("/v1/certificates"),
            self._daemon.json("/v1/secrets"),
            self._entries({**query, "limit": str(_EVENTS_OF_APP)}),
            self._daemon.json("/v1/machine", query),
            self._daemon.json("/v1/history", query),
        )
        return self.page(
            "app.html",
            status_now=status,
            log=await self._log(request.query.get("log", ""), status["apps"][0]),
            uses={one["unit"]: one for one in machine.get("units", ())},
            one=status["apps"][0],
            history=history,
            images=images.get("images", ()),
            certificates=_of_app(certificates.get("certificates", ()), name),
            secrets=_of_app(secrets.get("secrets", ()), name),
            events=events[::-1],
            last=last,
        )

    @_told
    async def diff(self, request: web.Request) -> web.Response:
        app = request.match_info["name"]
        old, new = (request.query.get(name, "") for name in ("old", "new"))
        if not (old and new):
            detail = "Which two releases? The address says no “old” and “new”."
            hint = f"Choose them under Releases on the page of {app}."
            problem = Problem(title="Bad Request", status=400, detail=detail, hint=hint)
            return self.page("refused.html", status=problem.status, problem=problem)
        found = await self._daemon.json("/v1/compare", {"app": app, "old": old, "new": new})
        swapped = urlencode({"old": found["new"], "new": found["old"]})
        return self.page(
            "diff.html",
            found=found,
            files=await asyncio.to_thread(changed_files, found),
            swapped=f"/apps/{quote(app, safe='')}/diff?{swapped}",
        )

    @_told
    async def events(self, request: web.Request) -> web.Response:
        asked = EventPage.of(request.query)
        last = await self._last()
        found = await self._entries(asked.query())
        return self.page("events.html", asked=asked, shown=asked.shown(found), last=last)

    @_told
    async def machine(self, _: web.Request) -> web.Response:
        last = await self._last()
        machine = await self._daemon.json("/v1/machine")
        found = chart.spans(machine.get("samples", ()))
        apps = memory_by_app(machine.get("units", ()))
        return self.page(
            "machine.html",
            machine=machine,
            found=found,
            mean=chart.whole(found),
            apps=apps,
            most=max((one.memory for one in apps), default=0) or 1,
            checks_a_minute=sum(60 / one["interval"] for one in machine.get("checks", ())),
            last=last,
        )

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._static:
            raise web.HTTPNotFound
        return web.Response(
            body=self._static[name],
            content_type=_STATIC[name],
            headers={"Cache-Control": f"max-age={_YEAR_SECONDS}, immutable"},
        )

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Answer with a page."""
        return self._pages.answer(template, status=status, **values)

    async def _log(self, unit: str, app: dict[str, Any]) -> dict[str, Any]:
        """Return the newest lines of the unit of the app whose log was opened; else nothing."""
        if unit not in {one["name"] for one in app.get("units", ())}:
            return {}
        try:
            log: dict[str, Any] = await self._daemon.json("/v1/logs", {"unit": unit})
        except Refused as refused:
            return {"unit": unit, "problem": refused.problem.detail}
        return log

    async def _last(self) -> int:
        """Return the number of the newest event, from which a page is kept true.

        To be asked before all that is shown: what comes between is shown twice, not never.
        """
        newest = await self._entries({"limit": "1"})
        return int(newest[0]["id"]) if newest else 0

    async def _entries(self, query: Mapping[str, str]) -> list[Any]:
        async with aclosing(self._daemon.lines("/v1/events", query)) as entries:
            return [one async for one in entries]


async def _together(*questions: Awaitable[Any]) -> list[Any]:
    """Ask all of it at once; raises what the first of them, in this order, has no answer for."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    for one in answers:
        if isinstance(one, BaseException):
            raise one
    return answers


def _of_app(some: list[dict[str, Any]], app: str) -> list[dict[str, Any]]:
    return [one for one in some if one.get("app") == app]
