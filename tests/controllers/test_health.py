"""Health over time, on fakes: who is asked how often, and what people are told."""

import anyio
import msgspec
import pytest

from supervisor.model.events import EventKind
from supervisor.model.health import Health, PlayedContainer
from supervisor.model.podman import PodmanEvent
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import HealthSettings, RolloutSettings, Settings
from supervisor.model.status import AppState

pytestmark = pytest.mark.anyio

IDLE = {"web/web.container": "health=30 idle=300"}


def unit(daemon):
    (app,) = daemon.service.status().apps
    return app.units[0]


async def test_a_container_that_is_well_is_asked_less_often(world):
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(280)
        assert world.podman.intervals == []
        await anyio.sleep(60)
        assert world.podman.intervals == [300.0]
        assert unit(daemon).health_interval == 300.0
        asked = world.podman.asked_for_health
        await anyio.sleep(3000)
        assert world.podman.asked_for_health == asked, "at rest nobody asks Podman"
        assert world.podman.intervals == [300.0]
    (step,) = [e for e in world.events(EventKind.STEP) if e.step == "health-interval"]
    assert (step.unit, step.subject) == ("web.service", "every 5m")
    assert step.reason == "it has been healthy for long enough"


@pytest.mark.parametrize("hides", [False, True], ids=["podman-5", "podman-6"])
async def test_a_failed_check_brings_the_declared_interval_back_and_then_settles_anew(world, hides):
    world.machine.hides_failed_checks = hides
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(400)
        world.machine.answers("web.service", Health.HEALTHY, streak=1, output="no route")
        await anyio.sleep(170)
        assert world.podman.intervals == [300.0, 30.0]
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3, output="no route")
        await anyio.sleep(170)
        assert unit(daemon).health is Health.UNHEALTHY
        assert daemon.service.status().apps[0].state is AppState.FAILING
        world.machine.answers("web.service", Health.HEALTHY)
        await anyio.sleep(170)
        assert daemon.service.status().apps[0].state is AppState.READY
        assert world.podman.intervals == [300.0, 30.0]
        await anyio.sleep(400)
        assert world.podman.intervals == [300.0, 30.0, 300.0]
    bad, good = world.events(EventKind.HEALTH)
    assert (bad.ok, bad.reason) == (False, "unhealthy after 3 failed checks in a row")
    assert bad.detail == "no route"
    assert (good.ok, good.reason) == (True, "healthy, was unhealthy")


async def test_what_podman_restarts_again_and_again_is_failing_until_it_has_run_on(world):
    """HealthOnFailure=restart: each look falls between two restarts."""
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(30)
        world.machine.answers("web.service", Health.UNHEALTHY, streak=1, output="no route")
        await daemon.service.look()
        for _ in range(10):
            world.machine.podman_restarts("web.service", at=world.clock.now())
            await daemon.service.look()
            assert daemon.service.status().apps[0].state is AppState.FAILING
            await anyio.sleep(1)
        assert unit(daemon).health_output == "Podman has restarted it 10 times: no route"
        world.machine.answers("web.service", Health.HEALTHY)
        await anyio.sleep(280)
        assert daemon.service.status().apps[0].state is AppState.FAILING
        await anyio.sleep(30)
        assert daemon.service.status().apps[0].state is AppState.READY
    bad, good = world.events(EventKind.HEALTH)
    assert (bad.ok, good.ok) == (False, True)
    # Long after that, it is known to Podman still.
    async with world.running() as daemon:
        assert daemon.service.status().apps[0].state is AppState.READY


async def test_a_restart_in_place_is_known_at_once_by_the_end_of_what_ran(world):
    """Nothing of it is seen by systemd; Podman's stores tell that the container's process ended."""
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(100)
        world.machine.answers("web.service", Health.UNHEALTHY, streak=1, output="no route")
        world.machine.podman_restarts("web.service", at=world.clock.now())
        died = PodmanEvent(type="container", action="died", name="x", unit="web.service")
        world.podman.events.queue.put_nowait(died)
        await anyio.sleep(3)
        assert daemon.board.apps["web"].state is AppState.FAILING
    assert not world.events(EventKind.HEALTH)[0].ok


async def test_a_daemon_that_comes_back_reads_the_interval_from_the_container(world):
    world.reader.put("home", IDLE)
    async with world.running():
        await anyio.sleep(400)
    async with world.running() as daemon:
        assert unit(daemon).health_interval == 300.0
        await anyio.sleep(400)
        assert world.podman.intervals == [300.0]


