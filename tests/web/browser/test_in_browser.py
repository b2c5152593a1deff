"""The page, as people have it before them."""

from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from supervisor.model.comparison import Comparison
from supervisor.model.diff import TextPair
from supervisor.model.errors import Finding
from supervisor.model.events import Event, EventKind
from supervisor.model.log import LogLine
from supervisor.model.need import Need, NeedKind
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.status import AppState, AppStatus, SourceStatus, UnitStatus
from tests.fakes.chromium import Tab
from tests.web.conftest import FakeService
from tests.web.test_page import USED

pytestmark = pytest.mark.once

HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e{{ 7*7 }}"
Url = Callable[[str], str]
PAGES = (
    "/",
    "/apps/web?log=web.service",
    "/events",
    "/events?app=web&failed=1",
    "/apps/web/diff?old=r1&new=r2",
    "/machine",
    "/apps/none",
)
TAB, ENTER = 9, 13


def app(name: str, state: AppState = AppState.READY, **more: Any) -> AppStatus:
    unit = UnitStatus(name=f"{name}.service", active="active", sub="running", up=True, wanted=True)
    return AppStatus(name=name, source="home", state=state, **{"units": (unit,), **more})


def event(number: int, **more: Any) -> Event:
    return Event(id=number, time=number, kind=EventKind.APPLIED, **more)


@pytest.fixture
def busy(service: FakeService) -> FakeService:
    """A bit of everything: wrong, waiting, changing, well; a story, events."""
    down = UnitStatus(
        name="db.service", active="failed", sub="", wanted=True, result="exit-code", failures=3
    )
    pulling = Need(kind=NeedKind.IMAGE, subject="x", text="docker.io/x:1", detail="pulled 42 %")
    refused = Finding(message="no such key", app="blog", path="blog.container", line=3)
    place = {"name": "web", "source": "home", "root": "web", "files": (), "subject": "A change"}
    service.apps = (
        app("blog", AppState.REFUSED, findings=(refused,)),
        app("db", AppState.FAILING, units=(down,)),
        app("photos", AppState.CHANGING, waiting=(pulling,)),
        app("web", revision="a" * 40, applied_at=1.0),
    )
    page = "https://git.example.org/me/home/commit/{revision}"
    service.more = {
        "sources": (
            SourceStatus(name="home", location="https://git.example.org/me/home", commit_page=page),
        )
    }
    service.rollouts = (
        Rollout(
            release="r2",
            revision="b" * 40,
            began_at=2.0,
            outcome=Outcome.FAILED,
            reason="it did not start: exit status 1",
            **place,
        ),
        Rollout(release="r1", revision="a" * 40, began_at=1.0, outcome=Outcome.GOOD, **place),
    )
    service.used = USED
    service.lines = (LogLine(time=1.0, text="x" * 1_000), LogLine(time=2.0, text="two"))
    service.compared = Comparison(
        app="web",
        old="r1",
        new="r2",
        old_revision="a" * 40,
        new_revision="b" * 40,
        files=(TextPair(path="web.container", old="[Container]\n", new="x" * 500),),
    )
    service.logged = [
        event(number, app="web", unit="web.service", reason=f"because of {number}", ok=number % 2)
        for number in range(1, 41)
    ]
    return service


async def test_it_is_light_and_asks_nobody_else(tab: Tab, url: Url, service: FakeService) -> None:
    service.apps = tuple(app(f"app-{number}") for number in range(12))
    await tab.go(url("/"))
    assert await tab.until("performance.getEntriesByName('first-contentful-paint').length") == 1
    asked = {URL(one).path for one in tab.requests}
    assert {"/", "/static/style.css", "/static/live.js"} <= asked
    assert asked <= {"/", "/static/style.css", "/static/live.js", "/static/icon.svg", "/live"}
    assert all(one.startswith(url("/")) for one in tab.requests)
    assert sum(tab.received.values()) < 50_000


async def test_it_is_kept_true_while_it_is_seen(tab: Tab, url: Url, service: FakeService) -> None:
    service.apps = (app("blog"), app("web"))
    service.logged = [event(1)]
    await tab.go(url("/"))
    await tab.until("document.getElementById('live').textContent === 'live'")
    await tab.js("document.querySelector('#apps a').focus()")

    service.apps = (app("blog"), app("web", AppState.FAILING))
    service.logged.append(event(2))
    service.news.set()
    assert await tab.until("document.querySelector('h1.bad')?.textContent") == "1 thing is wrong"
    assert await tab.until("document.title") == "! podvisor"
    # What a person opened, and stands on, is left.
    assert await tab.js("document.querySelector('#apps').open")
    assert await tab.js("document.activeElement.textContent") == "blog"


async def test_nobody_is_asked_for_a_page_that_is_not_seen(
    tab: Tab, url: Url, service: FakeService
) -> None:
    service.apps = (app("web"),)
    service.logged = [event(1)]
    await tab.go(url("/"))
    await tab.until("document.getElementById('live').textContent === 'live'")
    await _is_seen(tab, seen=False)
    assert await tab.js("document.getElementById('live').textContent") == ""
    looks, service.apps = service.looks, (app("web", AppState.FAILING),)
    service.logged.append(event(2))
    service.news.set()
    assert await tab.js("new Promise((tell) => setTimeout(() => tell(1), 500))") == 1
    assert service.looks == looks
    # It comes back, and has missed nothing.
    await _is_seen(tab, seen=True)
    assert await tab.until("document.querySelector('h1.bad')?.textContent") == "1 thing is wrong"


