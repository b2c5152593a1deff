"""The routes of the page, and what answers each.

| request | answer |
| --- | --- |
| `GET /` | how everything stands |
| `GET /apps/NAME` | an app: its units, releases, images, certificates, secrets, events |
| `GET /apps/NAME/diff` | what two of its releases differ in |
| `GET /events` | the event log |
| `GET /machine` | what podvisor and its apps take of the machine |
| `GET /live` | server-sent events: that something happened, by the event's number; the version |
| `GET /metrics` | for Prometheus |
| `GET /v1/…` | the questions of the API, as the daemon answers them |
| `GET /openapi.json` | the API's document |
| `GET /static/…` | style and script |

Where people may log in, also `/login` and `/logout`, and where it takes orders

| request | answer |
| --- | --- |
| `GET /orders/NAME` | the form of an order |
| `POST /orders/NAME` | have it carried out |
| `GET /ordered/NAME` | what came of it |
| `POST /v1/…` | the orders of the API, for programs |
"""

from collections.abc import Collection

from aiohttp import web

from supervisor.api.endpoints import ENDPOINTS, Answer
from supervisor.web import problems
from supervisor.web.access import Access
from supervisor.web.api_views import ApiViews
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.forms import LARGEST
from supervisor.web.guard import guarded, with_headers
from supervisor.web.idle import Idle
from supervisor.web.login_views import LoginViews
from supervisor.web.order_client import OrderClient
from supervisor.web.order_views import OrderViews
from supervisor.web.page_views import PageViews
from supervisor.web.pages import Pages
from supervisor.web.runs import Runs

_READ_QUESTIONS = tuple(
    one for one in ENDPOINTS if one.method == "GET" and one.answer is Answer.WHOLE
)


def application(
    daemon: DaemonClient,
    idle: Idle,
    *,
    names: Collection[str] = (),
    access: Access | None = None,
    orders: OrderClient | None = None,
) -> web.Application:
    """Put it together; `names` are those by which it is reached, besides the machine's own.

    Without `access` it asks nobody who they are; without `orders` it takes none.
    """
    access, shown = access or Access(), Pages()
    pages, api = PageViews(daemon, shown), ApiViews(daemon)
    guard = guarded(names, takes_forms=access.token is not None or orders is not None)
    app = web.Application(
        middlewares=[idle.counted, problems.told(shown), guard, access.known],
        client_max_size=LARGEST,
    )
    app.on_response_prepare.append(with_headers)
    if access.token is not None:
        logins = LoginViews(access, shown)
        app.router.add_get("/login", logins.ask)
        app.router.add_post("/login", logins.log_in)
        app.router.add_post("/logout", logins.log_out)
    if orders is not None:
        views = OrderViews(orders, daemon, Runs(orders, idle), shown)
        app.router.add_get("/orders/{order}", views.ask)
        app.router.add_post("/orders/{order}", views.take)
        app.router.add_get("/ordered/{name}", views.result)
        for one in ENDPOINTS:
            if one.method == "POST":
                app.router.add_post(one.path, views.relay)
    app.router.add_get("/", pages.index)
    app.router.add_get("/apps/{name:[^/]+}", pages.app)
    app.router.add_get("/apps/{name:[^/]+}/diff", pages.diff)
    app.router.add_get("/events", pages.events)
    app.router.add_get("/machine", pages.machine)
    # A stream has no length and no end that could be told without it.
    app.router.add_get("/live", api.live, allow_head=False)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/openapi.json", api.openapi)
    app.router.add_get("/static/{file}", pages.static)
    for one in _READ_QUESTIONS:
        app.router.add_get(one.path, api.question)
    app.router.add_get("/v1/events", api.entries, allow_head=False)
    return app