async def test_a_new_container_is_asked_as_declared_until_it_has_settled(world):
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(400)
        world.systemd.dies("web.service")
        await anyio.sleep(5)
        assert unit(daemon).health_interval == 0.0
        await anyio.sleep(250)
        assert world.podman.intervals == [300.0]
        await anyio.sleep(170)
        assert world.podman.intervals == [300.0, 300.0]


async def test_a_change_of_its_app_brings_the_declared_interval_back(world):
    world.reader.put("home", {**IDLE, "web/db.container": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        await world.push(daemon, {**IDLE, "web/db.container": "v=2"})
        assert world.podman.intervals == [300.0, 30.0]
        await anyio.sleep(400)
        assert world.podman.intervals == [300.0, 30.0, 300.0]


async def test_the_unit_beats_the_app_and_the_app_the_rest(world):
    world.settings = Settings(
        sources=world.settings.sources,
        health=HealthSettings(
            idle_interval=Seconds(120), idle_interval_by_app={"web": Seconds(240)}
        ),
    )
    files = {
        "web/one.container": "health=30",
        "web/two.container": "health=30 idle=300",
        "web/three.container": "health=30 idle=0",
        "other/four.container": "health=30",
        "other/five.container": "health=200",
    }
    world.reader.put("home", files)
    async with world.running():
        await anyio.sleep(1000)
        intervals = {unit: one.interval for unit, one in world.machine.checks.items()}
        assert intervals == {
            "one.service": 240.0,
            "two.service": 300.0,
            "three.service": 30.0,
            "four.service": 120.0,
            "five.service": 200.0,
        }


@pytest.mark.parametrize("hides", [False, True], ids=["podman-5", "podman-6"])
async def test_whoever_asks_hears_of_it_at_once(world, hides):
    world.machine.hides_failed_checks = hides
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        await anyio.sleep(30)
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3, output="slow")
        await daemon.service.look()
        assert unit(daemon).health is Health.UNHEALTHY
        asked = world.podman.asked_for_health
        await daemon.service.look()
        assert world.podman.asked_for_health == asked, "it is known"


async def test_without_checks_there_is_no_look(world):
    world.reader.put("home", {"web/web.container": ""})
    async with world.running() as daemon:
        assert daemon.queue.due_in("health") is None
        assert world.podman.asked_for_health == 0


async def test_podman_that_does_not_answer_is_no_reason_to_fail(world):
    world.reader.put("home", IDLE)
    async with world.running() as daemon:
        world.podman.down = True
        daemon.queue.add("app:web")
        await daemon.queue.wait_idle()
        assert daemon.service.status().apps[0].state is AppState.READY
        assert unit(daemon).health is Health.HEALTHY


PROBED = {"web/web.container": "probe=tcp://one:1 every=30"}


async def test_a_probe_judges(world):
    world.reader.put("home", PROBED)
    async with world.running() as daemon:
        assert unit(daemon).health is Health.STARTING
        await anyio.sleep(5)
        assert unit(daemon).health is Health.HEALTHY
        assert daemon.service.status().apps[0].state is AppState.READY
        world.prober.failures["tcp://one:1"] = "connection refused"
        await anyio.sleep(61)
        assert unit(daemon).health is Health.HEALTHY
        await anyio.sleep(30)
        assert unit(daemon).health is Health.UNHEALTHY
        assert daemon.service.status().apps[0].state is AppState.FAILING
        jobs = list(world.systemd.jobs)
        await anyio.sleep(1000)
        assert world.systemd.jobs == jobs, "nobody asked for a restart"
        world.prober.failures.clear()
        await anyio.sleep(31)
        assert daemon.service.status().apps[0].state is AppState.READY
    bad, good = world.events(EventKind.HEALTH)
    assert (bad.ok, bad.detail, good.ok) == (False, "connection refused", True)


async def test_probes_are_made_together(world):
    files = {f"web/{n}.container": f"probe=tcp://{n}:1 every=30" for n in range(10)}
    world.reader.put("home", files)
    async with world.running():
        await anyio.sleep(100)
        world.prober.asked.clear()
        await anyio.sleep(300)
        times = sorted({round(at, 1) for at, _ in world.prober.asked})
        assert len(world.prober.asked) >= 90
        assert len(times) <= 11


async def test_a_clock_that_is_set_back_does_not_stop_the_probes(world):
    world.reader.put("home", PROBED)
    async with world.running():
        await anyio.sleep(100)
        world.clock.offset = -3600.0
        world.prober.asked.clear()
        await anyio.sleep(300)
        assert 9 <= len(world.prober.asked) <= 11


async def test_what_does_not_run_is_not_probed(world):
    world.reader.put("home", PROBED)
    async with world.running() as daemon:
        await anyio.sleep(100)
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        await anyio.sleep(10)
        world.prober.asked.clear()
        await anyio.sleep(100)
        assert world.prober.asked == []
        assert unit(daemon).health is Health.NONE


async def test_an_unhealthy_unit_is_restarted_if_it_says_so_with_a_backoff(world):
    world.reader.put("home", {"web/web.container": "probe=tcp://one:1 every=5 fails=restart"})
    async with world.running() as daemon:
        await anyio.sleep(30)
        world.prober.failures["tcp://one:1"] = "connection refused"
        world.systemd.jobs.clear()
        await anyio.sleep(25)
        assert world.systemd.jobs == [("restart", "web.service")]
        await anyio.sleep(1800)
        assert 4 <= len(world.systemd.jobs) <= 12
        world.prober.failures.clear()
        await anyio.sleep(1800)
        assert daemon.service.status().apps[0].state is AppState.READY
    steps = [one for one in world.events(EventKind.STEP) if one.step == "restart"]
    assert steps[0].reason == "its probe failed 3 times in a row: connection refused"


async def test_a_probe_beside_a_health_check_the_worst_counts(world):
    world.reader.put("home", {"web/web.container": "health=30 probe=tcp://one:1"})
    async with world.running() as daemon:
        await anyio.sleep(5)
        assert unit(daemon).health is Health.HEALTHY
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3, output="slow")
        await anyio.sleep(170)
        assert (unit(daemon).health, unit(daemon).health_output) == (Health.UNHEALTHY, "slow")


