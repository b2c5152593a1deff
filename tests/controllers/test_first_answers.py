"""What is said in the first moments after a start, before everything was looked at."""

import anyio
import pytest

from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from supervisor.model.health import Health
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.status import AppState, OrderRequest, Status

pytestmark = pytest.mark.anyio

FILES = {
    "good/good.container": "",
    "bad/bad.container": "",
    "late/late.container": "image=gone:1",
    "typo/typo.container": "refuse=unsupported-key",
}


async def answered(daemon) -> Status:
    return await daemon.service.look()


def states(status: Status) -> dict[str, AppState]:
    return {one.name: one.state for one in status.apps}


@pytest.fixture
async def ailing(world):
    """A world in which three of four apps are not well, and no daemon runs."""
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        world.machine.broken.add("bad.service")
        world.systemd.dies("bad.service")
        await anyio.sleep(100)
        world.before = await answered(daemon)
    assert len(world.ledger.all(Incident)) == 3
    return world


async def test_the_first_answer_holds_all_that_the_ledger_knows_of_as_it_was_last(ailing):
    ailing.systemd.slow["bad.service"] = 20
    async with ailing.running(first_pass=False) as daemon:
        first = await answered(daemon)
        assert first.starting
        assert states(first) == {
            "good": AppState.UNKNOWN,
            "bad": AppState.FAILING,
            "late": AppState.FAILING,
            "typo": AppState.REFUSED,
        }
        assert all(one.stale for one in first.apps)
        assert [*map(str, first.apps[1].waiting)] == ["not looked at yet"]
        was = {one.name: (one.revision, one.applied_at) for one in ailing.before.apps}
        assert {one.name: (one.revision, one.applied_at) for one in first.apps} == was
        assert {one.key: one for one in first.incidents} == ailing.ledger.all(Incident)
        await anyio.sleep(1)  # into the first pass
        during = await answered(daemon)
        assert states(during).keys() == states(first).keys()
        assert states(during)["bad"] is AppState.FAILING
        await daemon.queue.wait_idle()
        daemon.first_pass_is_over()
        after = await answered(daemon)
        assert states(after) == {**states(first), "good": AppState.READY}
        assert not any(one.stale for one in after.apps)


async def test_units_of_what_was_not_looked_at_are_as_systemd_says(ailing):
    async with ailing.running(first_pass=False) as daemon:
        good = next(one for one in (await answered(daemon)).apps if one.name == "good")
        assert [(one.name, one.active) for one in good.units] == [("good.service", "active")]


async def test_what_is_asked_of_an_app_before_it_was_looked_at_is_answered(ailing):
    async with ailing.running(first_pass=False) as daemon:
        for name in FILES:
            app = name.partition("/")[0]
            assert [one.name for one in (await daemon.service.look(app)).apps] == [app]


async def test_what_is_suspended_is_so_from_the_first_answer_on(ailing):
    async with ailing.running() as daemon:
        await daemon.service.suspend(OrderRequest(apps=("bad",)))
    async with ailing.running(first_pass=False) as daemon:
        assert states(await answered(daemon))["bad"] is AppState.SUSPENDED


async def test_with_no_source_that_can_be_read_what_was_never_applied_is_still_there(ailing):
    ailing.reader.latest.clear()
    ailing.reader.failures["home"] = Retry("no route to host")
    async with ailing.running() as daemon:
        status = await answered(daemon)
        assert states(status).keys() == {"good", "bad", "late", "typo"}
        assert {"late", "typo"} <= {one.app for one in status.incidents}
        assert {one.app for one in ailing.ledger.all(Incident).values()} >= {"late", "typo"}


async def test_what_left_while_no_daemon_ran_is_gone_when_that_is_known(ailing):
    ailing.reader.put("home", {"good/good.container": ""})
    async with ailing.running() as daemon:
        assert states(await answered(daemon)) == {"good": AppState.READY}
        assert not ailing.ledger.all(Incident)


async def test_a_new_app_is_there_before_its_first_pass_is_through(world):
    world.reader.put("home", {"one/one.container": "", "two/two.container": ""})
    world.systemd.slow["one.service"] = 20
    world.systemd.slow["two.service"] = 20
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(10)
        assert states(await answered(daemon)).keys() == {"one", "two"}
        await daemon.queue.wait_idle()


async def test_a_source_that_cannot_be_read_is_so_until_it_was_read(world):
    """It is not waited for where it is stored: what was wrong is not over with the first pass."""
    heard = []
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        (before,) = world.ledger.all(Incident).values()
        assert before.code is IncidentCode.SOURCE_UNREADABLE
    world.reader.seconds = 60
    async with world.running(first_pass=False) as daemon:
        daemon.incidents.subscribe(lambda opened, over: heard.append((len(opened), len(over))))
        await daemon.queue.wait_idle(daemon.lifecycle.is_first_pass, bursts=False)
        daemon.first_pass_is_over()
        assert world.ledger.all(Incident) == {before.key: before}
        assert (await answered(daemon)).incidents == (before,)
        await daemon.queue.wait_idle()
        assert (await answered(daemon)).incidents == (before,)
        assert not heard
        world.reader.failures.clear()
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        assert heard == [(0, 1)]
    world.reader.seconds = 0.1
    async with world.running(first_pass=False) as daemon:
        await daemon.queue.wait_idle()
        assert not (await answered(daemon)).incidents


