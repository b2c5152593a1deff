"""What a Git host hears through the whole daemon: when, how often, and not at all."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import RolloutSettings, Settings, SourceSettings

pytestmark = pytest.mark.anyio
TOKEN = SecretRef("file:~/token")
HOME = SourceSettings(
    git=GitUrl("https://git.example/me/home"),
    status="gitea",
    status_token=TOKEN,
    status_context="podvisor/pi",
)
WEB = {"apps/web/web.container": "image=img:1"}


@pytest.fixture
def told(world):
    world.settings = msgspec.structs.replace(world.settings, sources={"home": HOME})
    world.secrets.known[TOKEN] = b"t0ken"
    world.machine.images.update({"img:1", "img:2"})
    world.reader.put("home", WEB)
    return world


def states(world):
    return [(state, text) for _, state, text in world.git_host.told]


async def test_pending_then_success_once_for_each_revision(told):
    async with told.running() as daemon:
        assert states(told) == [("pending", "0 apps"), ("success", "1 app ready")]
        assert {one for one, _, _ in told.git_host.told} == {daemon.board.sources["home"].revision}
        assert told.git_host.tokens == {b"t0ken"}
        assert told.git_host.contexts == {"podvisor/pi"}
        daemon.queue.add("source:home", "all-apps", "resync")
        await daemon.queue.wait_idle()
        assert len(told.git_host.told) == 2
        await told.push(daemon, {"apps/web/web.container": "image=img:2"})
        assert states(told)[2:] == [("pending", "1 app"), ("success", "1 app ready")]


async def test_a_password_in_a_url_is_not_written_down(told):
    home = msgspec.structs.replace(HOME, git=GitUrl("https://me:hunter2@git.example/me/home"))
    told.settings = msgspec.structs.replace(told.settings, sources={"home": home})
    async with told.running():
        assert states(told)[-1] == ("success", "1 app ready")
    told.close()
    for file in told.path.parent.iterdir():
        assert b"hunter2" not in file.read_bytes()


async def test_a_refused_app_is_a_failure_with_its_reason(told):
    async with told.running() as daemon:
        await told.push(daemon, {**WEB, "apps/db/db.container": "refuse=why-it-is"})
        assert states(told)[-1] == ("failure", "db is refused: apps/db/db.container: why-it-is")


async def test_of_a_build_that_fails_it_hears_file_and_step_but_not_what_it_printed(told):
    step = 'STEP "RUN echo $X: y"'
    lies = 'Error: building at STEP "RUN hunter2": x'
    said = f"{lies}\nError: building at {step}: while running runtime: exit status 1"
    told.systemd.said["podvisor-img-build.service"] = said
    files = {
        "apps/web/web.container": "v2 needs=img.build image=img:1",
        "apps/web/img.build": "unbuildable",
    }
    where = f"cannot build the image of img-build.service (apps/web/img.build, at {step})"
    async with told.running() as daemon:
        await told.push(daemon, files)
        full = f"{where}: {lies}\nError: while running runtime: exit status 1"
        (finding,) = daemon.board.apps["web"].findings
        assert finding.message == full
        assert full in [one.detail for one in told.events(EventKind.STEP)]
        (text,) = [text for state, text in states(told) if state == "failure"]
        assert text == f"web is failing: {where.partition(': ')[0]}"


async def test_an_image_that_is_waited_for_is_pending(told):
    async with told.running() as daemon:
        told.podman.registry.add("img:3")
        told.reader.put("home", {"apps/web/web.container": "image=img:3"})
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle(lambda key: not key.startswith("image:"))
        assert states(told)[-1][0] == "pending"
        await daemon.queue.wait_idle()
        assert states(told)[-1] == ("success", "1 app ready")


async def test_nothing_is_told_twice_across_a_restart(told):
    async with told.running():
        pass
    before = list(told.git_host.told)
    async with told.running():
        assert told.git_host.told == before


async def test_a_repair_is_no_news_and_a_crash_loop_no_flood(told):
    async with told.running() as daemon:
        told.systemd.dies("web.service")
        await anyio.sleep(3)
        await daemon.queue.wait_idle()
        assert len(told.git_host.told) == 2
        told.machine.broken.add("web.service")
        for _ in range(60):
            told.systemd.dies("web.service")
            await anyio.sleep(60)
        await daemon.queue.wait_idle()
        later = states(told)[2:]
        assert later[0][0] == "failure"
        assert len(later) <= 12, "an hour of crashes, no more than one each five minutes"
        told.machine.broken.clear()
        await anyio.sleep(7200)
        await daemon.queue.wait_idle()
        assert daemon.board.apps["web"].state == "ready"
        assert states(told)[-1] == ("success", "1 app ready")


async def test_a_git_host_that_is_down_keeps_nothing_waiting_and_is_told_later(told, caplog):
    told.git_host.failure = Retry("cannot tell: no route to host")
    async with told.running() as daemon:
        assert daemon.board.apps["web"].state == "ready"
        await told.push(daemon, {"apps/web/web.container": "image=img:2"})
        assert "web.service" in told.machine.running
        assert "no route to host" in str(daemon.board.problems["commit-status:home"])
        tries = told.git_host.tries
        await anyio.sleep(3600)
        assert told.git_host.tries - tries <= 6
        told.git_host.failure = None
        daemon.loop.expedite()
        await daemon.queue.wait_idle()
        assert states(told)[-1] == ("success", "1 app ready")
        assert "commit-status:home" not in daemon.board.problems
    assert caplog.text.count("no route to host") == 1


async def test_a_wrong_token_is_said_once_and_shown(told, caplog):
    told.git_host.failure = Stalled("cannot tell: 401", hint="check the token")
    async with told.running() as daemon:
        await told.push(daemon, {"apps/web/web.container": "image=img:2"})
        (problem,) = daemon.service.status().problems
        assert "source home" not in problem.message
        assert "401" in problem.message
        assert problem.hint == "check the token"
        await anyio.sleep(7200)
        assert told.git_host.tries <= 6
    assert caplog.text.count("cannot tell: 401") == 1


async def test_other_settings_are_tried_at_once(told):
    told.secrets.known.clear()
    async with told.running() as daemon:
        assert not told.git_host.told
        assert "cannot read file:~/token" in str(daemon.board.problems["commit-status:home"])
        told.secrets.known[TOKEN] = b"t0ken"
        await daemon.settings.take(told.settings)
        await daemon.queue.wait_idle()
        assert states(told)[-1] == ("success", "1 app ready")
        off = msgspec.structs.replace(
            HOME, status="", status_token=SecretRef(""), status_context=""
        )
        await daemon.settings.take(Settings(sources={"home": off}))
        before = len(told.git_host.told)
        await told.push(daemon, {"apps/web/web.container": "image=img:2"})
        assert len(told.git_host.told) == before


async def test_without_the_setting_nobody_is_told(world):
    world.reader.put("home", WEB)
    world.machine.images.add("img:1")
    async with world.running():
        assert not world.git_host.tries


async def test_a_revision_that_is_taken_back_is_a_failure(told):
    """Not before its gate has decided, and not a success although the old one runs."""
    told.settings = msgspec.structs.replace(told.settings, rollout=RolloutSettings(settle=10))
    async with told.running() as daemon:
        await anyio.sleep(12)
        assert states(told)[-1] == ("success", "1 app ready")
        await told.push(daemon, {"apps/web/web.container": "image=img:2"})
        assert states(told)[-1][0] == "pending"
        told.systemd.dies("web.service")
        await anyio.sleep(12)
        state, text = states(told)[-1]
        assert state == "failure"
        assert "web.service failed" in text