ENDED = PlayedContainer(
    id="2", name="k-two", unit="k.service", state="exited", restart_policy="always"
)


def ended(world, *, code=0, policy="always"):
    """The end, now, of one of the containers of k.kube; the other runs on."""
    now = world.clock.now()
    world.podman.dies(
        msgspec.structs.replace(ENDED, ended_at=now, exit_code=code, restart_policy=policy)
    )


KILLED = "container k-two has ended (exit status 137, killed by SIGKILL)"


async def test_a_container_of_a_kube_that_podman_leaves_dead_is_seen_and_brought_back(world):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        ended(world, code=137)
        await anyio.sleep(2)
        assert daemon.service.status().apps[0].state is AppState.FAILING
        assert unit(daemon).health_output == KILLED
        assert ("restart", "k.service") not in world.systemd.jobs, "it is Podman's turn"
        await anyio.sleep(20)
        assert world.systemd.jobs.count(("restart", "k.service")) == 1
        assert daemon.service.status().apps[0].state is AppState.READY
        for _ in range(3):
            ended(world)
            await anyio.sleep(20)
        assert daemon.service.status().apps[0].state is AppState.FAILING, "it is a crash loop"
        tried = world.systemd.jobs.count(("restart", "k.service"))
        await anyio.sleep(3600)
        assert world.systemd.jobs.count(("restart", "k.service")) <= tried + 1
        assert daemon.service.status().apps[0].state is AppState.READY
    bad, good, *_ = world.events(EventKind.HEALTH)
    assert (bad.ok, bad.detail) == (False, KILLED)
    assert (good.ok, good.reason) == (True, "no longer unhealthy")


async def test_a_container_of_a_kube_that_somebody_removes_is_missed_and_brought_back(world):
    """Its service runs on for as long as the other one does."""
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        world.podman.dies(msgspec.structs.replace(ENDED, state="running"))  # it is restarted
        await anyio.sleep(400)
        world.podman.is_removed(ENDED)
        await anyio.sleep(2)
        assert daemon.service.status().apps[0].state is AppState.FAILING
        assert unit(daemon).health_output == "container k-two was removed"
        await anyio.sleep(20)
        assert world.systemd.jobs.count(("restart", "k.service")) == 1
        assert daemon.service.status().apps[0].state is AppState.READY
        await anyio.sleep(3600)
    assert world.systemd.jobs.count(("restart", "k.service")) == 1
    (restart,) = [one for one in world.events(EventKind.STEP) if one.step == "restart"]
    assert restart.reason == "container k-two was removed"


