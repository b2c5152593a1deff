"""What podvisor finds when it starts with the user's systemd: units that are not up, or not yet."""

import anyio
import msgspec
import pytest

from supervisor.model.observed import UnitState
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState

ONE, TWO = ({"web/web.container": f"v={n}"} for n in (1, 2))


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=5, gate_timeout=60)
    )
    return world


async def deployed(world, files):
    async with world.running() as daemon:
        await world.push(daemon, files)
        await anyio.sleep(10)
        assert daemon.board.apps["web"].state is AppState.READY


def content(world):
    digest = world.machine.running.get("web.service", "")
    return world.reader.blobs.get(digest, b"").decode()


def starting(world, **more):
    """systemd is busy with the unit."""
    state = UnitState(
        name="web.service", load="loaded", active="activating", sub="start", job="start"
    )
    world.systemd.states["web.service"] = msgspec.structs.replace(state, **more)


def started(world):
    """systemd is done with it, as it was loaded when that began."""
    del world.systemd.states["web.service"]
    world.systemd.changes.queue.put_nowait("web.service")


async def test_what_failed_at_a_boot_is_brought_back(world):
    await deployed(world, ONE)
    world.systemd.boots()
    world.machine.failed.add("web.service")
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        assert daemon.board.apps["web"].state is AppState.FAILING
        world.systemd.has_booted()
        await anyio.sleep(30)
        world.machine.broken.clear()
        await anyio.sleep(600)
        assert content(world) == "v=1"
        assert daemon.board.apps["web"].state is AppState.READY


async def test_what_was_pushed_before_a_boot_goes_through_the_gate(world):
    await deployed(world, ONE)
    world.reader.put("home", TWO)
    world.systemd.boots()
    world.systemd.mends = {"web.service": "v=1"}
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        world.systemd.has_booted()
        await anyio.sleep(120)
        assert daemon.board.apps["web"].state is AppState.REVERTED
        assert content(world) == "v=1"


async def test_what_is_just_starting_is_waited_for(world):
    await deployed(world, ONE)
    world.systemd.boots()
    starting(world)
    async with world.running() as daemon:
        before = list(world.systemd.jobs)
        assert daemon.board.apps["web"].state is AppState.CHANGING
        await anyio.sleep(120)
        assert world.systemd.jobs == before
        world.machine.running["web.service"] = world.machine.loaded["web.service"].digest
        started(world)
        await anyio.sleep(5)
        assert daemon.board.apps["web"].state is AppState.READY


@pytest.mark.parametrize(
    "moving",
    [
        {},
        {"active": "inactive", "sub": "dead"},
        {"active": "active", "sub": "running", "job": ""},
        {"active": "deactivating", "sub": "stop", "job": "stop"},
    ],
)
async def test_what_starts_as_it_was_is_not_taken_for_what_was_pushed(world, moving):
    await deployed(world, ONE)
    world.reader.put("home", TWO)
    world.systemd.boots()
    old = world.machine.loaded["web.service"].digest
    starting(world, **moving)
    async with world.running() as daemon:
        await anyio.sleep(3)
        if content(world) != "v=2":
            world.machine.running["web.service"] = old
        started(world)
        world.systemd.has_booted()
        await anyio.sleep(60)
        assert content(world) == "v=2"
        assert daemon.board.apps["web"].state is AppState.READY


async def test_a_start_that_began_before_the_new_form_was_loaded_is_not_joined(world):
    await deployed(world, ONE)
    world.reader.put("home", TWO)
    world.systemd.boots()
    reload = world.systemd.reload

    async def begins_meanwhile():
        starting(world, before_load=True)
        await reload()

    world.systemd.reload = begins_meanwhile
    async with world.running():
        await anyio.sleep(3)
        assert ("restart", "web.service") in world.systemd.jobs


async def test_what_somebody_started_as_a_file_of_his_defines_it_is_started_anew_without(world):
    """To systemd it runs, and the app is what the source says: only then it was seen."""
    path = "/home/pi/.config/systemd/user/web.service"
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(10)
        world.folder.foreign = {"web.service": path}
        world.machine.places["web.service"] = path
        world.machine.running["web.service"] = "theirs"
        world.systemd.changes.queue.put_nowait("web.service")
        await anyio.sleep(5)
        assert daemon.board.apps["web"].state is AppState.REFUSED
    world.folder.foreign = {}
    async with world.running() as daemon:
        await anyio.sleep(20)
        assert content(world) == "v=1"
        assert daemon.board.apps["web"].state is AppState.READY


@pytest.mark.parametrize("target", ["default.target", "own.target", "not-there.target"])
async def test_a_target_counts_from_the_moment_it_is_wanted(world, target):
    """Whatever `default.target` pulls in is wanted before either is reached."""
    world.systemd.boots()
    world.systemd.states["own.target"] = UnitState(
        name="own.target", load="loaded", wanted_by=("default.target",)
    )
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": f"v=1 install={target}"})
        status = daemon.board.apps["web"]
        assert status.units[0].wanted == (target != "not-there.target")
        assert target in world.systemd.watched
        if target == "not-there.target":
            assert status.state is AppState.INACTIVE
            assert "WantedBy=default.target" in status.findings[0].hint


async def test_nothing_is_judged_or_started_while_systemd_shuts_down(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        jobs = list(world.systemd.jobs)
        world.systemd.states["shutdown.target"] = UnitState(
            name="shutdown.target", load="loaded", job="start"
        )
        world.systemd.dies("web.service")
        await anyio.sleep(60)
        assert world.systemd.jobs == jobs
