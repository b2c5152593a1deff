"""What is wrong is opened once, remembered through restarts, and over when it is."""

import anyio
import pytest

from supervisor.model.errors import Retry
from supervisor.model.incident import Incident, IncidentCode

pytestmark = pytest.mark.anyio

PHOTOS = {"photos/gallery.container": ""}


def kept(world):
    return world.ledger.all(Incident)


def told(daemon):
    return {one.key: one for one in daemon.service.status().incidents}


async def test_a_crash_loop_is_one_incident_until_it_is_over(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        assert not kept(world)
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(100)
        (one,) = kept(world).values()
        assert (one.code, one.app) == (IncidentCode.UNIT_DOWN, "photos")
        assert one.subject == "gallery.service"
        assert told(daemon).keys() == kept(world).keys()
        await anyio.sleep(100)
        (later,) = kept(world).values()
        assert later.opened_at == one.opened_at < world.clock.now() - 100
        world.machine.broken.clear()
        await anyio.sleep(4_000)
        assert not kept(world)
        assert not told(daemon)


async def test_a_restart_of_the_daemon_neither_ends_nor_renews_what_goes_on(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        await world.push(daemon, {"photos/gallery.container": "refuse=unsupported-key"})
        (before,) = kept(world).values()
        assert before.code is IncidentCode.APP_REFUSED
    await anyio.sleep(60)
    async with world.running(first_pass=False) as daemon:
        assert kept(world), "nothing is known yet, and nothing over"
        await daemon.queue.wait_idle()
        daemon.first_pass_is_over()
        (after,) = kept(world).values()
        assert (after.key, after.opened_at) == (before.key, before.opened_at)
    world.reader.put("home", PHOTOS)
    async with world.running():
        assert not kept(world), "it was over before the daemon came back"


async def test_a_source_that_cannot_be_read_is_one_until_it_can(world):
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        (one,) = kept(world).values()
        assert (one.code, one.subject) == (IncidentCode.SOURCE_UNREADABLE, "home")
        world.reader.failures.clear()
        await anyio.sleep(4_000)
        assert not kept(world)


async def test_who_listens_hears_of_each_once(world):
    heard = []
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        daemon.incidents.subscribe(
            lambda opened, over: heard.append(
                ([one.key for one in opened], [one.key for one in over])
            )
        )
        await world.push(daemon, {"photos/gallery.container": "refuse=a"})
        await anyio.sleep(10_000)
        (key,) = kept(world)
        assert heard == [([key], [])]
        await world.push(daemon, PHOTOS)
        assert heard == [([key], []), ([], [key])]
