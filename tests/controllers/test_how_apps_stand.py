"""The status is true at every moment: while passes are under way, and before the first."""

import itertools

import anyio
import msgspec
import pytest

from supervisor.controllers.operator.service import ControlService
from supervisor.model.events import EventKind
from supervisor.model.health import Health
from supervisor.model.observed import JobFailed, UnitState
from supervisor.model.rollout import Outcome
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, AppStatus
from supervisor.model.why import FactKind
from tests.words import waiting

ONE, TWO = ({"web/web.container": f"v={n}"} for n in (1, 2))


async def asked(service: ControlService) -> AppStatus:
    """The app's status as `podvisor status` gets it."""
    (app,) = (await service.look()).apps
    return app


@pytest.mark.parametrize("before", [{}, ONE])
async def test_an_app_is_changing_with_its_step_while_a_pass_has_work_for_it(world, before):
    async with world.running() as daemon:
        if before:
            await world.push(daemon, before)
            assert (await asked(daemon.service)).state is AppState.READY
        world.systemd.slow["web.service"] = 20
        world.reader.put("home", TWO)
        daemon.queue.add("source:home")
        await anyio.sleep(10)
        app = await asked(daemon.service)
        assert app.state is AppState.CHANGING
        assert waiting(app)[0].startswith(
            "restart web.service: " if before else "start web.service"
        )
        assert app.wanted_revision != app.revision
        assert "1 changing" in daemon.board.summary()
        await daemon.queue.wait_idle()
        app = await asked(daemon.service)
        assert (app.state, waiting(app)) == (AppState.READY, ())


async def test_a_new_revision_is_not_called_good_before_anybody_has_looked_at_it(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=Seconds(60))
    )
    at_once = world.systemd.units

    async def units(names, *, details=()):
        await anyio.sleep(1)
        return await at_once(names, details=details)

    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(90)
        assert daemon.board.now()[0].state is AppState.READY
        world.systemd.units = units
        before = len(world.systemd.jobs)
        world.reader.put("home", TWO)
        daemon.queue.add("source:home")
        seen = set()
        for _ in range(600):
            await anyio.sleep(0.05)
            if len(world.systemd.jobs) > before:
                seen.add(daemon.board.now()[0].state)
        assert seen == {AppState.CHANGING}


