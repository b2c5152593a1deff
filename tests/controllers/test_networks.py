"""Networks that other apps use: their change is judged by what it does to those, too."""

import anyio
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.events import EventKind
from supervisor.model.observed import UnitState
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, SyncRequest
from tests.examples import scaled
from tests.fakes.ports import oid
from tests.words import waiting

SETTLE = 10
NETWORK, GUEST = "proxy-network.service", "sleeper.service"
TAKEN = "Error: subnet 10.91.0.0/24 is already used"
DUO = {"duo/sleeper.container": "v=1 needs=proxy.network"}
ONE = {"home/proxy.network": "v=1", **DUO}
TWO = {**ONE, "home/proxy.network": "v=2"}
BAD = {**ONE, "home/proxy.network": "v=2 dies"}


def prepare(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    world.systemd.said[NETWORK] = TAKEN


@pytest.fixture
def world(world):
    prepare(world)
    return world


async def deployed(world, daemon, files):
    await world.push(daemon, files)
    await anyio.sleep(SETTLE + 1)
    await daemon.queue.wait_idle()


def content(world, unit):
    return world.reader.blobs.get(world.machine.running.get(unit, ""), b"").decode()


def states(daemon):
    return {name: one.state for name, one in daemon.board.apps.items()}


def outcomes(world, app):
    return [one.outcome for one in world.ledger.rollouts(app)]


def failed_steps(world, app):
    return [one for one in world.events(EventKind.STEP) if one.app == app and not one.ok]


async def nothing(_event):
    pass


async def test_a_network_that_other_apps_need_is_on_trial_like_what_runs(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await world.push(daemon, TWO)
        assert states(daemon) == {"home": AppState.CHANGING, "duo": AppState.READY}
        assert daemon.board.apps["home"].gate == f"{NETWORK} has to stay up for {SETTLE}s"
        assert [one.wanted for one in daemon.board.apps["home"].units] == [True]
        assert outcomes(world, "home") == [Outcome.GOOD, Outcome.TRIAL]
        await anyio.sleep(SETTLE + 1)
        assert states(daemon) == dict.fromkeys(("home", "duo"), AppState.READY)
        assert outcomes(world, "home") == [Outcome.GOOD, Outcome.GOOD]


async def test_a_network_that_cannot_be_made_anew_is_taken_back_with_its_guests(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        good = world.ledger.applied()["home"].revision
        world.reader.put("home", BAD)
        reply = await daemon.service.sync(SyncRequest(), nothing)
        assert {one.name: one.state for one in reply.apps} == {
            "home": AppState.REVERTED,
            "duo": AppState.READY,
        }
        assert content(world, NETWORK) == "v=1"
        assert GUEST in world.machine.running
        assert world.machine.networks == {"systemd-proxy"}
        assert world.ledger.applied()["home"].revision == good
        assert outcomes(world, "home") == [Outcome.GOOD, Outcome.FAILED]
        (reverted,) = world.events(EventKind.REVERTED)
        assert f"{NETWORK} failed" in reverted.reason
        (guest,) = failed_steps(world, "duo")
        assert guest.unit == GUEST
        assert guest.detail == f"needs {NETWORK} of app home, which failed: {TAKEN}"


async def test_a_network_that_others_need_and_that_failed_leaves_no_app_ready(world):
    async with world.running() as daemon:
        await world.push(daemon, BAD)
        assert states(daemon) == dict.fromkeys(("home", "duo"), AppState.FAILING)
        assert outcomes(world, "home") == [Outcome.TRIAL]
        why = f"{GUEST}: needs {NETWORK} of app home, which failed: {TAKEN}"
        assert why in waiting(daemon.board.apps["duo"])
        assert f"{GUEST} needs {NETWORK} of app home, which failed: {TAKEN}" == (
            daemon.board.apps["duo"].gate
        )


async def test_what_an_app_needs_of_its_own_is_the_reason_that_it_is_taken_back_for(world):
    async with world.running() as daemon:
        guest = {"web/a.container": "v=1 needs=n.network", "web/n.network": "v=1"}
        world.systemd.said["n-network.service"] = TAKEN
        await deployed(world, daemon, guest)
        await world.push(daemon, {**guest, "web/n.network": "v=2 dies"})
        (reverted,) = world.events(EventKind.REVERTED)
        assert f"a.service needs n-network.service, which failed: {TAKEN}" in reverted.reason
        assert world.machine.running.keys() == {"a.service", "n-network.service"}


async def test_the_trial_of_a_network_lasts_until_its_guests_are_up_again(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.systemd.slow[GUEST] = 3 * SETTLE
        world.reader.put("home", TWO)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.service.sync, SyncRequest(), nothing)
            await anyio.sleep(2 * SETTLE)
            now = {one.name: one for one in daemon.board.now()}
            assert {one.state for one in now.values()} == {AppState.CHANGING}
            assert GUEST not in world.machine.running
            assert "is not up again" in now["home"].gate
            assert outcomes(world, "home")[-1] is Outcome.TRIAL
        assert states(daemon) == dict.fromkeys(("home", "duo"), AppState.READY)
        assert outcomes(world, "home")[-1] is Outcome.GOOD


BY_NAME = {"home/proxy.network": "v=1 name=net", "duo/sleeper.container": "v=1 in=net"}


@pytest.mark.parametrize("files", [ONE, BY_NAME], ids=["by-file", "by-name"])
async def test_what_a_network_does_to_its_guests_takes_it_back(world, files):
    two = {path: text.replace("v=1", "v=2") for path, text in files.items() if "network" in path}
    bad = oid(two["home/proxy.network"])
    async with world.running() as daemon:
        await deployed(world, daemon, files)
        start = world.systemd.start

        async def with_another_network(unit, **more):
            fails = unit == GUEST and world.machine.loaded[NETWORK].digest == bad
            (world.machine.broken.add if fails else world.machine.broken.discard)(unit)
            return await start(unit, **more)

        world.systemd.start = with_another_network
        await world.push(daemon, {**files, **two})
        await anyio.sleep(SETTLE + 1)
        assert content(world, NETWORK) == files["home/proxy.network"]
        assert GUEST in world.machine.running
        (reverted,) = world.events(EventKind.REVERTED)
        assert f"{GUEST} of app duo, which needs {NETWORK}, failed" in reverted.reason


async def test_what_is_done_to_a_guest_is_its_apps(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        done = {
            (one.app, one.step)
            for one in world.events(EventKind.STEP)
            if one.unit == GUEST and "is made anew" in one.reason
        }
        assert done == {("duo", "stop"), ("duo", "start")}


async def test_a_guest_that_does_not_stop_is_its_apps_failure_and_the_network_is_kept(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.systemd.slow_to_stop[GUEST] = 10_000
        await world.push(daemon, TWO)
        assert {one.step for one in failed_steps(world, "duo")} == {"stop"}
        assert {one.step for one in failed_steps(world, "home")} == {"remove-network"}
        assert world.machine.networks == {"systemd-proxy"}
        assert outcomes(world, "home")[-1] is Outcome.TRIAL
        world.systemd.slow_to_stop.clear()
        await anyio.sleep(400)
        assert content(world, NETWORK) == "v=2"
        assert GUEST in world.machine.running
        assert states(daemon) == dict.fromkeys(("home", "duo"), AppState.READY)


@hypothesis.settings(
    max_examples=scaled(10),
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from((0.0, 3.0, SETTLE + 1.0))), max_size=4))
def test_whatever_is_pushed_of_a_network_its_guests_end_up_in_one_that_works(in_world, pushes):
    async def case(world):
        prepare(world)
        async with world.running() as daemon:
            await deployed(world, daemon, ONE)
            for n, (dies, wait) in enumerate(pushes, start=2):
                await world.push(daemon, {**ONE, "home/proxy.network": f"v={n}{' dies' * dies}"})
                await anyio.sleep(wait)
            await anyio.sleep(60)
            await daemon.queue.wait_idle()
            taken_back = bool(pushes) and pushes[-1][0]
            assert states(daemon) == {
                "home": AppState.REVERTED if taken_back else AppState.READY,
                "duo": AppState.READY,
            }
            assert {NETWORK, GUEST} == world.machine.running.keys()
            counts = [one for one in world.ledger.rollouts("home") if one.outcome is Outcome.GOOD]
            contents = {world.reader.blobs[file.oid] for one in counts for file in one.files}
            assert not [text for text in contents if b"dies" in text]

    in_world(case)


async def test_a_sync_waits_for_what_systemd_starts_by_itself(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        starting = UnitState(name=GUEST, load="loaded", active="activating", sub="start")
        world.systemd.states[GUEST] = starting
        world.systemd.changes.queue.put_nowait(GUEST)
        await anyio.sleep(1)
        async with anyio.create_task_group() as tasks:
            ended = []

            async def sync():
                ended.append(await daemon.service.sync(SyncRequest(), nothing))

            tasks.start_soon(sync)
            await anyio.sleep(20)
            assert states(daemon)["duo"] is AppState.CHANGING
            assert not ended
            del world.systemd.states[GUEST]
            world.systemd.changes.queue.put_nowait(GUEST)
        assert {one.state for one in ended[0].apps} == {AppState.READY}
        world.systemd.states[GUEST] = starting
        world.systemd.changes.queue.put_nowait(GUEST)
        await anyio.sleep(1)
        await daemon.service.sync(SyncRequest(), nothing)
        assert states(daemon)["duo"] is AppState.CHANGING, "no longer than a start may take"
