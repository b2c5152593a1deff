"""A crash is explained wherever it is told: how it ended, and its last words without secrets."""

from contextlib import AsyncExitStack

import anyio
import pytest
from msgspec.structs import replace

from supervisor.core.status.state_changes import changes_of_state
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.log import LogQuery
from supervisor.model.setting_types import SecretRef
from supervisor.model.status import AppState, AppStatus, UnitStatus

pytestmark = pytest.mark.anyio
WEB = "web.service"
HOW = "exit status 127, command not found"
TOKEN = SecretRef("file:/token")


@pytest.fixture
def crashing(world):
    """Says how it ended and why, and a secret with it."""
    world.systemd.ended[WEB] = HOW
    world.systemd.said[WEB] = "starting with hunter2\nsh: nginxx: not found"
    world.podman.has_secret("word", b"hunter2")
    source = replace(
        world.settings.sources["home"],
        git=GitUrl("https://git.example/me/home"),
        status="gitea",
        status_token=TOKEN,
        status_context="podvisor/pi",
    )
    world.settings = replace(world.settings, sources={"home": source})
    world.secrets.known[TOKEN] = b"x"
    world.reader.put("home", {"web/web.container": "secret=word"})
    return world


LOG = ("starting with …", "sh: nginxx: not found")


async def test_of_a_unit_that_is_down(crashing):
    world = crashing
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(20)
        (app,) = daemon.service.status().apps
        (unit,) = app.units
        assert (unit.ended, unit.log) == (HOW, LOG)
        (incident,) = world.ledger.all(Incident).values()
        assert incident.code is IncidentCode.UNIT_DOWN
        assert incident.text.startswith(f"{WEB} is down ({HOW})")
        assert incident.log == LOG
        first = next(one for one in world.events(EventKind.STEP) if "should run" in one.reason)
        assert first.reason.startswith(f"failed ({HOW}), and should run")
        (waits,) = world.events(EventKind.WAITING)[:1]
        assert f"failed ({HOW}) again" in waits.reason
        await anyio.sleep(400)
        _, _, told = world.git_host.told[-1]
        assert told == f"web is failing: {WEB} is down ({HOW})"
        everything = f"{daemon.service.status()}{world.events()}{world.ledger.all(Incident)}"
        assert "hunter2" not in everything


async def test_last_words_that_come_late_to_the_journal_are_told_all_the_same(crashing):
    """In the pause before the next try nothing else would have its app looked at."""
    world = crashing
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(170)  # the next try is two minutes after the last
        world.systemd.said[WEB] = "another one"
        world.systemd.dies(WEB)
        world.systemd.said_at[WEB] = world.clock.now() + 0.5
        asked = len(world.systemd.words_read)
        await anyio.sleep(0.2)
        (unit,) = daemon.service.status().apps[0].units
        assert (unit.ended, unit.log) == (HOW, ())
        await anyio.sleep(10)
        (unit,) = daemon.service.status().apps[0].units
        assert (unit.ended, unit.log) == (HOW, ("another one",))
        (incident,) = world.ledger.all(Incident).values()
        assert incident.log == ("another one",)
        assert len(world.systemd.words_read) == asked + 2, "no more often than that"


async def test_where_the_journal_has_not_taken_all_it_is_said_that_lines_may_be_missing(crashing):
    world = crashing
    world.systemd.passed_over.add(WEB)
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(2)
        (unit,) = daemon.service.status().apps[0].units
        assert (unit.ended, unit.log) == (HOW, LOG)
        assert "its last lines may be missing" in unit.more
        (incident,) = world.ledger.all(Incident).values()
        assert "podvisor doctor" in incident.hint


async def test_what_mends_damaged_storage_is_told_beside_the_last_words(crashing):
    world = crashing
    words = f"Error: readlink /home/pi/storage/overlay/{'7a' * 32}/diff: no such file or directory"
    world.systemd.said[WEB] = words
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(2)
        (unit,) = daemon.service.status().apps[0].units
        assert unit.log == (words,)
        assert "podman system check" in unit.more


async def test_of_a_silent_one_nothing_is_looked_for_again_and_again(crashing):
    world = crashing
    world.systemd.said_at[WEB] = float("inf")
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(170)
        world.systemd.words_read.clear()
        world.systemd.dies(WEB)
        await anyio.sleep(20)
        assert len(world.systemd.words_read) == 2
        assert daemon.queue.due_in("app:web") > 10