async def test_after_a_start_an_app_is_what_it_was_while_its_first_pass_goes_on(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        good = await asked(daemon.service)
    world.systemd.slow["web.service"] = 20
    world.reader.put("home", TWO)
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(10)
        app = await asked(daemon.service)
        assert app.state is AppState.CHANGING
        assert (app.revision, app.applied_at) == (good.revision, good.applied_at)
        await daemon.queue.wait_idle()


async def test_a_pass_that_brings_back_a_failing_app_leaves_it_failing(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        world.machine.broken.add("web.service")
        world.systemd.slow["web.service"] = 5
        world.systemd.dies("web.service")
        states = []
        for _ in range(60):
            await anyio.sleep(1)
            states.append((await asked(daemon.service)).state)
        changes = [b for a, b in itertools.pairwise(states) if a is not b]
        assert changes in ([], [AppState.FAILING])
        assert states[-1] is AppState.FAILING


async def test_a_unit_is_shown_as_it_is_before_its_pass_has_heard_of_it(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        world.machine.running.clear()
        world.machine.failed.add("web.service")
        app = await asked(daemon.service)
        assert app.state is AppState.CHANGING
        assert (app.units[0].active, app.units[0].up) == ("failed", False)
        assert waiting(app) == ("web.service: failed",)


async def test_a_unit_that_went_down_is_not_shown_as_healthy(world):
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=1 health=30"})
        await anyio.sleep(120)
        (unit,) = (await asked(daemon.service)).units
        assert (unit.health, unit.health_since > 0) == (Health.HEALTHY, True)
        world.machine.running.clear()
        world.machine.failed.add("web.service")
        (unit,) = (await asked(daemon.service)).units
        assert (unit.active, unit.health, unit.health_since) == ("failed", Health.NONE, 0.0)


async def test_a_systemd_that_cannot_be_asked_keeps_nobody_from_the_status(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        world.systemd.lost = True
        assert (await asked(daemon.service)).state is AppState.READY


async def test_a_daemon_that_has_read_nothing_yet_says_so(world):
    async with world.running() as daemon:
        assert daemon.board.summary() == "no apps"
    world.reader.latest.clear()
    async with world.running(first_pass=False) as daemon:
        assert daemon.board.summary() == "no apps: not read yet: home"
        assert daemon.service.status().starting


@pytest.mark.parametrize("before", [{}, ONE])
async def test_a_condition_that_is_not_met_is_neither_failure_nor_success(world, before):
    async with world.running() as daemon:
        if before:
            await world.push(daemon, before)
        world.systemd.unmet["web.service"] = "ConditionPathExists=/mnt/x"
        await world.push(daemon, TWO)
        await anyio.sleep(120)
        app = await asked(daemon.service)
        assert app.state is AppState.INACTIVE
        assert not app.units[0].up
        assert app.units[0].unmet == "ConditionPathExists=/mnt/x"
        (tried, *_) = (await daemon.service.history("web")).rollouts
        assert tried.outcome is Outcome.GOOD
        assert "ConditionPathExists=/mnt/x is not met" in tried.reason
        starts = len(world.systemd.jobs)
        await anyio.sleep(3000)
        assert len(world.systemd.jobs) == starts
        world.systemd.unmet.clear()
        await anyio.sleep(1200)
        assert (await asked(daemon.service)).state is AppState.READY


async def test_what_another_unit_has_stopped_is_not_started_in_its_way(world):
    """A backup that stops the app (`Conflicts=`) would be killed by its start."""
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(60)
        world.systemd.conflicts("web.service", "dump.service")
        await anyio.sleep(30)
        app = await asked(daemon.service)
        assert (app.state, app.units[0].up) == (AppState.INACTIVE, False)
        assert app.units[0].unmet == "Conflicts=dump.service"
        starts = len(world.systemd.jobs)
        await world.push(daemon, TWO)
        await anyio.sleep(60)
        assert len(world.systemd.jobs) == starts, "nor for a newer revision, which waits"
        tried = (await daemon.service.history("web")).rollouts[0]
        assert tried.outcome is Outcome.TRIAL
        world.systemd.unmet.clear()
        await anyio.sleep(60)
        assert (await asked(daemon.service)).state is AppState.READY
        tried = (await daemon.service.history("web")).rollouts[0]
        assert tried.outcome is Outcome.GOOD


async def test_what_a_timer_starts_is_logged_once_each_time_that_it_fails(world):
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=1 install=none.target"})

        async def fails(at):
            world.systemd.states["web.service"] = UnitState(
                name="web.service", load="loaded", active="failed", result="exit-code", failed_at=at
            )
            for _ in range(3):
                world.systemd.changes.queue.put_nowait("web.service")
                await anyio.sleep(5)

        await fails(1.0)
        await fails(2.0)
        assert [one.unit for one in world.events(EventKind.FAILED)] == ["web.service"] * 2
        assert (await asked(daemon.service)).units[0].failed_at == 2.0
    async with world.running():
        assert len(world.events(EventKind.FAILED)) == 2, "a restart tells nothing twice"


async def test_an_app_of_which_somebody_paused_a_container_is_failing_until_it_goes_on(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        jobs = list(world.systemd.jobs)
        world.systemd.pauses("web.service")
        await anyio.sleep(3600)
        app = await asked(daemon.service)
        assert (app.state, app.units[0].up, app.units[0].paused) == (AppState.FAILING, False, True)
        assert waiting(app) == ("web.service: paused (podman unpause systemd-web)",)
        assert world.systemd.jobs == jobs, "who paused it, meant it"
        (one,) = (await daemon.service.look()).incidents
        assert (one.text, one.command) == ("web.service is paused", "podman unpause systemd-web")
        (fact,) = [f for f in (await daemon.service.why("web")).facts if f.about is FactKind.STATE]
        assert fact.text.startswith("web.service is paused")
        assert fact.command == one.command
        world.systemd.pauses("web.service", paused=False)
        await anyio.sleep(5)
        assert (await asked(daemon.service)).state is AppState.READY


async def test_an_app_of_which_somebody_froze_a_unit_is_failing_until_it_is_thawed(world):
    thaw = "systemctl --user thaw web.service"
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        jobs = list(world.systemd.jobs)
        world.systemd.freezes("web.service")
        await anyio.sleep(3600)
        app = await asked(daemon.service)
        assert (app.state, app.units[0].up, app.units[0].frozen) == (AppState.FAILING, False, True)
        assert waiting(app) == (f"web.service: frozen ({thaw})",)
        assert world.systemd.jobs == jobs, "who froze it, meant it"
        (one,) = (await daemon.service.look()).incidents
        assert (one.text, one.command) == ("web.service is frozen", thaw)
        (fact,) = [f for f in (await daemon.service.why("web")).facts if f.about is FactKind.STATE]
        assert (fact.text[:21], fact.command) == (one.text, thaw)
        world.systemd.freezes("web.service", frozen=False)
        await anyio.sleep(5)
        assert (await asked(daemon.service)).state is AppState.READY


async def test_a_paused_container_is_seen_before_its_app_is_looked_at(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        world.systemd.paused.add("web.service")
        app = await asked(daemon.service)
        said = ("web.service: paused (podman unpause systemd-web)",)
        assert (app.state, waiting(app)) == (AppState.CHANGING, said)


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_a_revision_on_trial_is_not_good_while_it_is_paused(world, *, is_frozen):
    still = world.systemd.freezes if is_frozen else world.systemd.pauses
    said = "web.service is frozen" if is_frozen else "web.service is paused"
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        world.reader.put("home", TWO)
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        still("web.service")
        await anyio.sleep(60)
        app = await asked(daemon.service)
        assert (app.state, app.gate) == (AppState.FAILING, said)
        still("web.service", **{"frozen" if is_frozen else "paused": False})
        await anyio.sleep(60)
        assert (await asked(daemon.service)).state is AppState.READY
    assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD


async def test_a_revision_whose_container_has_ended_is_not_good_before_systemd_knows(world):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(60)
        world.reader.put("home", TWO)
        daemon.queue.add("source:home")
        await anyio.sleep(9)
        world.systemd.ending.add("web.service")
        await anyio.sleep(3)
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.TRIAL
        world.systemd.dies("web.service")
        await anyio.sleep(10)
    tried = world.ledger.rollouts("web")[-1]
    assert tried.outcome is Outcome.FAILED
    assert "web.service failed" in tried.reason


async def test_what_failed_and_is_started_by_nothing_now_is_inactive_at_once(world):
    """The failure is of the revision before."""
    async with world.running() as daemon:
        world.machine.broken.add("web.service")
        world.systemd.said["web.service"] = "Failed to bind port 80"
        await world.push(daemon, ONE)
        await anyio.sleep(60)
        assert (await asked(daemon.service)).state is AppState.FAILING
        await world.push(daemon, {"web/web.container": "v=2 install=none.target"})
        app = await asked(daemon.service)
        assert app.state is AppState.INACTIVE
        assert (app.units[0].active, app.units[0].unstarted) == ("inactive", True)
        assert not [text for text in waiting(app) if "port 80" in text]
        assert "nothing starts web.service" in app.findings[0].message
        assert not world.events(EventKind.FAILED)


@pytest.mark.parametrize("is_taken_back", [True, False], ids=["taken-back", "reverted-in-git"])
async def test_back_where_nothing_starts_it_a_failure_of_the_revision_between_is_forgotten(
    world, is_taken_back
):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=10, rollback=is_taken_back)
    )
    idle = {"web/web.container": "v=1 install="}
    async with world.running() as daemon:
        await world.push(daemon, idle)
        await anyio.sleep(30)
        world.machine.broken.add("web.service")
        await world.push(daemon, ONE)
        await anyio.sleep(30)
        if not is_taken_back:
            assert (await asked(daemon.service)).state is AppState.FAILING
            await world.push(daemon, idle)
        app = await asked(daemon.service)
        assert app.state is (AppState.REVERTED if is_taken_back else AppState.INACTIVE)
        assert (app.units[0].active, app.units[0].unstarted) == ("inactive", True)
        assert not world.events(EventKind.FAILED)
        # What a person does with it there is of this revision.
        await anyio.sleep(1)
        world.systemd.dies("web.service")
        await anyio.sleep(60)
        assert (await asked(daemon.service)).units[0].active == "failed"
        assert len(world.events(EventKind.FAILED)) == 1


async def how_web_ends(world, daemon, app: str) -> str:
    """What `web.service` is in the app's status after a person started it, and it died."""
    await anyio.sleep(1)
    world.systemd.dies("web.service")
    await anyio.sleep(60)
    (status,) = daemon.service.status(app).apps
    return next(one.active for one in status.units if one.name == "web.service")


async def test_a_failure_of_the_revision_whose_trial_was_cut_short_is_kept(world):
    async with world.running() as daemon:
        world.machine.broken.add("side.service")  # so it never passes
        web = {"web/web.container": "install=", "web/side.container": "v=1"}
        await world.push(daemon, web)
        await world.push(daemon, {**web, "web/side.container": "v=2 image=img:2"})
        (tried,) = world.ledger.rollouts("web")
        assert (tried.outcome, tried.ended_at > 0) == (Outcome.TRIAL, True)
        assert await how_web_ends(world, daemon, "web") == "failed"
        assert "web.service" in [one.unit for one in world.events(EventKind.FAILED)]


async def test_a_failure_of_what_is_here_is_kept_where_another_app_has_a_part_of_it(world):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        others = {"one/web.container": "install=", "two/y.container": ""}
        await world.push(daemon, {**others, "one/shop.container": ""})
        await anyio.sleep(30)
        world.machine.broken.add("x.service")
        await world.push(daemon, {**others, "one/x.container": "", "two/shop.container": ""})
        await anyio.sleep(60)
        (one,) = daemon.service.status("one").apps
        assert one.state is AppState.REVERTED
        assert "shop.container" in world.machine.files["two"]
        assert await how_web_ends(world, daemon, "one") == "failed"
        assert "web.service" in [one.unit for one in world.events(EventKind.FAILED)]


@pytest.mark.parametrize("install", ["install=none.target", "install="])
async def test_a_revision_that_takes_from_a_unit_what_starts_it_is_on_trial_and_says_so(
    world, install
):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(20)
        await world.push(daemon, {"web/web.container": f"v=2 {install}"})
        app = await asked(daemon.service)
        assert app.state is AppState.CHANGING
        assert "nothing starts web.service" in app.findings[0].message
        assert app.gate == "nothing of it is to run: it counts after 10s"
        assert len(world.events(EventKind.APPLIED)) == 1
        assert ("restart", "web.service") not in world.systemd.jobs
        await anyio.sleep(20)
        app = await asked(daemon.service)
        assert (app.state, app.gate, app.units[0].active) == (AppState.INACTIVE, "", "inactive")
        assert "nothing starts web.service" in app.findings[0].message
        assert len(world.events(EventKind.APPLIED)) == 2
        assert world.ledger.rollouts("web")[-1].reason == "nothing of it is to run"


async def test_a_job_of_which_nothing_more_is_known_is_told_by_its_word_alone(world):
    """Where two units of a pass conflict, systemd cancels the start of one."""
    async with world.running() as daemon:
        world.systemd.start = canceled
        await world.push(daemon, ONE)
        (failed,) = [one for one in world.events(EventKind.STEP) if not one.ok][:1]
        assert failed.detail == "canceled"


async def canceled(unit, *, timeout_seconds):
    await anyio.sleep(timeout_seconds / 1000)
    return JobFailed(unit=unit, result="canceled")
