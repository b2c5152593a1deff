import json
import os
import re
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application

from supervisor.api import last_status
from supervisor.model.comparison import Comparison, ImagePair
from supervisor.model.counters import ProcessUsage
from supervisor.model.diff import TextPair
from supervisor.model.errors import Finding
from supervisor.model.events import Event, EventKind
from supervisor.model.health import Health
from supervisor.model.image import ImageKnowledge, ImageQuestion, ImageVersion
from supervisor.model.image_status import ImageStatus
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.log import LogLine
from supervisor.model.machine import CheckUse, DiskUse, Machine, Sample, UnitUse
from supervisor.model.need import Need, NeedKind
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.secret import SecretState, SecretStatus
from supervisor.model.status import AppState, AppStatus, SourceStatus, Status, UnitStatus
from supervisor.web import chart, words
from supervisor.web.api_views import ApiViews
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.pages import Pages
from supervisor.web.visitor import VISITOR, Visitor
from tests.web.conftest import FakeService

HOSTILE = '<script>alert("x")</script>&\'"{{ 7*7 }}'


RUNS = UnitStatus(name="web.service", active="active", sub="running", up=True, wanted=True)
USED = Machine(
    process=ProcessUsage(resident_bytes=39_000_000),
    samples=(
        Sample(at=1_000.0, cpu_seconds=1.0, waits=10),
        Sample(at=1_300.0, cpu_seconds=1.01, waits=30),
        Sample(at=1_600.0, cpu_seconds=1.03, waits=70),
    ),
    units=(
        UnitUse(unit="web.service", app="web", memory=64_000_000, ports=("127.0.0.1:8080/tcp",)),
    ),
    checks=(
        CheckUse(unit="web.service", app="web", interval=30.0),
        CheckUse(unit="web.service", app="web", interval=120.0, is_probe=True),
    ),
    disks=(DiskUse(folder="/home/pi", free=120_000_000_000),),
)


def app(name: str, state: AppState = AppState.READY, **more: Any) -> AppStatus:
    return AppStatus(name=name, source="home", state=state, **more)


def event(number: int, **more: Any) -> Event:
    return Event(id=number, time=number, kind=EventKind.APPLIED, **more)


def rollout(release: str, revision: str, **more: Any) -> Rollout:
    place = {"name": "web", "source": "home", "root": "web", "files": ()}
    return Rollout(release=release, revision=revision, began_at=1.0, **place, **more)


