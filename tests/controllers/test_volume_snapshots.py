"""Volumes that are exported before a release, and put back, on the whole daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.rollout import Hold
from supervisor.model.settings import ImageSettings, RolloutSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from supervisor.model.volumes import AppVolumes
from tests.fakes.ports import oid

SETTLE = 10
VOLUME = "systemd-data"
OTHER = {"other/other.container": "v=1"}
DATA = {"web/data.volume": "v=1"}


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    return world


def files(version, *, more="", beside=None):
    """An app with a volume, at a version; `beside` is a unit that the volume is nothing to."""
    web = f"v={version} needs=data.volume mounts={VOLUME} snapshot {more}"
    units = {**DATA, "web/web.container": web.strip()}
    return units | ({"web/proxy.container": beside} if beside else {})


async def settle(daemon):
    await daemon.queue.wait_idle()
    await anyio.sleep(SETTLE + 1)
    await daemon.queue.wait_idle()


async def at(world, daemon, first, *later):
    """The app came to these versions in turn, each of which wrote its name into the volume."""
    for version in (first, *later):
        await world.push(daemon, files(version))
        await settle(daemon)
        assert runs(world) == version
        world.machine.data[VOLUME] = f"of {version}"


def runs(world, unit="web.service"):
    """The version that a unit runs with."""
    digest = world.machine.running.get(unit)
    texts = {version: files(version)["web/web.container"] for version in range(1, 5)}
    return next((version for version, text in texts.items() if oid(text) == digest), None)


def remembered(world):
    return world.ledger.get(AppVolumes, "web") or AppVolumes()


def exported(world):
    """What was exported, the oldest first: release and content."""
    kept = {one[1]: held for one, held in world.archive.kept.items()}
    return [kept[one.id][VOLUME] for one in remembered(world).snapshots]


def releases(world):
    return [one.release for one in world.ledger.rollouts("web")]


def done(world):
    """Steps in their order: word and thing."""
    steps = world.events(EventKind.STEP)
    return [f"{one.step} {one.unit or one.subject}".strip() for one in steps if one.app == "web"]


def state(daemon):
    return daemon.board.apps["web"].state


def waiting(daemon):
    return " ".join(map(str, daemon.board.apps["web"].waiting))


async def nothing(_event):
    pass


async def test_volumes_are_exported_before_another_release_is_installed(world):
    async with world.running() as daemon:
        await at(world, daemon, 1)
        assert not remembered(world).snapshots  # there was nothing before it
        before = len(done(world))
        await world.push(daemon, files(2))
        await settle(daemon)
        assert runs(world) == 2
        assert exported(world) == ["of 1"]
        (one,) = remembered(world).snapshots
        assert one.release == releases(world)[0]
        mine = done(world)[before:]
        assert mine[0] == f"snapshot-volumes {VOLUME}"
        assert mine.index("write web.container") > 0
        assert state(daemon) is AppState.READY
        assert not world.events(EventKind.RECOVERED)


async def test_it_is_done_once_for_a_release_and_for_none_that_changes_nothing(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        await daemon.service.sync(SyncRequest(), nothing)
        await world.push(daemon, files(2) | {"web/README.md": "words"})
        await settle(daemon)
        assert exported(world) == ["of 1"]


async def test_who_uses_the_volume_is_down_meanwhile_and_nobody_else(world):
    world.archive.seconds = 100.0
    async with world.running() as daemon:
        await world.push(daemon, files(1, beside="v=1"))
        await settle(daemon)
        world.reader.put("home", files(2, beside="v=1"))
        daemon.queue.add("source:home")
        await anyio.sleep(50)
        assert runs(world) is None
        assert "proxy.service" in world.machine.running
        await settle(daemon)
        assert runs(world) == 2


async def test_without_the_key_nothing_is_exported(world):
    async with world.running() as daemon:
        for version in (1, 2):
            plain = {name: text.replace(" snapshot", "") for name, text in files(version).items()}
            await world.push(daemon, plain)
            await settle(daemon)
        assert not world.archive.kept


async def test_a_neighbour_that_a_release_does_not_change_runs_again_and_counts_at_the_gate(world):
    side = f"v=1 needs=data.volume mounts={VOLUME}"
    async with world.running() as daemon:
        await world.push(daemon, files(1, beside=side))
        await settle(daemon)
        await world.push(daemon, files(2, beside=side))
        await daemon.queue.wait_idle()
        assert "proxy.service" in world.machine.running
        assert not world.ledger.rollouts("web")[-1].ignored_units
        assert not world.ledger.repairs()


async def test_what_does_not_fit_is_refused_with_figures_and_nothing_is_stopped(world):
    async with world.running() as daemon:
        await at(world, daemon, 1)
        world.archive.free = 1000
        before = world.machine.since["web.service"]
        await world.push(daemon, files(2))
        await daemon.queue.wait_idle()
        assert runs(world) == 1
        assert world.machine.since["web.service"] == before
        await anyio.sleep(2)
        assert state(daemon) is AppState.FAILING
        assert "1.0 kB are free in /state/volumes" in waiting(daemon)
        world.archive.free = 1 << 40
        await anyio.sleep(120)
        await settle(daemon)
        assert runs(world) == 2
        assert exported(world) == ["of 1"]


async def test_an_export_that_fails_leaves_the_old_release_running(world):
    async with world.running() as daemon:
        await at(world, daemon, 1)
        world.archive.failure = Retry("cannot export volume systemd-data: no space left on device")
        await world.push(daemon, files(2))
        await daemon.queue.wait_idle()
        assert runs(world) == 1
        await anyio.sleep(2)
        assert state(daemon) is AppState.FAILING
        assert "no space left on device" in waiting(daemon)
        stops = len([one for one in world.systemd.jobs if one == ("stop", "web.service")])
        await anyio.sleep(30)  # not again and again
        assert len([one for one in world.systemd.jobs if one == ("stop", "web.service")]) == stops
        failed = [one for one in world.events(EventKind.STEP) if not one.ok]
        assert "no space left" in failed[-1].detail
        world.archive.failure = None
        await daemon.service.sync(SyncRequest(apps=("web",)), nothing)  # passes over the backoff
        assert runs(world) == 2
        assert not remembered(world).failure


async def test_killed_in_the_middle_of_an_export_it_is_begun_anew(world):
    world.archive.seconds = 100.0
    async with world.running() as daemon:
        await at(world, daemon, 1)
        world.reader.put("home", files(2))
        daemon.queue.add("source:home")
        await anyio.sleep(50)
        assert runs(world) is None
        started, world.systemd.start = world.systemd.start, dies
    world.systemd.start = started
    assert not world.archive.kept
    async with world.running() as daemon:
        await settle(daemon)
        assert runs(world) == 2
        assert exported(world) == ["of 1"]


async def dies(*_args, **_more):
    """A daemon that is killed starts nothing again."""


async def test_a_daemon_that_is_told_to_end_meanwhile_starts_again_what_it_stopped(world):
    world.archive.seconds = 100.0
    async with world.running() as daemon:
        await at(world, daemon, 1)
        world.reader.put("home", files(2))
        daemon.queue.add("source:home")
        await anyio.sleep(50)
        assert runs(world) is None
    assert runs(world) == 1


async def test_a_release_that_fails_is_taken_back_and_the_data_stay_as_they_are(world):
    async with world.running() as daemon:
        await at(world, daemon, 1)
        world.machine.bad.add(oid(files(2)["web/web.container"]))
        await world.push(daemon, files(2))
        world.machine.data[VOLUME] = "migrated by 2"
        await settle(daemon)
        assert runs(world) == 1
        assert world.machine.data[VOLUME] == "migrated by 2"
        # The next one has a snapshot of its own, and the first is kept.
        await world.push(daemon, files(3))
        await settle(daemon)
        assert exported(world) == ["of 1", "migrated by 2"]


async def test_as_many_are_kept_as_versions_of_images(world):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=2))
    async with world.running() as daemon:
        await at(world, daemon, 1, 2, 3, 4)
        assert exported(world) == ["of 2", "of 3"]
        assert len(world.archive.kept) == 2


async def test_a_restore_brings_back_the_release_and_the_data(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        old = releases(world)[0]
        reply = await daemon.service.restore(OrderRequest(apps=("web",), revision=old), nothing)
        assert [one.state for one in reply.apps] == [AppState.HELD]
        assert runs(world) == 1
        assert world.machine.data[VOLUME] == "of 1"
        assert world.ledger.get(Hold, "web").release == old
        assert exported(world) == ["of 1", "of 2"]
        assert not remembered(world).restore


async def test_what_a_snapshot_is_called_may_be_asked_for(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        (one,) = remembered(world).snapshots
        asked = msgspec.json.encode({"apps": ["web"], "revision": one.id})
        order = msgspec.json.decode(asked, type=OrderRequest)
        await daemon.service.restore(order, nothing)
        assert runs(world) == 1


async def test_a_restore_can_be_undone(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        first, second = releases(world)
        await daemon.service.restore(OrderRequest(apps=("web",), revision=first), nothing)
        world.machine.data[VOLUME] = "of 1 again"
        await daemon.service.restore(OrderRequest(apps=("web",), revision=second), nothing)
        assert runs(world) == 2
        assert world.machine.data[VOLUME] == "of 2"
        assert not world.ledger.get(Hold, "web")  # it is what the source asks for
        assert exported(world) == ["of 1", "of 2", "of 1 again"]


async def test_what_is_to_be_put_back_is_not_removed_for_the_one_that_undoes_it(world):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=1))
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        order = OrderRequest(apps=("web",), revision=releases(world)[0])
        await daemon.service.restore(order, nothing)
        assert world.machine.data[VOLUME] == "of 1"


async def test_a_restore_of_what_was_not_exported_says_so(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        order = OrderRequest(apps=("web",), revision=releases(world)[-1])
        with pytest.raises(Stalled, match="no volumes were exported of"):
            await daemon.service.restore(order, nothing)
        with pytest.raises(Stalled, match="no release that was tried here begins with"):
            await daemon.service.restore(OrderRequest(apps=("web",), revision="nope"), nothing)
        assert runs(world) == 2


async def test_a_snapshot_that_is_damaged_changes_nothing_and_is_told(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        world.archive.damaged.add(remembered(world).snapshots[0].id)
        order = OrderRequest(apps=("web",), revision=releases(world)[0])
        with pytest.raises(Stalled, match="is not as it was written"):
            await daemon.service.restore(order, nothing)
        assert runs(world) == 2
        assert not world.ledger.get(Hold, "web")
        assert world.machine.data[VOLUME] == "of 2"


async def test_a_restore_that_fails_can_be_given_up_for_what_was_there_before(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        first, second = releases(world)
        world.archive.load_failure = Retry("cannot put back volume: no space left on device")
        known = remembered(world)
        await daemon.service.restore(OrderRequest(apps=("web",), revision=first), nothing)
        await anyio.sleep(2)
        assert runs(world) is None
        assert state(daemon) is AppState.FAILING
        assert "no space left" in waiting(daemon)
        undo = remembered(world).snapshots[-1]
        assert len(remembered(world).snapshots) == len(known.snapshots) + 1
        assert f"podvisor restore web {undo.id}" in waiting(daemon)
        world.archive.load_failure = None
        await daemon.service.restore(OrderRequest(apps=("web",), revision=undo.id), nothing)
        assert world.machine.data[VOLUME] == "of 2"
        assert runs(world) == 2
        assert releases(world)[-1] == second


async def test_nothing_starts_on_volumes_that_are_half_put_back(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        order = OrderRequest(apps=("web",), revision=releases(world)[0])
        world.archive.seconds = 100.0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.service.restore, order, nothing)
            await anyio.sleep(150)
            assert world.machine.data[VOLUME] == "half"
            tasks.cancel_scope.cancel()
    assert runs(world) is None
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(50)
        assert runs(world) is None
        await settle(daemon)
        assert world.machine.data[VOLUME] == "of 1"
        assert runs(world) == 1
        # What the first try half wrote is not exported.
        assert exported(world) == ["of 1", "of 2"]


async def test_volumes_are_exported_before_a_job_and_the_old_release_runs_meanwhile(
    world,
):
    job = {"web/migrate.container": f"v=1 job mounts={VOLUME}"}
    async with world.running() as daemon:
        await world.push(daemon, files(1) | job)
        await settle(daemon)
        world.machine.data[VOLUME] = "of 1"
        before = len(done(world))
        await world.push(daemon, files(2) | {"web/migrate.container": f"v=2 job mounts={VOLUME}"})
        await settle(daemon)
        mine = done(world)[before:]
        assert mine[0] == f"snapshot-volumes {VOLUME}"
        assert "run migrate.service" in mine
        assert runs(world) == 2
        assert exported(world) == ["of 1"]


async def test_snapshots_stay_when_an_app_goes_unless_its_volumes_go_too(world):
    async with world.running() as daemon:
        for version in (1, 2):
            await world.push(daemon, files(version) | OTHER)
            await settle(daemon)
        await world.push(daemon, OTHER)
        await settle(daemon)
        assert "web" not in daemon.board.apps
        assert len(exported(world)) == 1


async def test_an_app_that_goes_takes_an_order_to_put_its_volumes_back_along(world):
    async with world.running() as daemon:
        for version in (1, 2):
            await world.push(daemon, files(version) | OTHER)
            await settle(daemon)
        world.archive.failure = Retry("no space left on device")
        order = OrderRequest(apps=("web",), revision=releases(world)[0])
        await daemon.service.restore(order, nothing)
        assert remembered(world).restore
        await world.push(daemon, OTHER)
        await settle(daemon)
        assert "web" not in daemon.board.apps
        assert not remembered(world).restore
        assert remembered(world).snapshots


async def test_snapshots_go_with_the_volumes(world):
    async with world.running() as daemon:
        for version in (1, 2):
            await world.push(daemon, files(version, more="prune") | OTHER)
            await settle(daemon)
        assert world.archive.kept
        await world.push(daemon, OTHER)
        await settle(daemon)
        assert VOLUME not in world.machine.volumes
        assert not world.archive.kept
        assert not remembered(world).snapshots


async def test_history_tells_of_them(world):
    async with world.running() as daemon:
        await at(world, daemon, 1, 2)
        history = await daemon.service.history("web")
        assert [one.release for one in history.volumes] == releases(world)[:1]
        assert history.volumes[0].volumes == {VOLUME: len("of 1")}
