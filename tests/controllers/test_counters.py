"""What the daemon counts of what it does, on the whole daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.adapters.ledger.rows import storable
from supervisor.controllers.state.tally import Tally
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import Event, EventKind
from supervisor.model.settings import RolloutSettings

pytestmark = pytest.mark.anyio

ONE, TWO = ({"web/web.container": f"v={n}"} for n in (1, 2))
SETTLE = 10


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    return world


async def counted(daemon):
    return (await daemon.service.metrics()).counters


async def pushed(world, daemon, files):
    await world.push(daemon, files)
    await anyio.sleep(SETTLE + 1)
    await daemon.queue.wait_idle()


async def test_releases_are_counted_by_what_came_of_them(world):
    async with world.running() as daemon:
        await pushed(world, daemon, ONE)
        assert (await counted(daemon)).releases == {"good": 1}
        world.systemd.mends = {"web.service": "v=1"}
        world.machine.broken.add("web.service")
        await pushed(world, daemon, TWO)
        after = await counted(daemon)
        assert after.releases == {"good": 1, "failed": 1}
        assert after.events["applied"] == 1
        assert after.events["step-quarantine"] == 1
        logged = [event.code for event in world.events()]
        assert after.events == {code: logged.count(code) for code in set(logged)}


async def test_repairs_are_no_starts_of_a_deploy(world):
    async with world.running() as daemon:
        await pushed(world, daemon, ONE)
        assert (await counted(daemon)).repairs == {}
        world.systemd.dies("web.service")
        await anyio.sleep(100)
        assert (await counted(daemon)).repairs == {"unit": 1}
        world.folder.edit("web", "web.container")
        await anyio.sleep(100)
        assert (await counted(daemon)).repairs == {"unit": 1, "files": 1}


async def test_pulls_and_why_passes_failed(world):
    world.podman.registry.add("img:2")
    world.podman.private["img:2"] = "/good.json"
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "image=img:2 authfile=/bad.json"})
        before = await counted(daemon)
        assert before.pulls == {"failed": 1}
        assert before.passes["image"].stalls == 1
        assert before.failing == {"image:img:2": 1}
        await world.push(daemon, {"web/web.container": "image=img:2 authfile=/good.json"})
        after = await counted(daemon)
        assert after.pulls == {"failed": 1, "pulled": 1}
        assert after.failing == {}
        assert after.passes["image"].stalls == 1


async def test_passes_and_how_long_they_took(world):
    async with world.running() as daemon:
        before = (await counted(daemon)).passes["source"]
        world.reader.failures["home"] = Retry("out of reach")
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        after = await counted(daemon)
        assert after.passes["source"].ended == before.ended + 1
        assert after.passes["source"].retries == 1
        assert after.failing == {"source:home": 1}
        assert after.queue.later > 0
        assert (after.queue.ready, after.queue.running) == (0, 0)


def test_time_adds_up_and_kinds_of_failures_are_told_apart():
    tally = Tally()
    for seconds in (0.5, 1.5):
        tally.ended("app", seconds=seconds)
    tally.failed("app", Retry("later"))
    tally.failed("app", Stalled("never"))
    count = tally.passes["app"]
    assert (count.ended, count.seconds, count.retries, count.stalls) == (2, 2.0, 1, 1)


def test_a_tally_of_another_daemon_is_another():
    one = Tally()
    one.event(storable(Event(kind=EventKind.APPLIED), now=1.0))
    one.pulled(ok=True)
    assert (one.events, one.releases) == ({"applied": 1}, {"good": 1})
    other = Tally()
    assert other == Tally()
    assert not other.events
