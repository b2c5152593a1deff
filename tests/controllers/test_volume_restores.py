"""Restores that fail, are given up or replaced: nothing runs on half of them, and no data go."""

from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry, Stalled
from supervisor.model.rollout import Hold
from supervisor.model.settings import ImageSettings
from supervisor.model.status import OrderRequest
from tests.controllers import test_volume_snapshots as snapshots
from tests.controllers.test_volume_snapshots import (
    OTHER,
    VOLUME,
    at,
    done,
    exported,
    files,
    nothing,
    releases,
    remembered,
    runs,
    settle,
    waiting,
)
from tests.fakes.ports import oid

world = snapshots.world
FULL = Retry("no space left on device")


async def restore(daemon, wish):
    await daemon.service.restore(OrderRequest(apps=("web",), revision=wish), nothing)


async def resume(daemon):
    await daemon.service.resume(OrderRequest(apps=("web",)), nothing)


@asynccontextmanager
async def ordered(daemon, wish, *, after):
    """A restore is under way for so long; the export takes 30 s, and so does the load."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(restore, daemon, wish)
        await anyio.sleep(after)
        yield


async def half_restored(world, daemon):
    """Release 1 could not be put back to the end."""
    await at(world, daemon, 1, 2)
    world.archive.load_failure = FULL
    await restore(daemon, releases(world)[0])
    assert world.machine.data[VOLUME] == "half"
    assert runs(world) is None


async def test_nothing_runs_on_half_of_a_volume_that_was_gone(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        world.machine.running.pop("web.service")
        world.machine.volumes.discard(VOLUME)
        world.archive.load_failure = FULL
        await restore(daemon, releases(world)[0])
        for _ in range(60):
            await anyio.sleep(10)
            assert world.machine.data[VOLUME] == "half"
            assert runs(world) is None
        assert exported(world) == ["of 1"]
        world.archive.load_failure = None
        await anyio.sleep(3600)
        await settle(daemon)
        assert runs(world) == 1
        assert world.machine.data[VOLUME] == "of 1"


@pytest.mark.parametrize("wish", [0, -1])
async def test_nothing_runs_on_half_of_it_when_a_restore_is_ordered_again(world, wish):
    async with world.running() as daemon:
        await half_restored(world, daemon)
        world.archive.failure = FULL
        await restore(daemon, remembered(world).snapshots[wish].id)
        await resume(daemon)
        await anyio.sleep(600)
        assert world.machine.data[VOLUME] == "half"
        assert runs(world) is None


async def test_half_of_a_restore_is_no_snapshot_and_takes_the_place_of_none(world):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=1))
    async with world.running() as daemon:
        await half_restored(world, daemon)
        assert exported(world) == ["of 1", "of 2"]
        undo = remembered(world).snapshots[-1].id
        await anyio.sleep(2)
        assert f"podvisor restore web {undo}" in waiting(daemon)
        await restore(daemon, undo)
        assert "of 1" in exported(world)
        world.archive.load_failure = None
        await restore(daemon, undo)
        assert exported(world) == ["of 1", "of 2"]
        assert runs(world) == 2
        assert world.machine.data[VOLUME] == "of 2"


async def test_nothing_is_emptied_under_what_others_run(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        world.podman.in_use = {VOLUME}
        await restore(daemon, releases(world)[0])
        assert world.machine.data[VOLUME] == "of 2"
        assert runs(world) == 2, "and nothing is stopped for what is not done"
        await anyio.sleep(2)
        assert "container theirs (theirs.service), which is not of the app" in waiting(daemon)
        world.podman.in_use.clear()
        await anyio.sleep(3600)
        await settle(daemon)
        assert runs(world) == 1
        assert world.machine.data[VOLUME] == "of 1"


async def test_a_snapshot_that_leaves_a_volume_half_restored_is_refused(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        known = remembered(world)
        other = msgspec.structs.replace(known.snapshots[0], id="other", volumes={"another": 1})
        world.archive.kept["web", "other"] = {"another": "of 1"}
        known = msgspec.structs.replace(known, snapshots=(*known.snapshots, other))
        world.ledger.put(known, "web")
        world.archive.load_failure = FULL
        await restore(daemon, known.snapshots[0].id)
        held, order = world.ledger.get(Hold, "web"), remembered(world).restore
        with pytest.raises(Stalled, match=f"volumes {VOLUME} are half put back, and are not in"):
            await restore(daemon, "other")
        assert world.ledger.get(Hold, "web") == held
        assert remembered(world).restore == order


async def half_of_one_and_another_ordered(world, daemon):
    """A volume is half put back, and a snapshot holds it and one that nobody else names.

    Returns the id of that snapshot.
    """
    await half_restored(world, daemon)
    known = remembered(world)
    both = msgspec.structs.replace(known.snapshots[0], id="both", volumes={VOLUME: 4, "another": 4})
    world.archive.kept["web", "both"] = {VOLUME: "of 1", "another": "of 1"}
    world.ledger.put(msgspec.structs.replace(known, snapshots=(both, *known.snapshots)), "web")
    world.machine.volumes.add("another")
    world.machine.data["another"] = "of today"
    return "both"


@pytest.mark.parametrize(("keep", "seconds"), [(1, 30.0), (9, 30.0), (9, 0.01)])
async def test_what_only_the_next_order_names_is_exported_with_what_was_before_the_first(
    world, keep, seconds
):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=keep))
    world.archive.seconds = seconds  # both exports may be of one second
    async with world.running() as daemon:
        both = await half_of_one_and_another_ordered(world, daemon)
        world.archive.load_failure = None
        await restore(daemon, both)
        await settle(daemon)
        assert world.machine.data["another"] == "of 1"
        undo = remembered(world).snapshots[-1]
        assert world.archive.kept["web", undo.id] == {VOLUME: "of 2", "another": "of today"}
        assert undo.volumes.keys() == {VOLUME, "another"}
        assert [one.id for one in remembered(world).snapshots].count(undo.id) == 1
        await restore(daemon, undo.release)
        await settle(daemon)
        assert runs(world) == 2
        assert world.machine.data[VOLUME] == "of 2"
        assert world.machine.data["another"] == "of today"


async def test_it_is_exported_once_whatever_fails_after_it(world):
    async with world.running() as daemon:
        both = await half_of_one_and_another_ordered(world, daemon)
        known = len(remembered(world).snapshots)
        await restore(daemon, both)
        await anyio.sleep(3600)
        assert world.machine.data["another"] == "half"
        assert len(remembered(world).snapshots) == known + 1
        assert all("half" not in held.values() for held in world.archive.kept.values())


@pytest.mark.parametrize("what", ["no room", "podman is down"])
async def test_without_its_export_it_is_not_emptied(world, what):
    async with world.running() as daemon:
        both = await half_of_one_and_another_ordered(world, daemon)
        world.archive.load_failure = None
        world.archive.free = 0 if what == "no room" else world.archive.free
        world.podman.down = what == "podman is down"
        async with ordered(daemon, both, after=600):
            assert world.machine.data["another"] == "of today"
            assert runs(world) is None
            world.archive.free, world.podman.down = 1 << 40, False
        await anyio.sleep(3600)
        await settle(daemon)
        assert world.machine.data["another"] == "of 1"
        assert "of today" in world.archive.kept["web", remembered(world).snapshots[-1].id].values()


async def test_what_a_boot_started_on_half_of_a_restore_is_stopped(world):
    async with world.running() as daemon:
        await half_restored(world, daemon)
    world.machine.cut_power()
    world.machine.boot()
    world.machine.start_queued()
    assert runs(world)
    async with world.running():
        assert runs(world) is None


async def test_an_app_that_comes_again_is_put_back_first_if_it_was_half(world):
    async with world.running() as daemon:
        for version in (1, 2):
            await world.push(daemon, files(version) | OTHER)
            await settle(daemon)
            world.machine.data[VOLUME] = f"of {version}"
        world.archive.load_failure = FULL
        await restore(daemon, releases(world)[0])
        await world.push(daemon, OTHER)
        await settle(daemon)
        assert "web" not in daemon.board.apps
        await world.push(daemon, files(2) | OTHER)
        await settle(daemon)
        assert runs(world) is None
        world.archive.load_failure = None
        await anyio.sleep(3600)
        await settle(daemon)
        assert runs(world) == 2
        assert world.machine.data[VOLUME] == "of 1"


async def test_a_restore_that_is_given_up_during_its_export_is_not_done(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        async with ordered(daemon, releases(world)[0], after=15):
            assert runs(world) is None
            await resume(daemon)
        await settle(daemon)
        assert f"restore-volumes {VOLUME}" not in done(world)
        assert world.machine.data[VOLUME] == "of 2"
        assert runs(world) == 2


async def test_a_restore_that_is_given_up_during_its_load_is_done_all_the_same(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        async with ordered(daemon, releases(world)[0], after=45):
            assert world.machine.data[VOLUME] == "half"
            await resume(daemon)
        await settle(daemon)
        assert world.machine.data[VOLUME] == "of 1"
        assert runs(world) == 2


@pytest.mark.parametrize("after", [15, 45])
async def test_a_restore_that_another_replaces_leaves_that_one_to_be_done(world, after):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=9))
    async with world.running() as daemon:
        await at(world, daemon, 1, 2, 3)
        first, second, _ = releases(world)
        async with ordered(daemon, first, after=after):
            await restore(daemon, second)
        await settle(daemon)
        assert world.ledger.get(Hold, "web").release == second
        assert runs(world) == 2
        assert world.machine.data[VOLUME] == "of 2"
        assert "of 3" in exported(world)
        assert exported(world).count("of 1") == 1


async def test_nothing_runs_between_the_export_and_the_restore(world):
    job = {"web/migrate.container": f"v=1 job mounts={VOLUME}"}
    async with world.running() as daemon:
        for version in (1, 2):
            await world.push(daemon, files(version) | job)
            await settle(daemon)
            world.machine.data[VOLUME] = f"of {version}"
        before = len(world.systemd.jobs)
        await restore(daemon, releases(world)[0])
        jobs = [kind for kind, unit in world.systemd.jobs[before:] if unit == "web.service"]
        assert jobs[0] == "stop"
        assert jobs.count("stop") == 1
        assert runs(world) == 1


async def test_what_was_written_between_the_export_and_the_restore_is_exported_as_well(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        first = remembered(world).snapshots[0].id
        async with ordered(daemon, releases(world)[0], after=15):
            world.archive.damaged.add(first)
        await settle(daemon)
        assert runs(world) == 2
        world.machine.data[VOLUME] = "of 2, and more"
        world.archive.damaged.clear()
        await anyio.sleep(3600)
        await settle(daemon)
        assert runs(world) == 1
        assert exported(world) == ["of 1", "of 2", "of 2, and more"]


async def test_a_volume_that_only_the_snapshot_names_is_exported_before_it_is_emptied(world):
    new = {"web/new.container": "v=1 mounts=systemd-new"}
    world.machine.volumes.add("systemd-new")
    world.machine.data["systemd-new"] = "new of 1"
    async with world.running() as daemon:
        await at(world, daemon, 1)
        await world.push(daemon, files(2) | new)
        await settle(daemon)
        await at(world, daemon, 3)
        world.machine.data["systemd-new"] = "new of 3"
        await restore(daemon, remembered(world).snapshots[0].id)
        assert world.machine.data["systemd-new"] == "new of 1"
        undo = remembered(world).snapshots[-1]
        assert world.archive.kept["web", undo.id]["systemd-new"] == "new of 3"


async def test_an_app_whose_restore_waits_for_its_export_is_repaired(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        first = remembered(world).snapshots[0].id
        await restore(daemon, first)
        assert runs(world) == 1
        world.archive.free = 0
        await restore(daemon, first)
        world.systemd.dies("web.service")
        await anyio.sleep(120)
        assert remembered(world).restore
        assert runs(world) == 1


async def test_while_podman_does_not_say_what_there_is_nothing_is_put_back(world):
    """Else what was written since would go without having been exported."""
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        first = releases(world)[0]
        await restore(daemon, first)
        await settle(daemon)
        world.machine.data[VOLUME] = "since"
        world.podman.down = True
        async with ordered(daemon, first, after=100):
            assert world.machine.data[VOLUME] == "since"
            world.podman.down = False
        await anyio.sleep(1_000)  # it was tried again, less and less often
        await settle(daemon)
        assert "since" in exported(world)
        assert world.machine.data[VOLUME] == "of 1"


async def test_what_was_there_before_the_first_that_failed_stays(world):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=2))
    async with world.running() as daemon:
        await at(world, daemon, 1)
        for version in (2, 3, 4):
            world.machine.bad.add(oid(files(version)["web/web.container"]))
            await world.push(daemon, files(version))
            await settle(daemon)
            assert runs(world) == 1
            world.machine.data[VOLUME] = f"half of {version}"
        assert exported(world) == ["of 1", "half of 2", "half of 3"]
        first = remembered(world).snapshots[0].id
        await restore(daemon, first)
        assert world.machine.data[VOLUME] == "of 1"