@pytest.mark.parametrize("restarts", [False, True])
async def test_how_it_ended_is_known_while_it_has_to_stay_up(crashing, restarts):
    world = crashing
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(world.running())
        for _ in range(2):
            world.systemd.dies(WEB)
            await anyio.sleep(8)
        if restarts:
            await stack.aclose()
            daemon = await stack.enter_async_context(world.running())
        assert WEB in world.machine.running
        app = daemon.service.status().apps[0]
        (unit,) = app.units
        assert (unit.ended, unit.log) == (HOW, LOG)
        (incident,) = world.ledger.all(Incident).values()
        assert incident.text == (
            f"{WEB} runs, after it was brought back 2 times: it has to stay up for 30s; last: {HOW}"
        )
        assert incident.log == LOG
        await anyio.sleep(40)
        (unit,) = daemon.service.status().apps[0].units
        assert (unit.ended, unit.log) == ("", ())
        await stack.aclose()


@pytest.mark.parametrize("ended", ["", HOW])
def test_what_waits_for_its_next_try_says_how_it_ended_whatever_systemd_does_with_it(ended):
    def app(failures):
        unit = UnitStatus(
            name=WEB,
            active="activating",
            sub="start",
            wanted=True,
            ended=ended,
            failures=failures,
            next_try_at=30.0,
        )
        return AppStatus(name="web", source="home", state=AppState.FAILING, units=(unit,))

    (event,) = changes_of_state(app(5), app(6), now=0.0)
    said = f"down ({HOW})" if ended else "down"
    assert (event.kind, event.reason) == (EventKind.WAITING, f"{said} again after 6 tries in a row")


async def test_the_newest_lines_of_its_log_are_without_secrets(crashing):
    async with crashing.running() as daemon:
        crashing.machine.broken.add(WEB)
        crashing.systemd.dies(WEB)
        await anyio.sleep(20)
        found = await daemon.service.logs(LogQuery(unit=WEB))
        assert tuple(one.text for one in found.lines) == LOG


async def test_of_one_that_comes_back_its_event_has_the_last_words(crashing):
    world = crashing
    async with world.running() as daemon:
        world.systemd.dies(WEB)
        await anyio.sleep(5)
        step = world.events(EventKind.STEP)[-1]
        assert step.ok
        assert step.detail == "\n".join(LOG)
        (unit,) = daemon.service.status().apps[0].units
        assert (unit.ended, unit.log) == ("", ()), "it runs"


async def test_of_a_release_that_is_taken_back(crashing):
    world = crashing
    async with world.running() as daemon:
        bad = "secret=word dies v=2"
        await world.push(daemon, {"web/web.container": bad})
        await anyio.sleep(20)
        failed = world.ledger.rollouts("web")[-1]
        assert failed.reason == f"{WEB} failed ({HOW}): " + "\n".join(LOG)
        assert failed.log == LOG
        incident = world.ledger.all(Incident)["app-reverted/web/"]
        assert incident.text.endswith(f"{WEB} failed ({HOW})")
        assert incident.log == LOG
        _, _, told = world.git_host.told[-1]
        assert HOW in told
        assert "nginxx" not in told, "that may be anybody's"


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("none", "LogDriver=none: nobody keeps what it writes"),
        (
            "k8s-file",
            "LogDriver=k8s-file: what it wrote went with its container (the journal keeps it)",
        ),
    ],
)
async def test_of_one_whose_words_nobody_has_that_is_said(world, driver, said):
    world.systemd.ended[WEB] = HOW
    world.reader.put("home", {"web/web.container": f"log={driver}"})
    async with world.running() as daemon:
        world.machine.broken.add(WEB)
        world.systemd.dies(WEB)
        await anyio.sleep(20)
        (app,) = daemon.service.status().apps
        (unit,) = app.units
        assert (unit.log, unit.more, unit.log_driver) == ((), said, driver)
        (incident,) = world.ledger.all(Incident).values()
        assert said in f"{incident.text} {incident.hint}"


async def test_what_a_change_starts_has_nothing_of_the_crashes_before_held_against_it(world):
    world.reader.put("home", {"web/web.container": "v=1"})
    async with world.running() as daemon:
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        await anyio.sleep(300)
        assert world.ledger.repairs()["web.service"].failures > 2
        assert daemon.board.apps["web"].state is AppState.FAILING
        world.machine.broken.clear()
        await world.push(daemon, {"web/web.container": "v=2"})
        assert daemon.board.apps["web"].state is AppState.READY
        assert not world.ledger.repairs().get("web.service")
