"""When the user's systemd ends, as at a reboot, and comes back: nothing is wrong or told."""

import anyio
import msgspec
import pytest

from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import Outbox
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.observed import UnitState
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.status import AppState

pytestmark = pytest.mark.anyio

PHONE = SecretRef("file:~/phone")
APPS = {f"app{number}/unit{number}.container": "" for number in range(4)}
SYSTEMD = "supervisor-failing//systemd"


@pytest.fixture
def world(world):
    world.secrets.known[PHONE] = b"json://phone"
    notify = {"phone": NotifySettings(url=PHONE, after=Seconds(5))}
    world.settings = msgspec.structs.replace(world.settings, notify=notify)
    world.reader.put("home", APPS)
    return world


def bus_goes(world):
    """Every unit is looked at anew, as after a lost connection, and nobody answers."""
    world.systemd.lost = True
    world.systemd.changes.queue.put_nowait("")


def wrong(world):
    return set(world.ledger.all(Incident))


async def test_a_daemon_that_ends_with_the_bus_leaves_nothing_that_is_wrong(world):
    async with world.running() as daemon:
        bus_goes(world)
        daemon.queue.add("all-apps")
        await anyio.sleep(0.9)
        assert wrong(world) == set()
        assert daemon.service.status().problems == ()
        assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
    world.systemd.lost = False
    async with world.running():
        await anyio.sleep(1_000)
    assert world.messenger.titles == []


async def test_a_bus_that_stays_away_is_one_thing_until_it_is_back(world):
    async with world.running() as daemon:
        bus_goes(world)
        await anyio.sleep(60)
        assert wrong(world) == {SYSTEMD}
        (problem,) = daemon.service.status().problems
        assert problem.message == "cannot reach systemd"
        (title,) = world.messenger.titles
        assert title.endswith("podvisor: cannot reach systemd")
        world.systemd.lost = False
        await anyio.sleep(1_000)
        assert wrong(world) == set()
        assert len(world.messenger.titles) == 2


async def test_what_was_wrong_with_the_run_before_is_not_told_before_it_was_looked_at(world):
    async with world.running():
        await anyio.sleep(10)
        one = Incident(
            code=IncidentCode.SUPERVISOR_FAILING,
            subject="disk",
            text="disk: cannot look",
            opened_at=world.clock.now(),
        )
        world.ledger.put(one, one.key)
        down = Incident(
            code=IncidentCode.UNIT_DOWN,
            app="app1",
            subject="unit1.service",
            text="unit1.service is down",
            opened_at=world.clock.now(),
        )
        world.ledger.put(down, down.key)
    await anyio.sleep(100)
    world.systemd.slow = {"unit0.service": 60.0}
    world.machine.running.pop("unit0.service")
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(30)
        assert world.ledger.get(Outbox, "phone").waiting, "it may still be so"
        assert world.messenger.titles == []
        await daemon.queue.wait_idle()
        daemon.first_pass_is_over()
        await anyio.sleep(1_000)
        assert wrong(world) == set()
        assert world.messenger.titles == []


async def test_replicas_that_stopped_with_the_session_are_started_without_a_try(world):
    world.reader.put("home", {"web/web@.container": "v=1 # replicas=2"})
    async with world.running() as daemon:
        await anyio.sleep(100)
    for _ in range(4):
        world.systemd.boots()
        world.systemd.has_booted()
        async with world.running() as daemon:
            await anyio.sleep(10)
            assert len(world.machine.running) == 2
            assert not any(one.failures for one in world.ledger.repairs().values())
            assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
    assert world.messenger.titles == []


@pytest.mark.parametrize(("restarts", "told"), [(1, 0), (2, 2)])
async def test_what_only_came_up_at_the_second_go_of_a_boot_is_well(world, restarts, told):
    world.settings = msgspec.structs.replace(
        world.settings, notify={"phone": NotifySettings(url=PHONE)}
    )
    async with world.running():
        await anyio.sleep(100)
    world.systemd.boots()
    world.machine.running |= {f"unit{number}.service": "" for number in (1, 2, 3)}
    up = UnitState(
        name="unit0.service", load="loaded", active="activating", sub="auto-restart", restarts=1
    )
    world.systemd.states["unit0.service"] = msgspec.structs.replace(up, restarts=restarts - 1)
    async with world.running():
        await anyio.sleep(3)
        world.systemd.states["unit0.service"] = msgspec.structs.replace(
            up,
            active="active",
            sub="running",
            restarts=restarts,
            active_since=world.clock.now(),
            ever_started=True,
        )
        world.systemd.has_booted()
        world.systemd.changes.queue.put_nowait("unit0.service")
        await anyio.sleep(1_000)
        assert len(world.messenger.titles) == told
        assert wrong(world) == set()


async def test_a_replica_that_never_starts_is_tried_with_patience_after_a_boot_too(world):
    world.reader.put("home", {"web/web@.container": "v=1 # replicas=2"})
    async with world.running():
        await anyio.sleep(100)
    world.systemd.boots()
    world.systemd.has_booted()
    world.machine.broken.add("web@1.service")
    world.systemd.jobs.clear()
    async with world.running():
        await anyio.sleep(100)
    tries = [job for job in world.systemd.jobs if job == ("start", "web@1.service")]
    assert 3 <= len(tries) <= 7
