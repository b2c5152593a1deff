"""The routes of the page, and what answers each.

| request | answer |
| --- | --- |
| `GET /` | how everything stands |
| `GET /apps/NAME` | an app: its units, releases, images, certificates, events |
| `GET /events` | the event log |
| `GET /live` | server-sent events: that something happened, by the event's number |
| `GET /metrics` | for Prometheus |
| `GET /v1/…` | the questions of the API, as the daemon answers them |
| `GET /openapi.json` | the API's document |
| `GET /static/…` | style and script |
"""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from importlib.resources import files
from typing import Any

from aiohttp import web

from supervisor import __version__
from supervisor.api.endpoints import ENDPOINTS, Answer
from supervisor.api.openapi import document
from supervisor.web import problems
from supervisor.web.daemon_client import Absent, DaemonClient, Refused
from supervisor.web.guard import guarded, with_headers
from supervisor.web.idle import Idle
from supervisor.web.pages import Pages

_STATIC = {"style.css": "text/css", "live.js": "text/javascript"}
_YEAR_SECONDS = 365 * 86_400
_EVENTS_SHOWN = 100
_EVENTS_OF_APP = 30
_READ_QUESTIONS = tuple(
    one for one in ENDPOINTS if one.method == "GET" and one.answer is Answer.WHOLE
)


def application(
    daemon: DaemonClient, idle: Idle, *, names: Collection[str] = ()
) -> web.Application:
    """Put it together; `names` are those by which it is reached, besides the machine's own."""
    views = _Views(daemon, Pages())
    app = web.Application(middlewares=[idle.counted, problems.told, guarded(names)])
    app.on_response_prepare.append(with_headers)
    app.router.add_get("/", views.index)
    app.router.add_get("/apps/{name}", views.app)
    app.router.add_get("/events", views.events)
    app.router.add_get("/live", views.live)
    app.router.add_get("/metrics", views.metrics)
    app.router.add_get("/openapi.json", views.openapi)
    app.router.add_get("/static/{file}", views.static)
    for one in _READ_QUESTIONS:
        app.router.add_get(one.path, views.question)
    app.router.add_get("/v1/events", views.entries)
    return app


class _Views:
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

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Say the number of each event as it comes, after the last one that the page knows."""
        after = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
        if not after.isascii() or not after.isdecimal():
            raise web.HTTPBadRequest(text="after: a number")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        entries = self._daemon.lines("/v1/events", {"after_id": after, "follow": "true"})
        try:
            async with aclosing(entries):
                async for entry in entries:
                    await response.write(f"id: {entry['id']}\ndata: {entry['id']}\n\n".encode())
        except (Absent, Refused, ConnectionError):
            pass  # the browser asks again, after a while
        return response

    async def metrics(self, _: web.Request) -> web.Response:
        from supervisor.api.metrics import (  # noqa: PLC0415  # seldom asked for
            QUESTIONS,
            Answers,
            exposition,
        )

        try:
            answers = Answers.read({path: await self._daemon.ask(path) for path in QUESTIONS})
        except Absent:
            answers = None
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body=exposition(answers), headers={"Content-Type": kind})

    async def question(self, request: web.Request) -> web.Response:
        """Hand a question on to the daemon, and its answer back."""
        try:
            body = await self._daemon.ask(request.path, request.query)
        except Absent:
            return problems.answer(problems.ABSENT)
        except Refused as refused:
            return problems.answer(refused.problem)
        return web.Response(body=body, content_type="application/json")

    async def entries(self, request: web.Request) -> web.StreamResponse:
        """Hand on entries of the event log, as they come."""
        entries = self._daemon.lines("/v1/events", dict(request.query))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            async with aclosing(entries):
                async for entry in entries:
                    if not response.prepared:
                        await response.prepare(request)
                    await response.write(json.dumps(entry).encode() + b"\n")
        except Absent:
            if not response.prepared:
                return problems.answer(problems.ABSENT)
        except Refused as refused:
            return problems.answer(refused.problem)
        if not response.prepared:
            await response.prepare(request)
        return response

    async def openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document(__version__))

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
