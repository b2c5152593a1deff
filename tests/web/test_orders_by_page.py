"""The page's orders: who may give them, how they look, and what the daemon is told."""

import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from supervisor.model.errors import Finding, Stalled
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.status import (
    AppState,
    OrderRequest,
    ScaleRequest,
    SyncRequest,
)
from supervisor.web.sessions import Sessions
from supervisor.web.token import Token
from tests.web.conftest import TOKEN
from tests.web.order_service import OrderService

BEARER = {"Authorization": f"Bearer {TOKEN}"}
ONCE = re.compile(r'name="once" value="([^"]+)"')
PROOF = re.compile(r'name="proof" value="([^"]+)"')


@pytest.fixture
def service() -> OrderService:
    return OrderService()


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("sessions")
    yield descriptor
    os.close(descriptor)


@pytest.fixture
async def page(make: Any) -> Any:
    return await make()


def origin(page: Any) -> dict[str, str]:
    """What a browser says of a form of the page's own."""
    return {"Origin": f"http://127.0.0.1:{page.port}", "Sec-Fetch-Site": "same-origin"}


async def post(page: Any, path: str, headers: Any = None, **fields: str) -> Any:
    headers = origin(page) if headers is None else headers
    return await page.post(path, data=fields, headers=headers, allow_redirects=False)


async def log_in(page: Any, name: str = "anna") -> None:
    answer = await post(page, "/login", token=TOKEN, name=name)
    assert (answer.status, answer.headers["Location"]) == (303, "/")


async def forms(page: Any, path: str = "/apps/web") -> dict[str, str]:
    """The hidden fields of the first form for an order."""
    text = await (await page.get(path)).text()
    return {"proof": PROOF.findall(text)[-1], "once": ONCE.findall(text)[0]}


async def told(page: Any, answer: Any) -> str:
    """What is shown of an order once it is over."""
    assert answer.status == 303, await answer.text()
    place = answer.headers["Location"]
    with anyio.fail_after(20):
        while "http-equiv" in (text := await (await page.get(place)).text()):
            await anyio.lowlevel.checkpoint()
    return text


