"""Replicas, on the whole daemon in virtual time: counted, repaired, scaled, rolled out in turns."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.health import Health
from supervisor.model.podman import PodmanEvent
from supervisor.model.rollout import Outcome, Scale
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, OrderRequest, ScaleRequest
from tests.fakes.ports import oid

SETTLE = 10


@pytest.fixture
def world(world):
    rollout = RolloutSettings(settle=SETTLE, gate_timeout=60)
    world.settings = msgspec.structs.replace(world.settings, rollout=rollout)
    return world


def web(version, replicas=3, more=""):
    return {"web/web@.container": f"v={version} {more} # replicas={replicas}"}


def instances(*numbers):
    return {f"web@{number}.service" for number in numbers}


def new(world, version, more=""):
    """Instances that run this version."""
    digest = oid(f"v={version} {more}")
    return {name for name, runs in world.machine.running.items() if runs == digest}


async def rest(daemon, seconds=0):
    await anyio.sleep(seconds)
    await daemon.queue.wait_idle()


async def deploy(world, daemon, files, *, turns=1):
    await world.push(daemon, files)
    await rest(daemon, turns * (SETTLE + 2))


async def nothing(_event):
    pass


async def scale(daemon, replicas, unit="", app="web"):
    order = ScaleRequest(app=app, unit=unit, replicas=replicas)
    return await daemon.service.scale(order, nothing)


def restarted(world):
    return [unit for verb, unit in world.systemd.jobs if verb == "restart"]


async def test_there_are_as_many_as_asked_for_and_they_are_counted(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        assert world.machine.running.keys() == instances(1, 2, 3)
        status = daemon.board.apps["web"]
        assert status.state is AppState.READY
        assert [unit.name for unit in status.units if unit.wanted] == sorted(instances(1, 2, 3))


async def test_one_that_is_gone_comes_again(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        world.systemd.ends("web@2.service")
        await rest(daemon, 60)
        assert world.machine.running.keys() == instances(1, 2, 3)


async def test_one_too_many_goes_and_is_named(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        for unit in ("web@4.service", "web@x.service"):
            await world.systemd.start(unit, timeout_seconds=1)
            world.podman.events.queue.put_nowait(
                PodmanEvent(type="container", action="start", name="c", id="c", unit=unit)
            )
            await rest(daemon, 5)
            assert world.machine.running.keys() == instances(1, 2, 3)
            (stop,) = [one for one in world.events(EventKind.STEP) if one.unit == unit][:1]
            assert "no more than 3 replicas should run" in stop.reason
        assert not restarted(world)


async def test_another_number_in_the_file_restarts_none(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await deploy(world, daemon, web(1, replicas=5))
        assert world.machine.running.keys() == instances(1, 2, 3, 4, 5)
        mark = len(world.systemd.jobs)
        await deploy(world, daemon, web(1, replicas=2))
        stopped = [unit for verb, unit in world.systemd.jobs[mark:] if verb == "stop"]
        assert stopped == ["web@5.service", "web@4.service", "web@3.service"]
        assert world.machine.running.keys() == instances(1, 2)
        assert not restarted(world)
        assert daemon.board.apps["web"].state is AppState.READY


async def test_none_is_on_purpose(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await deploy(world, daemon, web(2, replicas=0))
        assert not world.machine.running
        status = daemon.board.apps["web"]
        assert (status.state, status.findings) == (AppState.READY, ())


async def test_a_release_goes_one_by_one_each_gated_before_the_next(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        loaded = world.machine.reloads
        await world.push(daemon, web(2))
        for number in (1, 2, 3):
            await rest(daemon, 1)
            assert new(world, 2) == instances(*range(1, number + 1))
            assert world.machine.running.keys() == instances(1, 2, 3)
            assert daemon.board.apps["web"].state is AppState.CHANGING
            await rest(daemon, SETTLE)
        await rest(daemon, 2)
        assert restarted(world) == sorted(instances(1, 2, 3))
        assert world.machine.reloads == loaded + 1
        assert daemon.board.apps["web"].state is AppState.READY
        assert [one.outcome for one in world.ledger.rollouts("web")] == [Outcome.GOOD] * 2


async def test_with_more_that_may_be_down_as_many_go_at_once(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more="unavailable=2"))
        await world.push(daemon, web(2, more="unavailable=2"))
        await rest(daemon, 1)
        assert new(world, 2, "unavailable=2") == instances(1, 2)
        await rest(daemon, 2 * SETTLE + 5)
        assert new(world, 2, "unavailable=2") == instances(1, 2, 3)


async def test_the_first_failure_stops_it_and_takes_back_what_moved(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        world.machine.bad.add(oid("v=2 "))
        await world.push(daemon, web(2))
        await rest(daemon, 5)
        assert new(world, 1) == instances(1, 2, 3)
        assert set(restarted(world)) == instances(1)
        assert daemon.board.apps["web"].state is AppState.REVERTED
        await rest(daemon, 3_600)
        assert set(restarted(world)) == instances(1), "what failed is not tried again"


async def test_a_later_one_that_fails_takes_back_all_that_moved(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await world.push(daemon, web(2))
        await rest(daemon, SETTLE + 3)
        assert new(world, 2) == instances(1, 2)
        world.machine.failed.add("web@2.service")
        del world.machine.running["web@2.service"]
        world.systemd.changes.queue.put_nowait("web@2.service")
        await rest(daemon, 5)
        assert new(world, 1) == instances(1, 2, 3)
        assert daemon.board.apps["web"].state is AppState.REVERTED


async def test_a_health_check_has_to_answer_before_the_next_begins(world):
    checked = "health=30"
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more=checked))
        await world.push(daemon, web(2, more=checked))
        world.machine.answers("web@1.service", Health.STARTING)
        await rest(daemon, 2 * SETTLE)
        assert new(world, 2, checked) == instances(1)
        world.machine.answers("web@1.service", Health.HEALTHY)
        await rest(daemon, 3 * SETTLE + 20)
        assert new(world, 2, checked) == instances(1, 2, 3)


async def test_many_have_the_time_of_the_gate_each(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, replicas=12))
        await deploy(world, daemon, web(2, replicas=12), turns=12)
        assert new(world, 2) == instances(*range(1, 13))
        assert daemon.board.apps["web"].state is AppState.READY


async def test_after_a_restart_in_the_middle_it_goes_on(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await world.push(daemon, web(2))
        await rest(daemon, 2)
        assert new(world, 2) == instances(1)
    async with world.running() as daemon:
        await rest(daemon, 3 * SETTLE + 9)
        assert new(world, 2) == instances(1, 2, 3)
        assert set(restarted(world)) == instances(1, 2, 3)
        assert len(restarted(world)) == 3
        assert daemon.board.apps["web"].state is AppState.READY


async def test_after_a_suspension_in_the_middle_it_goes_on(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await world.push(daemon, web(2))
        await rest(daemon, 2)
        await daemon.service.suspend(OrderRequest(apps=("web",)))
        await rest(daemon, 100)
        assert new(world, 2) == instances(1)
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        assert new(world, 2) == instances(1, 2, 3)
        assert daemon.board.apps["web"].state is AppState.READY


async def test_what_is_unwell_is_not_waited_for(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more="health=30"))
        for number in (1, 2, 3):
            world.machine.answers(f"web@{number}.service", Health.UNHEALTHY, streak=3)
        await world.push(daemon, web(2, more="health=30"))
        await rest(daemon, 1)
        assert new(world, 2, "health=30") == instances(1, 2, 3)


async def test_a_person_scales_until_a_release_says_otherwise(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        reply = await scale(daemon, 5)
        assert [one.state for one in reply.apps] == [AppState.READY]
        assert world.machine.running.keys() == instances(1, 2, 3, 4, 5)
        (order,) = reply.apps[0].scales
        assert (order.replicas, order.instead_of) == (5, 3)
        assert not restarted(world)
        assert len(world.ledger.rollouts("web")) == 1, "it is no release"
        await deploy(world, daemon, web(2), turns=5)
        assert new(world, 2) == instances(1, 2, 3, 4, 5)
    async with world.running() as daemon:
        assert world.machine.running.keys() == instances(1, 2, 3, 4, 5)
        await deploy(world, daemon, web(2, replicas=2))
        assert world.machine.running.keys() == instances(1, 2)
        assert not world.ledger.all(Scale)
        said = [one.reason for one in world.events(EventKind.RESUMED)]
        assert said == ["no longer scaled to 5: its file says another number"]


async def test_a_person_scales_to_none_and_back(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        reply = await scale(daemon, 0)
        assert not world.machine.running
        assert reply.apps[0].state is AppState.READY
        await rest(daemon, 3_600)
        assert not world.machine.running
        await scale(daemon, None, unit="web@.container")
        assert world.machine.running.keys() == instances(1, 2, 3)
        assert not world.ledger.all(Scale)
        kinds = [one.kind for one in world.events(EventKind.SCALED, EventKind.RESUMED)]
        assert kinds == [EventKind.SCALED, EventKind.RESUMED]


@pytest.mark.parametrize(
    ("app", "unit", "words"),
    [
        ("web", "other", "no replicas are called so"),
        ("lone", "", "no unit of it has replicas"),
        ("none", "", "no app named"),
        ("two", "", "more than one unit of it has replicas"),
        ("named", "", "ContainerName=x"),
    ],
)
async def test_what_cannot_be_scaled_is_said(world, app, unit, words):
    files = {
        **web(1),
        "lone/lone.container": "v=1",
        "two/one@.container": "v=1 # replicas=1",
        "two/other@.container": "v=1 # replicas=1",
        "named/named@.container": "v=1 name=x # replicas=1",
    }
    async with world.running() as daemon:
        await deploy(world, daemon, files)
        with pytest.raises(Stalled, match=words):
            await scale(daemon, 2, unit=unit, app=app)
        assert not world.ledger.all(Scale)


async def test_what_was_ordered_goes_with_its_app(world):
    async with world.running() as daemon:
        await deploy(world, daemon, {**web(1), "other/other.container": "v=1"})
        await scale(daemon, 5)
        await deploy(world, daemon, {"other/other.container": "v=1"})
        assert world.machine.running.keys() == {"other.service"}
        assert not world.ledger.all(Scale)
        (removed,) = world.events(EventKind.REMOVED)
        assert removed.reason.endswith("; with it end orders: web@.service scaled to 5")


async def test_an_app_that_asks_for_it_restarts_its_units_one_by_one(world):
    def files(version):
        return {
            "web/a.container": f"v={version} needs=b.container one-by-one",
            "web/b.container": f"v={version}",
            "web/c.container": f"v={version}",
        }

    async with world.running() as daemon:
        await deploy(world, daemon, files(1))
        await world.push(daemon, files(2))
        await rest(daemon, 1)
        assert restarted(world) == ["b.service"]
        await rest(daemon, 3 * SETTLE + 5)
        assert restarted(world) == ["b.service", "a.service", "c.service"]
        assert daemon.board.apps["web"].state is AppState.READY


async def test_what_is_down_anyway_keeps_nobody_from_his_turn(world):
    def files(version):
        return {
            "web/a.container": f"v={version} one-by-one",
            "web/b.container": f"v={version}",
            "web/idle.container": "v=1 install=",
            "web/sick.container": "v=1",
        }

    world.machine.broken.add("sick.service")
    async with world.running() as daemon:
        await deploy(world, daemon, files(1))
        await rest(daemon, 1_000)
        await deploy(world, daemon, files(2), turns=2)
        assert [unit for unit in restarted(world) if unit != "sick.service"] == [
            "a.service",
            "b.service",
        ]


def reverted(world, daemon):
    return daemon.board.apps["web"].state is AppState.REVERTED


async def test_one_that_moved_and_ended_takes_all_back(world):
    """Also with status 0, while others have not moved yet."""
    world.systemd.slow["web@1.service"] = 0.1
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await world.push(daemon, web(2))
        await rest(daemon, SETTLE + 3)
        world.systemd.ends("web@1.service")
        await rest(daemon, 5)
        assert reverted(world, daemon)
        assert new(world, 1) == instances(1, 2, 3)


async def test_what_is_called_otherwise_ends_in_its_turn(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more="name=web-%i"))
        mark = len(world.systemd.jobs)
        await world.push(daemon, web(1, more="name=app-%i"))
        await rest(daemon, 2)
        assert {unit for _, unit in world.systemd.jobs[mark:]} == instances(1)
        await rest(daemon, 3 * SETTLE + 5)
        assert new(world, 1, "name=app-%i") == instances(1, 2, 3)


async def test_health_that_nobody_tells_is_no_reason_to_restart_all(world):
    checked = "health=30"
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more=checked))
        checks, world.machine.checks = world.machine.checks, {}
        await world.push(daemon, web(2, more=checked))
        world.machine.checks = checks
        await rest(daemon, 1)
        assert len(restarted(world)) == 1


async def test_a_changed_drop_in_of_the_host_is_taken_up_in_turns_and_loaded_with_each(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        loaded = world.machine.reloads
        world.generator.around["/home/pi/own.conf"] = "2"
        daemon.queue.add("all-apps")
        await rest(daemon, 2)
        assert restarted(world) == ["web@1.service"]
        await rest(daemon, 3 * SETTLE + 10)
        assert set(restarted(world)) == instances(1, 2, 3)
        assert world.machine.reloads == loaded + 3


async def test_a_reverted_app_takes_up_what_changes_in_turns_too(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        world.machine.bad.add(oid("v=2 "))
        await deploy(world, daemon, web(2))
        assert reverted(world, daemon)
        mark = len(restarted(world))
        world.generator.around["/home/pi/own.conf"] = "2"
        daemon.queue.add("all-apps")
        await rest(daemon, 2)
        assert len(restarted(world)) == mark + 1


async def test_an_instance_with_a_file_of_its_own_is_none_too_many(world):
    files = {**web(1), "web/web@canary.container": "v=7"}
    async with world.running() as daemon:
        await deploy(world, daemon, files)
        await rest(daemon, 100)
        assert world.machine.running.keys() == {*instances(1, 2, 3), "web@canary.service"}
        assert daemon.board.apps["web"].state is AppState.READY


async def test_scaling_is_about_the_release_that_runs(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        world.machine.bad.add(oid("v=2 "))
        await deploy(world, daemon, web(2, replicas=5))
        assert reverted(world, daemon)
        await scale(daemon, 5)
        assert world.machine.running.keys() == instances(1, 2, 3, 4, 5)
        assert new(world, 1) == instances(1, 2, 3, 4, 5)
        (order,) = world.ledger.all(Scale).values()
        assert order.instead_of == 3


async def test_an_order_to_scale_neither_ends_nor_renews_what_was_taken_back(world):
    """Whether units of it are down meanwhile or not."""
    heard = []
    async with world.running() as daemon:
        await deploy(world, daemon, web(1), turns=3)
        daemon.incidents.subscribe(
            lambda opened, over: heard.append(
                ([one.key for one in opened], [one.key for one in over])
            )
        )
        world.machine.bad.add(oid("v=2 "))
        await deploy(world, daemon, web(2), turns=3)
        heard.clear()
        (one,) = daemon.service.status().incidents
        for replicas in (4, 0, None):
            await scale(daemon, replicas)
            for name in sorted(set(world.machine.running))[:1]:
                world.systemd.dies(name)
                assert {i.code for i in daemon.service.status().incidents} <= {
                    "app-reverted",
                    "unit-down",
                }
            await rest(daemon, 100)
            after = {i.key: i.opened_at for i in daemon.service.status().incidents}
            assert after == {one.key: one.opened_at}
        changed = {key for opened, over in heard for key in (*opened, *over)}
        assert not {key for key in changed if not key.startswith("unit-down/")}


async def test_each_shows_the_image_that_it_runs_while_others_wait_for_their_turn(world):
    old, fresh = "reg.example/web:1", "reg.example/web:2"
    world.machine.images |= {old, fresh}
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more=f"image={old}"))
        await world.push(daemon, web(2, more=f"image={fresh}"))
        for moved in (1, 2, 3):
            started = new(world, 2, more=f"image={fresh}")
            assert len(started) == moved
            shown = {one.name: one.images for one in daemon.board.apps["web"].units if one.wanted}
            assert shown == {
                name: (fresh if name in started else old,) for name in instances(1, 2, 3)
            }
            (listed,) = (await daemon.service.images("web")).images
            assert listed.on_trial
            assert set(listed.not_yet) == instances(1, 2, 3) - started
            await rest(daemon, SETTLE + 2)
        (listed,) = (await daemon.service.images("web")).images
        assert not listed.on_trial
        assert not listed.not_yet
