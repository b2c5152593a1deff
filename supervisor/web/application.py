"""The routes of the page, and what answers each.

| request | answer |
| --- | --- |
| `GET /` | how everything stands |
| `GET /apps/NAME` | an app: its units, releases, images, certificates, secrets, events |
| `GET /events` | the event log |
| `GET /live` | server-sent events: that something happened, by the event's number; the version |
| `GET /metrics` | for Prometheus |
| `GET /v1/…` | the questions of the API, as the daemon answers them |
| `GET /openapi.json` | the API's document |
| `GET /static/…` | style and script |
"""

from collections.abc import Collection

from aiohttp import web

from supervisor.api.endpoints import ENDPOINTS, Answer
from supervisor.web import problems
from supervisor.web.api_views import ApiViews
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.guard import guarded, with_headers
from supervisor.web.idle import Idle
from supervisor.web.page_views import PageViews
from supervisor.web.pages import Pages

_READ_QUESTIONS = tuple(
    one for one in ENDPOINTS if one.method == "GET" and one.answer is Answer.WHOLE
)


def application(
    daemon: DaemonClient, idle: Idle, *, names: Collection[str] = ()
) -> web.Application:
    """Put it together; `names` are those by which it is reached, besides the machine's own."""
    pages, api = PageViews(daemon, Pages()), ApiViews(daemon)
    app = web.Application(middlewares=[idle.counted, problems.told, guarded(names)])
    app.on_response_prepare.append(with_headers)
    app.router.add_get("/", pages.index)
    app.router.add_get("/apps/{name:[^/]+}", pages.app)
    app.router.add_get("/events", pages.events)
    app.router.add_get("/live", api.live)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/openapi.json", api.openapi)
    app.router.add_get("/static/{file}", pages.static)
    for one in _READ_QUESTIONS:
        app.router.add_get(one.path, api.question)
    app.router.add_get("/v1/events", api.entries)
    return app
