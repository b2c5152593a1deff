"""The pages: what people see of how everything stands."""

from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

from aiohttp import web

from supervisor.web.daemon_client import Absent, DaemonClient, Refused
from supervisor.web.pages import Pages

_STATIC = {"style.css": "text/css", "live.js": "text/javascript"}
_YEAR_SECONDS = 365 * 86_400
_EVENTS_SHOWN = 100
_EVENTS_OF_APP = 30


class PageViews:
    """What answers each route."""

    def __init__(self, daemon: DaemonClient, pages: Pages) -> None:
        self._daemon = daemon
        self._pages = pages
        self._static = {
            name: files("supervisor.web").joinpath("static", name).read_bytes() for name in _STATIC
        }

    async def index(self, _: web.Request) -> web.Response:
        try:
            status = await self._daemon.json("/v1/status")
            last = [one async for one in self._entries(limit=1)]
        except Absent:
            return self._page("absent.html", status=503)
        return self._page("index.html", status_now=status, last=last[0]["id"] if last else 0)

    async def app(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        query = {"app": name}
        try:
            status = await self._daemon.json("/v1/status", query)
            history = await self._daemon.json("/v1/history", query)
            images = await self._daemon.json("/v1/images", query)
            certificates = await self._daemon.json("/v1/certificates")
            events = [one async for one in self._entries(app=name, limit=_EVENTS_OF_APP)]
            last = [one async for one in self._entries(limit=1)]
        except Absent:
            return self._page("absent.html", status=503)
        except Refused as refused:
            return self._page("refused.html", status=404, problem=refused.problem)
        return self._page(
            "app.html",
            status_now=status,
            one=status["apps"][0],
            history=history,
            images=images.get("images", ()),
            certificates=[
                one for one in certificates.get("certificates", ()) if one["app"] == name
            ],
            events=events[::-1],
            last=last[0]["id"] if last else 0,
        )

    async def events(self, request: web.Request) -> web.Response:
        wish = {key: request.query.get(key, "") for key in ("app", "unit")}
        try:
            found = [one async for one in self._entries(limit=_EVENTS_SHOWN, **wish)]
        except Absent:
            return self._page("absent.html", status=503)
        except Refused as refused:
            return self._page("refused.html", status=404, problem=refused.problem)
        last = found[-1]["id"] if found else 0
        return self._page("events.html", events=found[::-1], wish=wish, last=last)

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._static:
            raise web.HTTPNotFound
        return web.Response(
            body=self._static[name],
            content_type=_STATIC[name],
            headers={"Cache-Control": f"max-age={_YEAR_SECONDS}, immutable"},
        )

    def _page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        text = self._pages.render(template, **values)
        return web.Response(text=text, status=status, content_type="text/html")

    async def _entries(self, *, limit: int, app: str = "", unit: str = "") -> AsyncIterator[Any]:
        query = {"limit": str(limit), "app": app, "unit": unit}
        async for one in self._daemon.lines("/v1/events", query):
            yield one