async def test_what_podman_does_not_tell_at_first_it_is_asked_again(world):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        world.podman.down = True
        ended(world, code=137)
        await anyio.sleep(2)
        assert daemon.service.status().apps[0].state is AppState.READY, "as far as is known"
        world.podman.down = False
        await anyio.sleep(5)
        assert daemon.service.status().apps[0].state is AppState.FAILING
        await anyio.sleep(400)
        asked = world.podman.asked_for_played
        world.podman.down = True
        ended(world, code=137)
        await anyio.sleep(3600)
        assert world.podman.asked_for_played - asked < 60, "seldom, while it does not answer"


async def test_an_init_container_that_podman_removes_during_the_start_is_not_missed(world):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        up = world.machine.state("k.service")
        world.systemd.states["k.service"] = msgspec.structs.replace(up, active="activating")
        init = msgspec.structs.replace(ENDED, name="k-init", state="running")
        world.podman.dies(init)
        await anyio.sleep(2)
        del world.systemd.states["k.service"]
        world.podman.is_removed(init)
        await anyio.sleep(400)
        assert daemon.service.status().apps[0].state is AppState.READY
        assert unit(daemon).health_output == ""
    assert ("restart", "k.service") not in world.systemd.jobs
    assert not world.events(EventKind.HEALTH)


async def test_a_container_of_a_kube_that_is_done_may_be_cleared_away(world):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        ended(world, policy="on-failure")
        await anyio.sleep(60)
        world.podman.is_removed(ENDED)
        await anyio.sleep(3600)
        assert daemon.service.status().apps[0].state is AppState.READY
    assert ("restart", "k.service") not in world.systemd.jobs


@pytest.mark.parametrize(
    ("code", "policy", "state"),
    [
        (0, "no", AppState.READY),
        (0, "on-failure", AppState.READY),
        (3, "no", AppState.FAILING),
    ],
)
async def test_a_container_of_a_kube_that_is_not_to_run_again_stays_as_it_ended(
    world, code, policy, state
):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        ended(world, code=code, policy=policy)
        await anyio.sleep(3600)
        assert daemon.service.status().apps[0].state is state
    assert ("restart", "k.service") not in world.systemd.jobs


async def test_a_container_of_a_kube_that_podman_restarts_is_failing_until_it_has_run_on(world):
    world.reader.put("home", {"k/k.kube": ""})
    async with world.running() as daemon:
        await anyio.sleep(400)
        now = world.clock.now()
        again = PlayedContainer(
            id="2", name="k-two", unit="k.service", state="running", started_at=now, restarts=2
        )
        world.podman.dies(again)
        await anyio.sleep(2)
        assert daemon.service.status().apps[0].state is AppState.FAILING
        assert unit(daemon).health_output == "Podman has restarted container k-two 2 times"
        world.podman.down = True
        await anyio.sleep(30)
        assert daemon.service.status().apps[0].state is AppState.FAILING, "what is known stands"
        await anyio.sleep(40)
        assert daemon.service.status().apps[0].state is AppState.READY
    assert ("restart", "k.service") not in world.systemd.jobs


async def test_a_revision_of_which_a_container_of_its_kube_ends_is_taken_back(world):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    world.reader.put("home", {"k/k.kube": "v=1"})
    async with world.running() as daemon:
        await anyio.sleep(400)
        world.reader.put("home", {"k/k.kube": "v=2"})
        daemon.queue.add("source:home")
        await anyio.sleep(3)
        ended(world, code=3)
        await anyio.sleep(60)
        (app,) = daemon.service.status().apps
        assert app.state is AppState.REVERTED
        assert "container k-two has ended (exit status 3)" in str(app.findings)


@pytest.mark.parametrize("told_by", ["Podman", ""])
async def test_what_podman_ends_for_its_startup_check_is_taken_back_for_that(world, told_by):
    rollout = RolloutSettings(settle=10)
    world.settings = msgspec.structs.replace(world.settings, rollout=rollout)
    world.reader.put("home", {"web/web.container": "v=1"})
    async with world.running() as daemon:
        await anyio.sleep(30)
        await world.push(daemon, {"web/web.container": "v=2 startup=3"})
        await anyio.sleep(3)
        if told_by:
            told = PodmanEvent(type="container", action="restart", name="web", unit="web.service")
            world.podman.events.queue.put_nowait(told)
            await anyio.sleep(1)
        world.systemd.ends("web.service")
        await anyio.sleep(3)
        assert daemon.service.status().apps[0].state is AppState.REVERTED
    (bad,) = world.events(EventKind.REVERTED)
    assert ("its startup check failed 3 times in a row" in bad.reason) is bool(told_by)