def events(world, kind):
    return [(one.app, one.reason) for one in world.events(kind)]


@pytest.mark.parametrize("checked", ["health=30", "probe=tcp://one:1 every=30"])
async def test_since_when_a_unit_is_unhealthy_outlives_a_start(world, checked):
    heard = []

    def judge(health):
        if "health" in checked:
            streak = 3 if health is Health.UNHEALTHY else 0
            world.machine.answers("web.service", health, streak=streak)
        elif health is Health.UNHEALTHY:
            world.prober.failures["tcp://one:1"] = "connection refused"
        else:
            world.prober.failures.clear()

    world.reader.put("home", {"web/web.container": checked})
    async with world.running() as daemon:
        await anyio.sleep(400)
        judge(Health.UNHEALTHY)
        await anyio.sleep(600)
        (before,) = (await answered(daemon)).apps
        (incident,) = world.ledger.all(Incident).values()
        assert incident.code is IncidentCode.UNIT_UNHEALTHY
        told = events(world, EventKind.HEALTH)
        assert len(told) == 1
    await anyio.sleep(600)
    async with world.running(first_pass=False) as daemon:
        daemon.incidents.subscribe(lambda opened, over: heard.append((opened, over)))
        for _ in range(60):
            (app,) = (await answered(daemon)).apps
            (unit,) = app.units
            assert (app.state, unit.health) == (AppState.FAILING, Health.UNHEALTHY)
            assert abs(unit.health_since - before.units[0].health_since) < 1
            await anyio.sleep(1)
            if not daemon.queue.is_busy(lambda _: True):
                daemon.first_pass_is_over()
        (after,) = world.ledger.all(Incident).values()
        assert (after.opened_at, after.text) == (incident.opened_at, incident.text)
        assert (heard, events(world, EventKind.HEALTH)) == ([], told)
        judge(Health.HEALTHY)
        await anyio.sleep(400)
        assert len(heard) == 1
        assert len(events(world, EventKind.HEALTH)) == 2


async def test_since_when_it_is_well_is_not_said_where_nobody_knows(world):
    world.reader.put("home", {"web/web.container": "health=30"})
    async with world.running() as daemon:
        await anyio.sleep(60)
        (app,) = (await answered(daemon)).apps
        assert app.units[0].health_since
    await anyio.sleep(60)
    async with world.running() as daemon:
        (app,) = (await answered(daemon)).apps
        assert (app.units[0].health, app.units[0].health_since) == (Health.HEALTHY, 0)
        await anyio.sleep(60)
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3, output="no route")
        await anyio.sleep(400)
        (app,) = (await answered(daemon)).apps
        assert app.units[0].health_since > world.clock.now() - 400


async def test_a_unit_that_is_started_anew_after_a_start_is_given_its_time(world):
    """What was known of it before does not hold for it, as for its new revision."""
    world.reader.put("home", {"web/web.container": "probe=tcp://one:1 every=30"})
    world.prober.failures["tcp://one:1"] = "connection refused"
    async with world.running() as daemon:
        await anyio.sleep(600)
        (app,) = (await answered(daemon)).apps
        assert app.units[0].health is Health.UNHEALTHY
    world.reader.put("home", {"web/web.container": "probe=tcp://one:1 every=30 v=2"})
    async with world.running() as daemon:
        (app,) = (await answered(daemon)).apps
        assert app.units[0].health is Health.STARTING


async def test_what_was_told_before_a_start_is_not_told_again_and_its_end_is(ailing):
    kinds = (EventKind.REFUSED, EventKind.ERROR, EventKind.HEALTH)
    before = ailing.events(*kinds)[-1].id
    async with ailing.running():
        assert [one for one in ailing.events(*kinds) if one.id > before] == []
    ailing.reader.put("home", {**FILES, "typo/typo.container": ""})
    async with ailing.running():
        assert ("typo", "was refused") in events(ailing, EventKind.RECOVERED)


async def test_what_is_on_trial_is_not_good_before_its_probe_was_made(world):
    world.reader.put("home", {"web/web.container": "probe=tcp://one:1 every=30"})
    world.prober.failures["tcp://one:1"] = "connection refused"
    async with world.running():
        await anyio.sleep(60)
        assert not world.events(EventKind.APPLIED)
    await anyio.sleep(60)
    async with world.running() as daemon:
        assert not world.events(EventKind.APPLIED)
        await anyio.sleep(200)
        assert not world.events(EventKind.APPLIED)
        world.prober.failures.clear()
        await anyio.sleep(60)
        assert world.events(EventKind.APPLIED)
        assert states(await answered(daemon)) == {"web": AppState.READY}