class TestLogin:
    async def test_only_with_the_token(self, page: Any, service: OrderService) -> None:
        assert "/login" in await (await page.get("/")).text()
        for wrong in ("", TOKEN[:-1], f"{TOKEN}x", "ü"):
            answer = await post(page, "/login", token=wrong, name="anna")
            assert answer.status == 401
            assert "Set-Cookie" not in answer.headers
        await log_in(page)
        text = await (await page.get("/")).text()
        assert "anna" in text
        assert "Sync all" in text
        assert TOKEN not in text

    async def test_the_cookie_is_nobody_elses(self, page: Any) -> None:
        answer = await post(page, "/login", token=TOKEN)
        (cookie,) = answer.headers.getall("Set-Cookie")
        assert cookie.startswith("podvisor=")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        secure = {"Origin": "https://127.0.0.1", "Host": "127.0.0.1"}
        answer = await post(page, "/login", secure, token=TOKEN)
        (cookie,) = answer.headers.getall("Set-Cookie")
        assert cookie.startswith("__Host-podvisor=")
        assert "Secure" in cookie

    async def test_a_cookie_that_was_changed_or_is_of_another_token(self, make: Any) -> None:
        first, other = await make(), Token(b"another token, as long")
        second = await make(token=other, sessions=Sessions(other.owner))
        cookie = (await post(first, "/login", token=TOKEN, name="anna")).cookies["podvisor"].value
        forged = f"{cookie}x", cookie[:-1], cookie.swapcase()
        for one in (cookie, *forged, "", "x", "...", "ü" * 9, "a" * 9_000):
            headers = {"Cookie": f"podvisor={one}"}
            answer = await second.get("/orders/suspend", headers=headers, allow_redirects=False)
            assert answer.status in {303, 400}
        first.session.cookie_jar.clear()
        for one in forged:
            headers = {"Cookie": f"podvisor={one}"}
            answer = await first.get("/orders/suspend", headers=headers, allow_redirects=False)
            assert answer.status == 303

    async def test_a_session_outlives_the_process_and_ends_with_log_out(
        self, make: Any, memory: int
    ) -> None:
        page = await make(sessions=Sessions("x", memory))
        await log_in(page)
        copied = {one.key: one.value for one in page.session.cookie_jar}
        later = await make(sessions=Sessions("x", memory))
        assert "anna" in await (await later.get("/", cookies=copied)).text()
        other = await make(sessions=Sessions("x", memory))
        await log_in(other, name="bea")

        page = await make(sessions=Sessions("x", memory))
        page.session.cookie_jar.update_cookies(copied)
        proof = (await forms(page))["proof"]
        assert (await post(page, "/logout", proof="0" * 64)).status == 403
        assert (await post(page, "/logout", proof=proof)).status == 303
        assert "Sync all" not in await (await page.get("/")).text()
        for one in (page, await make(sessions=Sessions("x", memory))):
            assert "Sync all" not in await (await one.get("/", cookies=copied)).text()
            answer = await one.get("/orders/suspend", cookies=copied, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        theirs = {one.key: one.value for one in other.session.cookie_jar}
        later = await make(sessions=Sessions("x", memory))
        assert "bea" in await (await later.get("/", cookies=theirs)).text()

    @pytest.mark.parametrize(
        "place", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\r\nX: y"]
    )
    async def test_leads_nowhere_else(self, page: Any, place: str) -> None:
        answer = await post(page, "/login", token=TOKEN, next=place)
        assert answer.headers["Location"] == "/"
        assert "X" not in answer.headers
        answer = await post(page, "/login", token=TOKEN, next="/apps/web?a=b")
        assert answer.headers["Location"] == "/apps/web?a=b"


class TestOrders:
    async def test_read_only_is_the_default(self, make: Any, service: OrderService) -> None:
        page = await make(actions=False)
        await log_in(page)
        assert "Sync" not in await (await page.get("/apps/web")).text()
        assert (await page.get("/orders/sync")).status == 404
        assert (await post(page, "/orders/sync")).status == 404
        for path in ("/v1/sync", "/v1/plan"):
            assert (await page.post(path, json={}, headers=BEARER)).status in {404, 405}
        assert service.taken == []

    async def test_who_only_looks_orders_nothing(self, page: Any, service: OrderService) -> None:
        text = await (await page.get("/apps/web")).text()
        assert "<button>Sync" not in text
        for path in ("/orders/sync", "/orders/suspend?app=web", "/ordered/x"):
            answer = await page.get(path, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        assert (await post(page, "/orders/sync", app="web")).status == 303
        assert (await page.post("/v1/sync", json={})).status == 401
        assert service.taken == []

    async def test_an_order_is_carried_out_once_and_told(
        self, page: Any, service: OrderService
    ) -> None:
        await log_in(page)
        service.goes_on = anyio.Event()
        hidden = await forms(page)
        first = await post(page, "/orders/sync", app="web", **hidden)
        second = await post(page, "/orders/sync", app="web", **hidden)  # a double click
        assert first.headers["Location"] == second.headers["Location"]
        text = await (await page.get(first.headers["Location"])).text()
        assert "under way" in text
        service.goes_on.set()
        text = await told(page, first)
        assert 'Sync web: <span class="good">done' in text
        assert "ordered by anna (page)" in text
        assert "by the push" in text
        assert service.taken == [("sync", SyncRequest(apps=("web",)), "anna (page)")]

    async def test_what_the_daemon_refuses_is_said(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        service.refusal = Stalled("nothing <b>failed</b>", hint="podvisor history web")
        text = await told(page, await post(page, "/orders/retry", app="web", **await forms(page)))
        assert "it was not done" in text
        assert "nothing &lt;b&gt;failed&lt;/b&gt;" in text
        assert "podvisor history web" in text

    @pytest.mark.parametrize("app", ["web", ""])
    async def test_what_fails_all_the_same_is_said(
        self, page: Any, service: OrderService, app: str
    ) -> None:
        await log_in(page)
        hidden = await forms(page)
        finding = Finding(message="bad was taken back", hint="push", app="web")
        (web,) = service.apps
        web = msgspec.structs.replace(web, state=AppState.REVERTED, findings=(finding,))
        other = msgspec.structs.replace(web, name="other")
        service.apps = (web,) if app else (web, other)
        text = await told(page, await post(page, "/orders/resume", app=app, **hidden))
        assert '<span class="bad">done, and not well</span>' in text
        assert text.count("bad was taken back") == (1 if app else 2)

    async def test_an_order_for_one_app_is_not_measured_by_another(
        self, page: Any, service: OrderService
    ) -> None:
        await log_in(page)
        hidden = await forms(page)
        (web,) = service.apps
        service.apps = (web, msgspec.structs.replace(web, name="other", state=AppState.FAILING))
        text = await told(page, await post(page, "/orders/sync", app="web", **hidden))
        assert 'Sync web: <span class="good">done' in text

    async def test_a_rollback_names_what_was_clicked(
        self, page: Any, service: OrderService
    ) -> None:
        await log_in(page)
        service.rollouts = (
            msgspec.structs.replace(_rollout("b" * 40, release="2" * 40), subject="Serve <more>"),
            _rollout("a" * 40, release="1" * 40),
        )
        text = await (await page.get(f"/orders/rollback?app=web&revision={'2' * 40}")).text()
        assert "<h1>Roll back web to bbbbbbbb</h1>" in text
        assert "“Serve &lt;more&gt;”" in text
        assert "22222222" in text
        text = await (await page.get("/orders/rollback?app=web&revision=3333")).text()
        assert "<h1>Roll back web to 3333</h1>" in text

    async def test_what_stops_something_is_confirmed(
        self, page: Any, service: OrderService
    ) -> None:
        await log_in(page)
        hidden = await forms(page)
        answer = await post(page, "/orders/rollback", app="web", revision="abc", **hidden)
        text = await answer.text()
        assert (answer.status, service.taken) == (200, [])
        assert "Roll back web to abc" in text
        fields = {"app": "web", "revision": "abc", "reason": "it is slow", "confirmed": "yes"}
        await told(page, await post(page, "/orders/rollback", **fields, **hidden))
        order = OrderRequest(apps=("web",), revision="abc", reason="it is slow")
        ((what, wish, by),) = service.taken
        assert (what, wish.revision, wish.reason, by) == (
            "rollback",
            order.revision,
            order.reason,
            "anna (page)",
        )

    async def test_none_at_all_is_confirmed_twice(self, page: Any, service: OrderService) -> None:
        await log_in(page, name="")
        fields = {"app": "web", "unit": "web@.service", "replicas": "0", "confirmed": "yes"}
        answer = await post(page, "/orders/scale", **fields, **await forms(page))
        text = await answer.text()
        assert (answer.status, service.taken) == (200, [])
        assert "None of it will run." in text
        again = {**fields, "confirmed": re.findall(r'"confirmed" value="(\w+)"', text)[0]}
        await told(page, await post(page, "/orders/scale", **again, **await forms(page)))
        request = ScaleRequest(app="web", unit="web@.service", replicas=0)
        assert service.taken == [("scale", request, "token (page)")]

    async def test_a_suspension_has_a_length(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        fields = {"app": "web", "confirmed": "yes", "duration": "soon"}
        answer = await post(page, "/orders/suspend", **fields, **await forms(page))
        assert answer.status == 400
        fields["duration"] = "2h"
        await told(page, await post(page, "/orders/suspend", **fields, **await forms(page)))
        assert [(what, wish.seconds) for what, wish, _ in service.taken] == [("suspend", 7_200)]

    async def test_every_button_leads_somewhere(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        service.rollouts = (
            _rollout("b" * 40, release="2" * 40),
            _rollout("a" * 40, release="1" * 40),
        )
        for path in ("/", "/apps/web"):
            text = await (await page.get(path)).text()
            for place in re.findall(r'href="(/orders/[^"]+)"', text):
                answer = await page.get(place.replace("&amp;", "&"))
                assert answer.status == 200
                assert "<form" in await answer.text()
        assert "/orders/rollback?app=web&amp;revision=1111" in text
        assert "/orders/scale?app=web&amp;unit=web%40.service" in text

    async def test_without_a_daemon(self, make: Any, orders: Path) -> None:
        page = await make()
        await log_in(page)
        hidden = await forms(page)
        orders.unlink()  # noqa: ASYNC240  # one system call
        text = await told(page, await post(page, "/orders/sync", **hidden))
        assert "the daemon is not running" in text
        answer = await page.post("/v1/sync", json={}, headers=BEARER)
        assert answer.status == 503

    async def test_the_daemon_has_the_last_word(self, page: Any, service: OrderService) -> None:
        service.is_allowed = False
        await log_in(page)
        text = await told(page, await post(page, "/orders/sync", **await forms(page)))
        assert "the page takes no orders" in text
        answer = await page.post("/v1/sync", json={}, headers=BEARER)
        assert answer.status == 403
        assert service.taken == []


def _rollout(revision: str, *, release: str) -> Rollout:
    return Rollout(
        name="web",
        release=release,
        source="home",
        revision=revision,
        root="web",
        files=(),
        outcome=Outcome.GOOD,
        began_at=1.0,
        ended_at=2.0,
    )


class TestOtherSites:
    @pytest.mark.parametrize(
        "said",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Origin": ""},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
            {},
        ],
    )
    async def test_no_form_of_theirs(
        self, page: Any, service: OrderService, said: dict[str, str]
    ) -> None:
        await log_in(page)
        answer = await post(page, "/orders/sync", said, app="web", **await forms(page))
        assert answer.status == 403
        assert service.taken == []

    async def test_a_person_is_told_in_words(self, page: Any) -> None:
        await log_in(page)
        headers = {**origin(page), "Accept": "text/html,*/*"}
        for path, status in (("/orders/sync", 403), ("/orders/none", 404), ("/none", 404)):
            answer = await post(page, path, headers, proof="0")
            assert (answer.status, answer.content_type) == (status, "text/html")
            assert "<h1>" in await answer.text()

    async def test_another_port_is_another_site(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        headers = {"Origin": f"http://127.0.0.1:{page.port + 1}"}
        assert (await post(page, "/orders/sync", headers, **await forms(page))).status == 403
        assert service.taken == []

    async def test_they_are_told_what_is_missing(self, page: Any) -> None:
        await log_in(page)
        hidden = await forms(page)
        text = await (await post(page, "/orders/sync", {}, **hidden)).text()
        assert "there is no Origin" in text
        headers = {"Origin": "https://podvisor.example.org"}
        text = await (await post(page, "/orders/sync", headers, **hidden)).text()
        assert f"of https://podvisor.example.org, and here is 127.0.0.1:{page.port}." in text

    async def test_programs_are_told_by_which_method(self, page: Any) -> None:
        for method, path, allowed in (("PUT", "/v1/sync", "POST"), ("POST", "/v1/status", "GET")):
            answer = await page.request(method, path, headers=BEARER)
            assert answer.status == 405
            assert allowed in answer.headers["Allow"]
            said = (await answer.json(content_type=None))["detail"]
            assert f"by {allowed}" in said
            assert said.endswith(f"not by {method}")

    async def test_no_form_without_the_proof(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        for proof in ({}, {"proof": ""}, {"proof": "0" * 64}, {"proof": "ü"}):
            assert (await post(page, "/orders/sync", **proof)).status == 403
        assert service.taken == []

    async def test_the_proof_of_another_session(self, make: Any, service: OrderService) -> None:
        page, other = await make(), await make()
        await log_in(page)
        await log_in(other)
        assert (await post(page, "/orders/sync", **await forms(other))).status == 403
        assert service.taken == []


class TestForms:
    async def test_what_is_not_asked_for(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        hidden = await forms(page)
        answer = await post(page, "/orders/sync", prune_all="1", **hidden)
        assert answer.status == 400
        assert "there is no field “prune_all”" in await answer.text()
        twice = f"app=a&app=b&proof={hidden['proof']}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for body in (twice, "app=%ff", "&".join(f"a{number}=1" for number in range(99))):
            answer = await page.post("/orders/sync", data=body, headers={**origin(page), **kind})
            assert answer.status == 400
        answer = await page.post("/orders/sync", json=hidden, headers=origin(page))
        assert answer.status == 415
        assert (await post(page, "/orders/reboot", **hidden)).status == 404
        assert service.taken == []

    async def test_what_is_too_large(self, page: Any, service: OrderService) -> None:
        await log_in(page)
        large = "x" * (10 << 20)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await page.post(
            "/orders/sync", data=io.BytesIO(large.encode()), headers={**origin(page), **kind}
        )
        assert answer.status == 413
        answer = await page.post(
            "/v1/sync",
            data=io.BytesIO(large.encode()),
            headers={**BEARER, "Content-Type": "application/json"},
        )
        assert answer.status == 413
        assert service.taken == []


class TestPrograms:
    async def test_with_the_token_all_that_the_command_line_does(
        self, page: Any, service: OrderService
    ) -> None:
        answer = await page.post("/v1/sync", json={"apps": ["web"]}, headers=BEARER)
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [next(iter(line)) for line in lines] == ["event", "reply"]
        assert service.taken[0][2] == "token (API)"
        answer = await page.post("/v1/plan", data=b"", headers=BEARER)
        assert answer.status == 200
        answer = await page.post("/v1/sync", json={"apps": ["web"], "x": 1}, headers=BEARER)
        assert answer.status == 400
        assert "unknown field" in (await answer.json(content_type=None))["detail"]

    async def test_without_it_none(self, page: Any, service: OrderService) -> None:
        asked = [
            await page.post("/v1/sync", json={}),
            await page.post("/v1/sync", json={}, headers={"Authorization": "Bearer x"}),
            await page.post("/v1/sync", json={}, headers={"Authorization": "Basic eDp5"}),
        ]
        await log_in(page)  # a cookie is for people
        asked.append(await page.post("/v1/sync", json={}, headers=origin(page)))
        assert [one.status for one in asked] == [401, 401, 401, 403]
        assert all(one.content_type == "application/problem+json" for one in asked)
        assert "Bearer" in asked[0].headers["WWW-Authenticate"]
        assert service.taken == []

    async def test_it_is_json(self, page: Any, service: OrderService) -> None:
        headers = {**BEARER, "Content-Type": "text/plain"}
        assert (await page.post("/v1/sync", data=b"{}", headers=headers)).status == 415
        assert service.taken == []


class TestBehindAProxy:
    async def test_its_word_is_taken(self, make: Any, service: OrderService) -> None:
        page = await make(token=None, user_header="Remote-User")
        page.session.headers["Remote-User"] = "bea"
        hidden = await forms(page)
        await told(page, await post(page, "/orders/resume", app="web", **hidden))
        page.session.cookie_jar.clear()
        answer = await page.post("/v1/sync", json={})
        assert answer.status == 200
        assert [by for _, _, by in service.taken] == ["bea (page)", "bea (API)"]
        forged = {"Origin": "http://evil.example", "Content-Type": "application/json"}
        assert (await page.post("/v1/sync", data=b"{}", headers=forged)).status == 403

    async def test_over_tls_its_forms_are_for_tls_alone(
        self, make: Any, service: OrderService
    ) -> None:
        page = await make(token=None, user_header="Remote-User")
        said = {"Remote-User": "bea", "X-Forwarded-Proto": "https"}
        answer = await page.get("/apps/web", headers=said)
        (cookie,) = answer.headers.getall("Set-Cookie")
        assert cookie.startswith("__Host-podvisor-forms=")
        assert "Secure" in cookie
        kept, text = cookie.partition(";")[0], await answer.text()
        hidden = {"proof": PROOF.findall(text)[-1], "once": ONCE.findall(text)[0]}
        own = {"Origin": "https://podvisor.example.org", "Host": "podvisor.example.org"}
        page.session.cookie_jar.clear()
        planted = {"Cookie": kept.removeprefix("__Host-")}
        for sent, status in ((planted, 403), ({"Cookie": kept}, 303)):
            headers = {**said, **own, **sent}
            assert (await post(page, "/orders/sync", headers, **hidden)).status == status
        assert "Set-Cookie" not in (await page.get("/", headers={**said, "Cookie": kept})).headers

    async def test_whom_it_does_not_name(self, make: Any, service: OrderService) -> None:
        page = await make(token=None, user_header="Remote-User")
        assert "<button>Sync" not in await (await page.get("/apps/web")).text()
        assert (await page.get("/orders/suspend")).status == 403
        for nobody in ("", "{http.reverse_proxy.header.Remote-User}", "{http.auth.user.id}"):
            headers = {"Remote-User": nobody}
            assert "logout" not in await (await page.get("/", headers=headers)).text()
            assert (await page.get("/orders/suspend", headers=headers)).status == 403
        headers = [("Remote-User", "a"), ("Remote-User", "b")]
        assert (await page.get("/", headers=headers)).status == 400
        assert (await page.get("/", headers={"Remote-User": "x" * 99})).status == 400
        assert (await page.get("/", headers={"Remote-User": "x\u202ey"})).status == 400

    async def test_without_the_setting_it_is_nothing(self, page: Any) -> None:
        answer = await page.get("/orders/suspend", headers={"Remote-User": "bea"})
        assert "Log in" in await answer.text()


class TestWhereOthersCome:
    async def test_behind_a_proxy_alone_too(self, make: Any, service: OrderService) -> None:
        page = await make(token=None, user_header="Remote-User", is_closed=True)
        for path, status in (("/", 403), ("/v1/status", 401), ("/metrics", 401)):
            assert (await page.get(path)).status == status
            assert (await page.get(path, headers={"Remote-User": "bea"})).status == 200
        assert "Remote-User is empty" in await (await page.get("/")).text()

    async def test_who_looks_says_who_it_is(self, make: Any, service: OrderService) -> None:
        page = await make(actions=False, is_closed=True)
        for path in ("/", "/apps/web", "/events"):
            answer = await page.get(path, allow_redirects=False)
            assert answer.status == 303
            assert answer.headers["Location"].startswith("/login?next=")
        for path in ("/v1/status", "/metrics", "/live", "/openapi.json"):
            assert (await page.get(path)).status == 401
            assert (await page.get(path, headers={"Authorization": "Bearer no"})).status == 401
        assert service.looks == 0
        assert (await page.get("/static/style.css")).status == 200
        assert (await page.get("/metrics", headers=BEARER)).status == 200
        await log_in(page)
        assert (await page.get("/apps/web")).status == 200