async def _is_seen(tab: Tab, *, seen: bool) -> None:
    await tab.js(f"""
        Object.defineProperty(document, "hidden", {{ value: {"false" if seen else "true"},
                                                     configurable: true }});
        document.dispatchEvent(new Event("visibilitychange"));
    """)


async def test_another_version_is_loaded_anew(tab: Tab, url: Url, service: FakeService) -> None:
    service.logged = [event(1)]
    await tab.go(url("/"))
    await tab.until("document.getElementById('live').textContent === 'live'")
    await tab.js("main.dataset.version = 'older'; document.body.dataset.old = '1'")
    service.logged.append(event(2))
    service.news.set()
    await tab.until("!document.body.dataset.old && document.getElementById('main')")


async def test_words_from_outside_are_words(tab: Tab, url: Url, service: FakeService) -> None:
    finding = Finding(message=HOSTILE, app=HOSTILE, path=HOSTILE, hint=HOSTILE)
    place = {"name": HOSTILE, "source": HOSTILE, "root": HOSTILE, "files": ()}
    service.apps = (app(HOSTILE, AppState.REFUSED, findings=(finding,)),)
    service.rollouts = (
        Rollout(
            release="r",
            revision=HOSTILE,
            began_at=1.0,
            subject=HOSTILE,
            author=HOSTILE,
            by=HOSTILE,
            **place,
        ),
    )
    service.logged = [event(1, app=HOSTILE, reason=HOSTILE, detail="x" * 8_000, unit=HOSTILE)]
    for path in ("/", "/events"):
        await tab.go(url(path))
        assert await tab.js("document.images.length") == 0
    await tab.go(url("/"))
    await tab.js("document.querySelector('.lines a').click()")
    await tab.until("location.pathname.startsWith('/apps/') && document.querySelector('#releases')")
    assert await tab.js("document.images.length") == 0
    assert "<img src=x onerror" in await tab.js("document.querySelector('h1').textContent")
    assert "\u202e" not in await tab.js("document.body.textContent")


@pytest.mark.usefixtures("busy")
async def test_without_scripts_all_is_there(tab: Tab, url: Url) -> None:
    await tab.without_scripts()
    await tab.go(url("/"))
    assert await tab.js("document.documentElement.className") == ""
    said = (await tab.js("document.body.innerText")).splitlines()
    assert {"2 things are wrong", "Changes now", "podvisor logs db.service -n 30"} <= {*said}
    # What needs a script is not offered.
    assert await tab.js("document.querySelector('button').offsetWidth") == 0
    assert not [one for one in tab.requests if "/live" in one]


@pytest.mark.usefixtures("busy")
async def test_keys_are_enough(tab: Tab, url: Url) -> None:
    await tab.go(url("/"))
    await tab.press("Tab", code=TAB)
    assert await tab.js("document.activeElement.className") == "skip"
    assert await tab.js("document.activeElement.getBoundingClientRect().left") >= 0
    await tab.press("Enter", code=ENTER, text="\r")
    await tab.until("document.activeElement.id === 'main'")
    await tab.press("Tab", code=TAB)
    assert await tab.js("document.activeElement.textContent") == "blog"
    assert await tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await tab.press("Enter", code=ENTER, text="\r")
    await tab.until("location.pathname === '/apps/blog'")


@pytest.mark.usefixtures("busy")
async def test_a_command_is_copied(tab: Tab, url: Url) -> None:
    await tab.go(url("/"))
    await tab.until("document.getElementById('live').textContent === 'live'")
    await tab.js("""
        window.copied = [];
        navigator.clipboard.writeText = async (text) => { copied.push(text); };
        const beside = (button) => button.parentNode.querySelector("code").textContent;
        [...document.querySelectorAll("button.copy")].find(
            (button) => beside(button).includes("db.service")
        ).click();
    """)
    assert await tab.until("copied[0]") == "podvisor logs db.service -n 30"
    await tab.until("document.getElementById('live').textContent === 'copied'")


@pytest.mark.parametrize("path", PAGES)
async def test_a_phone_needs_no_scrolling_aside(
    tab: Tab, url: Url, busy: FakeService, path: str
) -> None:
    await tab.size(320, 640, phone=True)
    busy.logged.append(event(99, app="web", unit="x" * 200, reason="y" * 2_000))
    await tab.go(url(path))
    assert await tab.js("document.documentElement.scrollWidth") <= 320
    _without_refusals(tab)


_AXE = """axe.run(document, { resultTypes: ["violations"] }).then((it) => it.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html)}`))"""
_BACK = {"light": "rgb(253, 253, 252)", "dark": "rgb(22, 24, 26)"}


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("path", PAGES)
async def test_axe_finds_nothing(tab: Tab, url: Url, axe: str, path: str) -> None:
    await tab.go(url(path))
    await tab.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await tab.js(axe)
    for scheme, colour in _BACK.items():
        await tab.scheme(scheme)
        await tab.until(f"getComputedStyle(document.body).backgroundColor === '{colour}'")
        assert (scheme, await tab.js(_AXE)) == (scheme, [])
    _without_refusals(tab)


def _without_refusals(tab: Tab) -> None:
    """Forget that the browser says of an answer that its status was an error's."""
    tab.complaints[:] = [one for one in tab.complaints if "status of 404" not in one]
