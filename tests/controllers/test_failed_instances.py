"""Instances that a socket's connections start, and that fail: nobody knows their names ahead."""

import anyio
import pytest

from supervisor.model.events import EventKind
from supervisor.model.incident import Incident, IncidentCode

pytestmark = pytest.mark.anyio
FILES = {"web/sk@.container": "", "web/other.container": ""}
FIRST, THIRD = "sk@0-12-1000.service", "sk@10-14-1000.service"


def passes(daemon):
    return daemon.service.counters().passes["app"].ended


@pytest.fixture
def sockets(world):
    world.reader.put("home", FILES)
    world.systemd.ended.update({FIRST: "exit status 3", THIRD: "exit status 4"})
    world.systemd.said[THIRD] = "FATAL disk gone"
    return world


async def test_what_a_connection_started_and_failed_is_told_of_its_template(sockets):
    world = sockets
    async with world.running() as daemon:
        assert daemon.service.status().incidents == ()
        world.machine.running[THIRD] = ""
        world.systemd.changes.queue.put_nowait("sk@.service")  # a connection
        await anyio.sleep(20)
        assert THIRD in world.systemd.watched
        assert daemon.service.status().incidents == ()
        world.systemd.dies(FIRST)
        world.systemd.dies(THIRD)
        await anyio.sleep(20)
        (incident,) = (await daemon.service.look()).incidents
        assert (incident.code, incident.subject) == (IncidentCode.UNIT_FAILED, "sk@.service")
        assert (
            incident.text
            == f"2 instances of sk@.service failed, last {THIRD} failed (exit status 4)"
        )
        assert incident.log == ("FATAL disk gone",)
        assert "reset-failed 'sk@*.service'" in incident.hint
        (event,) = world.events(EventKind.FAILED)
        assert (event.unit, event.reason) == ("sk@.service", "failed (exit status 4)")
        assert [*world.ledger.all(Incident)] == [incident.key]
        world.machine.failed.clear()
        world.systemd.changes.queue.put_nowait(THIRD)
        await anyio.sleep(20)
        assert daemon.service.status().incidents == ()
        assert not any("sk@" in name for name in world.systemd.watched)
        assert world.systemd.jobs == [("start", "other.service")]


async def test_many_connections_have_their_app_looked_at_now_and_then(sockets):
    world = sockets
    async with world.running() as daemon:
        await anyio.sleep(100)
        began = passes(daemon)
        for number in range(200):
            world.systemd.dies(f"sk@{number}-1-1000.service")
            world.systemd.changes.queue.put_nowait("sk@.service")
            await anyio.sleep(0.1)
        await anyio.sleep(20)
        assert passes(daemon) - began <= 6
        assert sum("sk@" in name for name in world.systemd.watched) == 50
        (incident,) = daemon.service.status().incidents
        assert incident.text.startswith("200 instances of sk@.service failed, last sk@199-")


async def test_without_such_a_template_systemd_is_not_asked(world):
    world.reader.put("home", {"web/other.container": ""})
    asked = []
    world.systemd.instances = asked.append
    async with world.running():
        assert asked == []