async def text_of(page: Any, path: str) -> str:
    answer = await page.get(path)
    assert answer.status == 200, await answer.text()
    return str(await answer.text())


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("path", ["/", "/apps/web"])
async def test_what_a_page_shows_is_asked_for_at_once(
    path: str, service: FakeService, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slowest answer is waited for, not the sum of them: here each waits for the other."""
    service.apps = (app("web"),)
    asked = {"images": anyio.Event(), "machine": anyio.Event()}
    plain = {name: getattr(service, name) for name in asked}

    async def images(name: str) -> Any:
        asked["images"].set()
        await asked["machine"].wait()
        return await plain["images"](name)

    async def machine(name: str) -> Any:
        asked["machine"].set()
        await asked["images"].wait()
        return await plain["machine"](name)

    monkeypatch.setattr(service, "images", images)
    monkeypatch.setattr(service, "machine", machine)
    assert (await page.get(path)).status == 200


@pytest.mark.usefixtures("daemon")
async def test_all_is_well(page: Any, service: FakeService) -> None:
    service.apps = (app("web"), app("blog"))
    text = await text_of(page, "/")
    assert "All is well" in text
    assert '<a href="/apps/blog">blog</a>' in text


@pytest.mark.usefixtures("daemon")
async def test_what_is_wrong_comes_first(page: Any, service: FakeService) -> None:
    down = UnitStatus(
        name="web.service", active="failed", sub="", wanted=True, result="exit-code", failures=3
    )
    waits = Need(kind=NeedKind.IMAGE, subject="x", text="docker.io/x:1", detail="pulled")
    service.apps = (
        app("blog"),
        app("photos", AppState.CHANGING, waiting=(waits,)),
        app("web", AppState.FAILING, units=(down,)),
    )
    text = await text_of(page, "/")
    places = [
        text.index(words)
        for words in (
            "1 thing is wrong",
            "web.service is down (exit-code), brought back 3 times",
            "podvisor logs web.service -n 30",
            "docker.io/x:1: pulled",
            '<a href="/apps/blog">',
        )
    ]
    assert places == sorted(places)


@pytest.mark.usefixtures("daemon")
async def test_words_from_outside_are_words(page: Any, service: FakeService) -> None:
    finding = Finding(message=HOSTILE, app=HOSTILE, path=HOSTILE, hint=HOSTILE)
    service.apps = (app(HOSTILE, AppState.REFUSED, findings=(finding,)),)
    service.logged = [event(1, app=HOSTILE, reason=HOSTILE, detail=HOSTILE, unit=HOSTILE)]
    for path in ("/", "/events"):
        text = await text_of(page, path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;&#39;&#34;{{ 7*7 }}" in text
        assert 'href="/apps/%3Cscript%3E' in text


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("how", "command"),
    [("paused", "podman unpause systemd-web"), ("frozen", "systemctl --user thaw web.service")],
)
async def test_a_paused_unit_has_the_command_that_has_it_go_on(
    page: Any, service: FakeService, how: str, command: str
) -> None:
    unit = UnitStatus(
        name="web.service",
        active="active",
        sub="running",
        paused=True,
        frozen=how == "frozen",
        container="systemd-web",
        wanted=True,
    )
    service.apps = (app("web", AppState.FAILING, units=(unit,)),)
    for path in ("/", "/apps/web"):
        text = await text_of(page, path)
        assert f"web.service is {how}" in text
        assert command in text
        assert "is down" not in text
    assert f'<td class="state failed">active ({how})</td>' in text


@pytest.mark.usefixtures("daemon")
async def test_times_are_those_of_the_time_zone_that_the_machine_has_now(
    page: Any, service: FakeService, set_zone: Any
) -> None:
    service.apps = (app("web"),)
    service.logged = [event(1, app="web", reason="a push")]
    for zone, said in (("ABC-9", "+0900"), ("ABC5", "-0500")):
        set_zone(zone)
        assert f'{said}"' in await text_of(page, "/apps/web")


@pytest.mark.usefixtures("daemon")
async def test_a_page_of_an_app(page: Any, service: FakeService) -> None:
    unit = UnitStatus(name="web.service", active="active", sub="running", up=True, wanted=True)
    service.apps = (app("web", units=(unit,)), app("blog"))
    service.logged = [event(1, app="web", reason="a push"), event(2, app="blog", reason="another")]
    text = await text_of(page, "/apps/web")
    assert "web.service" in text
    assert "a push" in text
    assert "another" not in text
    answer = await page.get("/apps/wbe")
    assert answer.status == 404
    assert "no app named wbe" in await answer.text()


async def test_without_a_daemon(page: Any) -> None:
    for path in ("/", "/events", "/apps/web"):
        answer = await page.get(path)
        assert answer.status == 503
        said = await answer.text()
        assert "systemctl --user start podvisor" in said
        assert "<code>podvisor status</code>" in said
    answer = await page.get("/v1/status")
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert "podvisor_up 0.0" in await text_of(page, "/metrics")


@pytest.mark.usefixtures("daemon")
async def test_the_api_answers_as_the_daemon_does(page: Any, service: FakeService) -> None:
    service.apps = (app("web"),)
    service.logged = [event(1), event(2)]
    status = json.loads(await text_of(page, "/v1/status?app=web"))
    assert [one["name"] for one in status["apps"]] == ["web"]
    lines = (await text_of(page, "/v1/events?limit=1")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [2]
    answer = await page.get("/v1/status?app=wbe")
    assert answer.status == 404
    assert (await answer.json(content_type=None))["detail"] == "no app named wbe"
    assert (await page.get("/v1/status?unknown=1")).status == 400
    document = json.loads(await text_of(page, "/openapi.json"))
    assert "/v1/status" in document["paths"]
    assert "podvisor_up 1.0" in await text_of(page, "/metrics")


@pytest.mark.usefixtures("daemon")
class TestPagesOfEvents:
    async def test_one_leads_to_the_next_until_all_are_told(
        self, page: Any, service: FakeService
    ) -> None:
        service.logged = [event(number) for number in range(1, 251)]
        seen: list[list[int]] = []
        where = "/v1/events"
        while where:
            answer = await page.get(where)
            lines = (await answer.text()).splitlines()
            seen.append([json.loads(line)["id"] for line in lines])
            where = answer.links["next"]["url"].path_qs if answer.links else ""
        assert seen == [[*range(151, 251)], [*range(51, 151)], [*range(1, 51)]]

    async def test_on_from_an_entry(self, page: Any, service: FakeService) -> None:
        service.logged = [event(number, app="a b") for number in range(1, 6)]
        service.apps = (app("a b"),)
        answer = await page.get("/v1/events?app=a+b&after_id=1&limit=2&failed=false")
        assert [json.loads(line)["id"] for line in (await answer.text()).splitlines()] == [2, 3]
        assert answer.headers["Link"] == '<?after_id=3&app=a+b&limit=2>; rel="next"'
        answer = await page.get("/v1/events?app=a+b&after_id=3&limit=2")
        assert "Link" not in answer.headers

    async def test_none_is_longer_than_its_limit(self, page: Any, service: FakeService) -> None:
        service.logged = [event(number) for number in range(1, 1_502)]
        for asked in ("5000", "1000000"):
            lines = (await text_of(page, f"/v1/events?limit={asked}")).splitlines()
            assert len(lines) == 1_000

    async def test_those_that_failed(self, page: Any, service: FakeService) -> None:
        service.logged = [event(1), event(2, ok=False), event(3)]
        (line,) = (await text_of(page, "/v1/events?failed=true")).splitlines()
        assert json.loads(line)["id"] == 2

    @pytest.mark.parametrize(
        "wrong", ["limit=-1", "limit=x", "limit=1000001", "until=nan", "before_id=a", "failed=2"]
    )
    async def test_what_cannot_be_read(self, page: Any, wrong: str) -> None:
        answer = await page.get(f"/v1/events?{wrong}")
        assert answer.status == 400
        assert answer.content_type == "application/problem+json"


@pytest.mark.usefixtures("daemon")
async def test_what_is_wrong_with_a_question_is_told_as_the_api_does(page: Any) -> None:
    asked = [await page.get("/v1/none"), await page.get("/v1/sync"), await page.post("/v1/status")]
    asked.append(await page.get("/v1/history"))
    asked.append(await page.get("/v1/status", headers={"Host": "evil.example"}))
    assert [one.status for one in asked] == [404, 404, 405, 400, 421]
    for one in asked:
        assert one.content_type == "application/problem+json"
        assert (await one.json(content_type=None))["status"] == one.status


async def test_without_a_daemon_it_is_shown_how_all_stood_when_it_ended(
    page: Any, socket: Path
) -> None:
    wrong = Incident(code=IncidentCode.UNIT_DOWN, app="<b>", text="b.service is down", opened_at=9)
    apps = (app("web", revision="3f2a91c0ffee"), app("<b>", state=AppState.FAILING))
    status = Status(running=True, version="1", apps=apps, incidents=(wrong,))
    last_status.leave(socket, status)
    os.utime(socket.with_name("last-status.json"), (1_700_000_000, 1_700_000_000))
    for path in ("/", "/apps/web"):
        answer = await page.get(path)
        assert answer.status == 503
        said = await answer.text()
        assert '<time datetime="2023-11-1' in said.partition("</h1>")[0]
        for text in ("b.service is down", ">web<", "&lt;b&gt;", "3f2a91c0", "failing", "ready"):
            assert text in said
        assert "<b>" not in said
    socket.with_name("last-status.json").write_text("{")
    assert "left no word" in await (await page.get("/")).text()
    last_status.leave(socket, status)
    last_status.take_away(socket)
    assert "left no word" in await (await page.get("/")).text()


@pytest.mark.usefixtures("daemon")
async def test_no_order_is_taken(page: Any, service: FakeService) -> None:
    for path in ("/v1/sync", "/v1/plan", "/v1/suspend", "/"):
        answer = await page.post(path, json={"apps": []})
        assert answer.status == 405
        assert {*answer.headers["Allow"].split(",")} == {"GET", "HEAD"}
        if path != "/":
            said = await answer.json(content_type=None)
            assert said["detail"] == "that is asked by GET, HEAD here, not by POST"
            assert "actions = true" in said["hint"]
    assert service.looks == 0


@pytest.mark.usefixtures("daemon")
class TestWhoIsAnswered:
    @pytest.mark.parametrize(
        "name", ["localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:8", "podvisor.example.org"]
    )
    async def test_names_that_are_known(self, page: Any, name: str) -> None:
        assert (await page.get("/", headers={"Host": name})).status == 200

    @pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "[::2]", "x:y:z"])
    async def test_a_name_that_somebody_made_lead_here(self, page: Any, name: str) -> None:
        answer = await page.get("/", headers={"Host": name})
        assert answer.status == 421
        assert "hosts" in await answer.text()

    @pytest.mark.parametrize("second", ["evil.example", "localhost"])
    async def test_two_names_at_once(self, page: Any, second: str) -> None:
        async with await anyio.connect_tcp("127.0.0.1", page.port) as stream:
            names = f"Host: localhost\r\nHost: {second}\r\n"
            await stream.send(f"GET / HTTP/1.1\r\n{names}Connection: close\r\n\r\n".encode())
            answer = b"".join([part async for part in stream])
        assert answer.split()[1] == b"400"  # of newer releases of aiohttp itself
        assert b"Host" in answer

    @pytest.mark.parametrize(
        ("target", "host", "status"),
        [
            ("http://localhost/", "localhost", 200),
            ("HTTP://LOCALHOST:9079/", "evil.example", 200),
            ("http://[::1]:9/", "localhost", 200),
            ("http://evil.example/", "localhost", 421),
            ("http://localhost:80@evil.example/", "localhost", 421),
            ("http://evil.example/?://localhost/", "localhost", 421),
            ("http://[evil/", "localhost", 400),
        ],
    )
    async def test_the_name_in_a_whole_url_counts_and_not_the_header(
        self, page: Any, target: str, host: str, status: int
    ) -> None:
        async with await anyio.connect_tcp("127.0.0.1", page.port) as stream:
            asked = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            await stream.send(asked.encode())
            answer = b"".join([part async for part in stream])
        assert int(answer.split()[1]) == status

    async def test_a_page_of_another_site(self, page: Any) -> None:
        other = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        assert (await page.get("/v1/status", headers=other)).status == 403
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert (await page.get("/", headers=link)).status == 200

    async def test_what_browsers_are_told(self, page: Any) -> None:
        for path in ("/", "/nothing", "/static/style.css"):
            answer = await page.get(path)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await page.get("/")).headers["Cache-Control"] == "no-store"

    async def test_no_file_but_the_pages_own(self, page: Any) -> None:
        for path in ("/static/..%2fpages.py", "/static/%2e%2e/pages.py", "/static/pages.py"):
            assert (await page.get(path)).status == 404


@pytest.mark.usefixtures("daemon")
async def test_it_is_light_and_brings_all_that_it_needs(page: Any, service: FakeService) -> None:
    service.apps = tuple(app(f"app-{number}") for number in range(12))
    parts = [await text_of(page, path) for path in ("/", "/static/style.css", "/static/live.js")]
    assert sum(len(part.encode()) for part in parts) < 50_000
    assert "http://" not in "".join(parts)
    assert "https://" not in "".join(parts)


@pytest.mark.usefixtures("daemon")
async def test_many_tabs_do_not_keep_others_out(page: Any, service: FakeService) -> None:
    service.logged = [event(1)]
    async with AsyncExitStack() as tabs:
        for _ in range(90):
            live = await tabs.enter_async_context(page.get("/live?after=0"))
            assert await live.content.readuntil(b"\n\n")
        with anyio.fail_after(20):
            await text_of(page, "/")


@pytest.mark.usefixtures("daemon")
async def test_events_are_told_as_they_come_and_none_twice(page: Any, service: FakeService) -> None:
    service.logged = [event(1), event(2), event(3)]
    async with page.get("/live?after=1", headers={"Last-Event-ID": "2"}) as answer:
        assert answer.content_type == "text/event-stream"
        with anyio.fail_after(20):
            assert b"event: version" in await answer.content.readuntil(b"\n\n")
            assert await answer.content.readuntil(b"\n\n") == b"id: 3\ndata: 3\n\n"
            service.logged.append(event(4))
            service.news.set()
            assert await answer.content.readuntil(b"\n\n") == b"id: 4\ndata: 4\n\n"


@pytest.mark.usefixtures("daemon")
async def test_who_knows_of_no_event_is_not_told_all(page: Any, service: FakeService) -> None:
    service.logged = [event(number) for number in range(1, 1_001)]
    async with page.get("/live?after=0") as answer:
        with anyio.fail_after(20):
            await answer.content.readuntil(b"\n\n")
            assert await answer.content.readuntil(b"\n\n") == b"id: 1000\ndata: 1000\n\n"


@pytest.mark.usefixtures("daemon")
async def test_a_proxy_hears_of_a_stream_on_which_nothing_happens(socket: Path) -> None:
    client, app = DaemonClient(socket), Application()
    app.router.add_get("/live", ApiViews(client, heartbeat_seconds=0.01).live)
    async with TestClient(TestServer(app)) as browser, browser.get("/live?after=0") as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert await answer.content.readuntil(b"\n\n:\n\n:\n\n")
    await client.close()


@pytest.mark.usefixtures("daemon")
async def test_who_knows_of_more_than_there_is_is_told_the_newest(
    page: Any, service: FakeService
) -> None:
    service.logged = [event(number) for number in range(1, 10)]
    async with page.get("/live?after=9", headers={"Last-Event-ID": "500"}) as answer:
        with anyio.fail_after(20):
            await answer.content.readuntil(b"\n\n")
            assert await answer.content.readuntil(b"\n\n") == b"id: 9\ndata: 9\n\n"
            service.logged.append(event(10))
            service.news.set()
            assert await answer.content.readuntil(b"\n\n") == b"id: 10\ndata: 10\n\n"
    for odd in ("x", "9" * 19, "9" * 5_000):
        assert (await page.get(f"/live?after={odd}")).status == 400


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("stream", ["/live", "/v1/events", "/v1/events?follow=true"])
async def test_the_head_of_a_stream_is_none(page: Any, stream: str) -> None:
    """What came with it would be read as the answer to the next request."""
    with anyio.fail_after(20):
        answer = await page.head(stream)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert await answer.read() == b""


async def test_a_browser_is_not_told_of_a_daemon_that_is_not_there(page: Any) -> None:
    answer = await page.get("/live?after=5")
    assert (answer.status, await answer.text()) == (200, "")


def between(text: str, *words: str) -> list[str]:
    return [one for one in words if one in text]


@pytest.mark.usefixtures("daemon")
async def test_the_log_in_pages(page: Any, service: FakeService) -> None:
    service.logged = [event(number, app="web", reason=f"no. {number};") for number in range(1, 251)]
    service.apps = (app("web"),)
    first = await text_of(page, "/events?app=web")
    assert between(first, "no. 250;", "no. 151;", "no. 150;", "newer") == ["no. 250;", "no. 151;"]
    assert 'data-last="250"' in first
    older = "/events?app=web&amp;before=151"
    assert f'href="{older}"' in first
    second = await text_of(page, older.replace("&amp;", "&"))
    assert between(second, "no. 151;", "no. 150;", "no. 51;", "no. 50;") == ["no. 150;", "no. 51;"]
    assert 'data-last=""' in second
    assert 'href="/events?app=web&amp;after=150"' in second
    assert 'href="/events?app=web&amp;before=51"' in second
    back = await text_of(page, "/events?app=web&after=150")
    assert between(back, "no. 251;", "no. 250;", "no. 151;", "no. 150;") == ["no. 250;", "no. 151;"]
    last = await text_of(page, "/events?app=web&before=51")
    assert "older" not in last
    assert "None." in await text_of(page, "/events?app=web&before=1")


@pytest.mark.usefixtures("daemon")
async def test_what_is_chosen_of_the_log(page: Any, service: FakeService) -> None:
    service.apps = (app("web"), app("blog"))
    service.logged = [
        event(1, app="web", reason="long ago"),
        event(2, app="web", ok=False, reason="went wrong", code="applied-failed"),
        event(3, app="blog", ok=False, reason="went wrong elsewhere", code="applied-failed"),
        Event(id=4, time=time.time(), kind=EventKind.STARTED, reason="just now"),
    ]
    text = await text_of(page, "/events?failed=1&app=web")
    assert re.findall(r"</span> (\w+)</td>", text) == ["applied"]
    assert "(failed)" not in text
    assert between(text, "long ago", "went wrong", "elsewhere", "just now") == ["went wrong"]
    text = await text_of(page, "/events?since=1d")
    assert between(text, "long ago", "went wrong", "just now") == ["just now"]
    text = await text_of(page, "/events?code=applied-failed")
    assert between(text, "long ago", "went wrong", "elsewhere", "just now") == [
        "went wrong",
        "elsewhere",
    ]
    assert '<option value="1d" selected>' in await text_of(page, "/events?since=1d")
    for odd in ("before=x", "after=-1", "before=99999999999999999999", "since=ever", "failed=0"):
        assert "long ago" in await text_of(page, f"/events?{odd}")
    assert 'role="alert"' not in await text_of(page, "/events?app=&since=&failed=1&before=9&after=")
    for odd, said in (
        ("kind=nonsense", "there is no “kind” to choose by: app, unit, code, since, failed,"),
        ("since=ever", "since: “ever” is none of 1h, 1d, 7d, 30d"),
        ("before_id=3", "there is no “before_id”"),
        ("before=x", "before: “x” is no number of an entry"),
        ("after=-1", "after: “-1” is no number of an entry"),
        ("failed=maybe", "failed: “maybe” is neither 1 nor 0"),
        ("since=%3Cb%3E", "since: “&lt;b&gt;” is none of"),
    ):
        assert said in await text_of(page, f"/events?{odd}")
    answer = await page.get("/events?app=%00")
    assert answer.status == 400


@pytest.mark.usefixtures("daemon")
async def test_the_story_of_an_app(page: Any, service: FakeService) -> None:
    service.apps = (app("web", revision="b" * 40),)
    service.more = {
        "sources": (
            SourceStatus(
                name="home",
                location="https://github.com/me/home",
                commit_page="https://github.com/me/home/commit/{revision}",
            ),
        )
    }
    service.rollouts = (
        rollout("r2", "b" * 40, outcome=Outcome.FAILED, reason="it did not start", subject=HOSTILE),
        rollout("r1", "a" * 40, outcome=Outcome.GOOD, author=f"Ann {HOSTILE}", by="pi"),
    )
    service.held_secrets = (
        SecretStatus(name="db-password", app="web", state=SecretState.CURRENT),
        SecretStatus(name="others", app="blog", state=SecretState.CURRENT),
    )
    version = ImageVersion(runs=f"docker.io/library/nginx@sha256:{'c' * 64}", tag="1.27")
    service.shown_images = (
        ImageStatus(app="web", image="docker.io/library/nginx:1.27", running=version),
    )
    text = await text_of(page, "/apps/web")
    assert f'href="https://github.com/me/home/commit/{"a" * 40}"' in text
    assert "it did not start" in text
    assert "Ann &lt;" in text
    assert "ordered by pi" in text
    assert "db-password" in text
    assert "others" not in text
    assert "nginx 1.27 (cccccccccccc)" in text
    assert "<script>alert" not in text


@pytest.mark.usefixtures("daemon")
async def test_no_moment_is_the_year_1970(page: Any, service: FakeService) -> None:
    unit = UnitStatus(name="web.service", active="active", sub="running", health=Health.UNHEALTHY)
    service.apps = (app("web", AppState.FAILING, revision="a" * 40, units=(unit,)),)
    service.more = {"sources": (SourceStatus(name="home", location="/home/pi/apps", error="gone"),)}
    for path in ("/", "/apps/web"):
        text = await text_of(page, path)
        assert "1970" not in text
        assert "aaaaaaaa" in text
    assert "since never" not in text
    assert "never" in await text_of(page, "/")


@pytest.mark.usefixtures("daemon")
async def test_of_which_images_it_is_unknown_whether_there_is_a_newer_version(
    page: Any, service: FakeService
) -> None:
    service.apps = (app("web"),)
    runs = ImageVersion(runs=f"docker.io/library/nginx@sha256:{'c' * 64}", tag="latest")
    asked = ImageKnowledge(
        question=ImageQuestion(image="docker.io/library/nginx:latest"),
        newest=runs,
        asked_at=time.time(),
        answered_at=time.time() - 3 * 3_600,
        problem="docker.io: Connection refused",
        hint="is the network up?",
        failures=2,
    )
    image = ImageStatus(app="web", image="docker.io/library/nginx:latest", running=runs)
    service.shown_images = (msgspec.structs.replace(image, known=asked),)
    text = await text_of(page, "/apps/web")
    assert "nginx is unknown, last answered 3h ago: docker.io: Connection refused" in text
    assert "is the network up?" in text
    never = msgspec.structs.replace(asked, answered_at=0.0)
    service.shown_images = (msgspec.structs.replace(image, known=never),)
    assert "nginx is unknown, never answered: docker.io" in await text_of(page, "/apps/web")
    unfit = msgspec.structs.replace(asked, failures=0, problem="no tag fits 1.*")
    service.shown_images = (msgspec.structs.replace(image, known=unfit),)
    assert "nginx is unknown: no tag fits 1.*" in await text_of(page, "/apps/web")
    service.shown_images = (msgspec.structs.replace(image, known=asked, off=True),)
    assert "unknown" not in await text_of(page, "/apps/web")


@pytest.mark.usefixtures("daemon")
async def test_what_two_releases_differ_in(page: Any, service: FakeService) -> None:
    service.apps = (app("web"),)
    service.compared = Comparison(
        app="web",
        old="r1",
        new="r2",
        old_revision="a" * 40,
        new_revision="b" * 40,
        files=(
            TextPair(path="web.container", old="one\n", new=f"{HOSTILE}\n"),
            TextPair(path="logo.png", old="", new="", hidden="binary"),
            TextPair(path="long", new="\n".join(map(str, range(5_000)))),
        ),
        images=(ImagePair(image="docker.io/library/nginx:1", new="c" * 64),),
    )
    text = await text_of(page, "/apps/web/diff?old=r1&new=r2")
    assert '<span class="del">-one</span>' in text
    assert '<span class="add">+&lt;script&gt;alert' in text
    assert "Files a/web/logo.png and b/web/logo.png differ (binary)" in text
    assert "more than 2000 lines" in text
    assert "nginx:1: <code>none</code> → <code>cccccccccccc</code>" in text
    assert 'href="/apps/web/diff?old=r2&amp;new=r1"' in text
    for query in ("", "?old=r1", "?old=&new=r1"):
        answer = await page.get(f"/apps/web/diff{query}")
        assert answer.status == 400
        assert "Which two releases?" in await answer.text()
    assert (await page.get("/apps/none/diff?old=r1&new=r2")).status == 404


@pytest.mark.usefixtures("daemon")
async def test_a_log_is_read_only_where_it_was_opened(page: Any, service: FakeService) -> None:
    service.apps = (app("web", units=(RUNS,)), app("blog"))
    service.lines = (LogLine(time=1.0, text=f"{HOSTILE}\x1b[31m"),)
    closed = await text_of(page, "/apps/web")
    assert 'href="/apps/web?log=web.service#units"' in closed
    assert "Log of web.service</h3>" not in closed
    opened = await text_of(page, "/apps/web?log=web.service")
    assert "Log of web.service</h3>" in opened
    assert "&lt;script&gt;alert" in opened
    assert "<script>alert" not in opened
    assert "\x1b" not in opened
    for unit in ("none.service", "", "../x"):
        assert "</h3>" not in await text_of(page, f"/apps/web?log={unit}")


@pytest.mark.usefixtures("daemon")
async def test_the_machine(page: Any, service: FakeService) -> None:
    service.apps = (app("web", units=(RUNS,)),)
    assert "Nothing runs" in await text_of(page, "/machine")
    service.used = USED
    text = await text_of(page, "/machine")
    assert "39 MB of memory; over the last 10m 3.0 ms of CPU and 6.0 wake-ups a minute" in text
    assert "at most 4.0" in text
    assert text.count("<rect") == 4
    assert "120 GB free in /home/pi" in text
    assert "2.5 a minute" in text
    assert "<code>podvisor doctor --measure</code>" in text
    for path in ("/", "/apps/web"):
        text = await text_of(page, path)
        assert "127.0.0.1:8080/tcp" in text
        assert "64 MB" in text


@pytest.mark.usefixtures("daemon")
async def test_memory_that_nobody_counts_is_not_known(page: Any, service: FakeService) -> None:
    service.apps = (app("web", units=(RUNS,)),)
    uncounted = tuple(UnitUse(unit=f"{name}.service", app="web") for name in "ab")
    service.used = msgspec.structs.replace(USED, units=uncounted)
    text = await text_of(page, "/machine")
    assert text.count("not known") == 3
    assert " 0 B" not in text
    some = UnitUse(unit="c.service", app="web", memory=64_000_000)
    service.used = msgspec.structs.replace(USED, units=(*uncounted, some))
    text = await text_of(page, "/machine")
    assert text.count("not known") == 2
    assert "</meter> 64 MB" in text


def test_a_clock_that_was_set_back_is_no_time() -> None:
    samples = [{"at": at, "cpu_seconds": 1.0, "waits": 1} for at in (100.0, 50.0, 50.5, 110.0)]
    assert [(one.begun, one.ended) for one in chart.spans(samples)] == [(50.5, 110.0)]
    assert chart.whole([]) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m and \x1b]0;a title\x07more", "red and more"),
        ("turned \u202e around", "turned \ufffd around"),
        ("a bell\x07 and \x00", "a bell\ufffd and \ufffd"),
        ("x" * 10_000_000, "x" * 2_000 + "…"),
        ("\x1b[" + "1;" * 100_000, "\ufffd[" + "1;" * 999 + "…"),
    ],
)
def test_a_line_of_a_program(said: str, shown: str) -> None:
    assert words.line(said) == shown


@pytest.mark.usefixtures("daemon")
async def test_a_page_of_many_apps_is_packed(page: Any, service: FakeService) -> None:
    service.apps = tuple(app(f"app{number}") for number in range(200))
    packed = await page.get("/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "app199" in await packed.text()
    plain = await page.get("/", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 5


def test_a_page_with_the_proof_of_a_session_is_not_packed() -> None:
    problem = {"title": "", "status": 404, "detail": "x" * 10_000, "hint": ""}
    assert Pages().answer("refused.html", problem=problem).compression
    before = VISITOR.set(Visitor(is_known=True, cookie="a session"))
    try:
        assert not Pages().answer("refused.html", problem=problem).compression
    finally:
        VISITOR.reset(before)


@pytest.mark.usefixtures("daemon")
async def test_lines_of_a_log_in_a_sentence_are_still_told_apart(
    page: Any, service: FakeService
) -> None:
    said = "web.service failed (exit status 3): cannot open /data\ngiving up"
    finding = Finding(app="web", path="", message=said)
    service.apps = (app("web", AppState.REVERTED, findings=(finding,)),)
    service.logged = [event(1, app="web", reason=said)]
    for path in ("/", "/events"):
        assert "cannot open /data / giving up" in await text_of(page, path)
