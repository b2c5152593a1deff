"""The gate, the way back, and what people order, on the whole daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.health import Health
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings, SourceSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.words import waiting

SETTLE = 10
OTHER = {"other/other.container": "v=1"}
ONE, TWO, THREE = ({"web/web.container": f"v={n}"} for n in (1, 2, 3))


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    return world


def unit(world, name="web"):
    """The content that a unit runs with, if it runs."""
    digest = world.machine.running.get(f"{name}.service", "")
    return world.reader.blobs.get(digest, b"").decode()


def state(daemon, app="web"):
    return daemon.board.apps[app].state


async def settle():
    await anyio.sleep(SETTLE + 1)


async def deployed(world, daemon, files):
    await world.push(daemon, files)
    await settle()
    await daemon.queue.wait_idle()


def breaks(world, name, *, unless):
    """Have a unit fail to start with any content but one."""
    world.systemd.mends = {f"{name}.service": unless}
    world.machine.broken.add(f"{name}.service")


async def nothing(_event):
    pass


async def test_a_revision_counts_when_it_has_settled(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        assert unit(world) == "v=1"
        assert state(daemon) is AppState.CHANGING
        assert daemon.board.apps["web"].gate == "web.service has to stay up for 10s"
        assert not world.events(EventKind.APPLIED)
        await settle()
        assert state(daemon) is AppState.READY
        assert len(world.events(EventKind.APPLIED)) == 1
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD


async def test_whose_commit_it_is_goes_along_to_all_that_tells_of_it(world):
    async with world.running() as daemon:
        world.reader.says["home"] = ("Say one", "Ann")
        await deployed(world, daemon, ONE)
        source, app = world.events(EventKind.REVISION)[-1], daemon.board.apps["web"]
        (applied,) = world.events(EventKind.APPLIED)
        assert (source.author, applied.author) == ("Ann", "Ann")
        assert (app.subject, app.author, app.wanted_author) == ("Say one", "Ann", "")
        breaks(world, "web", unless="v=1")
        world.reader.says["home"] = ("Say two", "Bob")
        await world.push(daemon, TWO)
        failed, good = (await daemon.service.history("web")).rollouts
        assert [(one.subject, one.author) for one in (good, failed)] == [
            ("Say one", "Ann"),
            ("Say two", "Bob"),
        ]
        app = daemon.board.apps["web"]
        assert (app.author, app.wanted_subject, app.wanted_author) == ("Ann", "Say two", "Bob")
        taken_back = [one for one in world.events() if one.author == "Bob"]
        assert [one.code for one in taken_back] == ["revision", "step-quarantine", "reverted"]
        assert "(author “Bob”) was taken back to " in taken_back[-1].reason


async def test_who_had_a_release_tried_is_known_of_it(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        world.machine.broken.clear()
        before = ORDERED_BY.set("anna (page)")
        try:
            await daemon.service.retry(OrderRequest(apps=("web",)), nothing)
            await settle()
            await daemon.queue.wait_idle()
            second, first = (await daemon.service.history("web")).rollouts
            assert (second.by, second.outcome, first.by) == ("anna (page)", Outcome.GOOD, "")
            ORDERED_BY.set("pi")
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        finally:
            ORDERED_BY.reset(before)
        first, second = (await daemon.service.history("web")).rollouts
        assert (first.by, daemon.board.apps["web"].held.by) == ("pi", "pi")
        applied = [one.by for one in world.events(EventKind.APPLIED)]
        assert applied == ["", "anna (page)", "pi"]
        await deployed(world, daemon, THREE)
        assert (await daemon.service.history("web")).rollouts[0].by == ""


async def test_a_commit_that_touches_other_apps_alone_is_not_theirs(world):
    async with world.running() as daemon:
        world.reader.says["home"] = ("Say one", "Ann")
        await deployed(world, daemon, ONE)
        world.reader.says["home"] = ("Add another", "Bob")
        await deployed(world, daemon, ONE | OTHER)
        apps = daemon.board.apps
        assert (apps["web"].author, apps["other"].author) == ("Ann", "Bob")
        assert (apps["web"].wanted_author, apps["web"].wanted_subject) == ("", "")
        assert daemon.board.sources["home"].author == "Bob"
    async with world.running() as daemon:
        assert daemon.board.apps["web"].author == "Ann"


async def test_what_does_not_start_is_taken_back_at_once(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        good = world.ledger.applied()["web"].revision
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        assert state(daemon) is AppState.REVERTED
        assert unit(world) == "v=1"
        assert world.ledger.applied()["web"].revision == good
        (reverted,) = world.events(EventKind.REVERTED)
        assert not reverted.ok
        assert "web.service failed" in reverted.reason
        assert len(world.events(EventKind.APPLIED)) == 1, "a rollback is no success"


async def test_what_dies_while_it_settles_is_taken_back(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await world.push(daemon, TWO)
        await anyio.sleep(SETTLE - 2)
        assert unit(world) == "v=2"
        world.systemd.dies("web.service")
        await anyio.sleep(1)
        assert unit(world) == "v=1"
        assert state(daemon) is AppState.REVERTED


async def test_what_becomes_unhealthy_is_taken_back(world):
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 health=30"})
        await world.push(daemon, {"web/web.container": "v=2 health=30"})
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3, output="no answer")
        await settle()
        assert unit(world) == "v=1 health=30"
        assert "no answer" in world.events(EventKind.REVERTED)[0].reason


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "between-two-restarts"])
async def test_what_podman_restarts_in_place_is_taken_back(world, seen):
    """HealthOnFailure=restart: the unit stays active, and its health begins anew each time."""
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 health=30"})
        await world.push(daemon, {"web/web.container": "v=2 health=30"})
        if seen:
            world.machine.answers("web.service", Health.UNHEALTHY, streak=1, output="no answer")
        world.machine.podman_restarts("web.service", at=world.clock.now())
        if not seen:
            world.machine.answers("web.service", Health.HEALTHY)
        await settle()
        assert unit(world) == "v=1 health=30"
        reason = world.events(EventKind.REVERTED)[0].reason
        assert "web.service is unhealthy: Podman has restarted it 1 time" in reason


async def test_a_check_that_is_gone_for_a_moment_does_not_pass(world):
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 health=30"})
        await world.push(daemon, {"web/web.container": "v=2 health=30"})
        check = world.machine.checks.pop("web.service")
        await settle()
        assert state(daemon) is AppState.CHANGING
        world.machine.checks["web.service"] = check
        await settle()
        assert state(daemon) is AppState.READY


async def test_what_never_becomes_healthy_is_taken_back_in_the_end(world):
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 health=30"})
        await world.push(daemon, {"web/web.container": "v=2 health=30"})
        world.machine.answers("web.service", Health.STARTING)
        await anyio.sleep(500)
        assert state(daemon) is AppState.CHANGING
        await anyio.sleep(130)
        assert state(daemon) is AppState.REVERTED
        assert "not well after 10m: " in world.events(EventKind.REVERTED)[0].reason


async def test_a_drop_in_that_is_not_of_its_source_is_named_where_a_unit_failed(world):
    path = "/home/pi/.config/systemd/user/web.service.d/override.conf"
    said = f"also shaped by {path}, which is not of its source"
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.systemd.drop_ins["web.service"] = (path,)
        await world.push(daemon, {"web/web.container": "v=2 dies"})
        await settle()
        reason = world.events(EventKind.REVERTED)[0].reason
        assert reason.endswith(said)
        assert any(said in one.text for one in (await daemon.service.look()).incidents)


async def test_a_drop_in_that_is_not_of_its_source_is_named_where_an_app_fails(world):
    world.systemd.drop_ins["web.service"] = ("/a.conf", "/b.conf")
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        await settle()
        (one,) = (await daemon.service.look()).incidents
        assert "also shaped by /a.conf and /b.conf, which are not of its source" in one.hint


async def test_what_failed_is_not_tried_again_until_something_newer_comes(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        jobs = len(world.systemd.jobs)
        # A commit that changes something else.
        await deployed(world, daemon, TWO | {"db/db.container": "v=1"})
        await anyio.sleep(7200)
        assert [job for job in world.systemd.jobs[jobs:] if "web" in job[1]] == []
        assert state(daemon) is AppState.REVERTED
        assert state(daemon, "db") is AppState.READY
        world.machine.broken.clear()
        await deployed(world, daemon, THREE | {"db/db.container": "v=1"})
        assert unit(world) == "v=3"
        assert state(daemon) is AppState.READY
        assert len(world.events(EventKind.REVERTED)) == 1


async def test_the_quarantine_outlives_a_restart(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        assert state(daemon) is AppState.REVERTED
    jobs = len(world.systemd.jobs)
    async with world.running() as daemon:
        await settle()
        assert state(daemon) is AppState.REVERTED
        assert world.systemd.jobs[jobs:] == []


async def test_a_person_may_have_it_tried_again(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        world.machine.broken.clear()
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle()
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.READY
        assert [event.app for event in world.events(EventKind.RESUMED)] == ["web"]


async def test_what_is_tried_again_is_the_revision_that_failed(world):
    """Also when commits came since that do not touch the app; what failed else is still known."""
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        await world.push(daemon, THREE)
        before = [one.revision for one in world.ledger.rollouts("web")]
        await world.push(daemon, THREE | {"README.md": "more"})
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle()
        assert state(daemon) is AppState.REVERTED
        world.machine.broken.clear()
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle()
        assert unit(world) == "v=3"
        rollouts = world.ledger.rollouts("web")
        assert [one.revision for one in rollouts] == before
        assert [one.outcome for one in rollouts] == [Outcome.GOOD, Outcome.FAILED, Outcome.GOOD]


async def test_the_first_revision_has_no_way_back_and_is_repaired(world):
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(120)
        assert state(daemon) is AppState.FAILING
        assert not world.events(EventKind.REVERTED, EventKind.APPLIED)
        world.machine.broken.clear()
        await anyio.sleep(700)
        assert unit(world) == "v=1"
        assert state(daemon) is AppState.READY


async def test_a_revision_that_never_was_good_is_no_way_back(world):
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await world.push(daemon, TWO)
        await anyio.sleep(120)
        assert state(daemon) is AppState.FAILING
        assert not world.events(EventKind.REVERTED)
        assert world.machine.manifests["web"].revision == daemon.board.apps["web"].wanted_revision


async def test_rollback_may_be_turned_off(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, rollback=False)
    )
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.machine.broken.add("web.service")
        await world.push(daemon, TWO)
        await anyio.sleep(60)
        assert state(daemon) is AppState.FAILING
        assert not world.events(EventKind.REVERTED)


async def test_there_is_no_way_back_to_what_is_not_stored_any_more(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.reader.blobs.clear()
        world.machine.broken.add("web.service")
        await world.push(daemon, TWO)
        await anyio.sleep(60)
        assert state(daemon) is AppState.FAILING
        assert not world.events(EventKind.REVERTED)


async def test_what_was_down_before_is_not_the_new_revisions_fault(world):
    both = {"web/web.container": "v=1", "web/job.container": "v=1"}
    async with world.running() as daemon:
        await deployed(world, daemon, both)
        world.machine.broken.add("job.service")
        world.systemd.dies("job.service")
        await anyio.sleep(30)
        await deployed(world, daemon, both | {"web/web.container": "v=2"})
        assert unit(world) == "v=2"
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD


async def test_what_went_down_with_it_comes_back_too(world):
    """Another app's unit that needs one of this app's."""
    site = {"db/db.container": "v=1", "web/web.container": "needs=db.container"}
    async with world.running() as daemon:
        await deployed(world, daemon, site)
        breaks(world, "db", unless="v=1")
        world.reader.put("home", site | {"db/db.container": "v=2"})
        daemon.queue.add("source:home")
        await anyio.sleep(0.35)
        assert not {"db.service", "web.service"} & world.machine.running.keys()
        await anyio.sleep(2)
        assert state(daemon, "db") is AppState.REVERTED
        assert unit(world, "db") == "v=1"
        assert "web.service" in world.machine.running
        assert state(daemon, "web") is AppState.READY


async def test_sync_waits_for_the_gate_and_tells_how_it_ended(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.reader.put("home", TWO)
        told = []

        async def tell(one):
            told.append(getattr(one, "gate", "") or one.kind)

        reply = await daemon.service.sync(SyncRequest(), tell)
        assert reply.apps[0].state is AppState.READY
        assert told[-2:] == ["web.service has to stay up for 10s", EventKind.APPLIED]
        world.reader.put("home", THREE)
        breaks(world, "web", unless="v=2")
        reply = await daemon.service.sync(SyncRequest(), nothing)
        assert reply.apps[0].state is AppState.REVERTED


async def test_an_image_of_the_way_back_that_is_gone_is_pulled_first(world):
    world.podman.registry.add("img:1")
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 image=img:1"})
        await settle()
        await deployed(world, daemon, TWO)
        assert state(daemon) is AppState.READY
        await deployed(world, daemon, {"web/web.container": "v=3 image=img:1"})
        await world.push(daemon, TWO)
        breaks(world, "web", unless="v=3 image=img:1")
        world.machine.images.discard("img:1")
        world.podman.registry.clear()
        world.systemd.dies("web.service")
        await anyio.sleep(5)
        assert world.systemd.jobs[-1] == ("restart", "web.service"), "not without its image"
        assert waiting(daemon.board.apps["web"])[0].startswith("image img:1")
        world.podman.registry.add("img:1")
        await anyio.sleep(600)
        assert unit(world) == "v=3 image=img:1"
        assert state(daemon) is AppState.REVERTED


async def test_a_way_back_whose_images_are_here_asks_for_none(world):
    world.machine.images.update({"img:1", "img:2"})
    one, two = (
        {"web/web.container": f"v={n} image=img:{n} health=30 needs=a.network", "web/a.network": ""}
        for n in (1, 2)
    )
    async with world.running() as daemon:
        await deployed(world, daemon, one)
        await world.push(daemon, two)
        world.machine.answers("web.service", Health.UNHEALTHY, streak=3)
        await settle()
        assert state(daemon) is AppState.REVERTED
        assert unit(world).startswith("v=1")
        assert not [event for event in world.events() if event.step == "pull"]


async def test_a_person_rolls_back_and_is_not_overruled(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        first = world.ledger.applied()["web"].revision
        await deployed(world, daemon, TWO)
        second = world.ledger.applied()["web"].revision
        reply = await daemon.service.rollback(OrderRequest(apps=("web",), reason="slow"), nothing)
        assert unit(world) == "v=1"
        assert reply.apps[0].state is AppState.HELD
        await deployed(world, daemon, TWO | {"db/db.container": "v=1"})
        await anyio.sleep(7200)
        assert unit(world) == "v=1"
        held = daemon.board.apps["web"].held
        assert (held.revision, held.instead_of) == (first, second)
        plan = await daemon.service.plan(["web"])
        assert [one.held for one in plan.verdicts] == [held]
        await deployed(world, daemon, THREE)
        assert unit(world) == "v=3"
        assert state(daemon) is AppState.READY
        assert daemon.board.apps["web"].held is None


async def test_a_revert_ends_the_hold_and_touches_nothing(world):
    """The source asks for what runs: whatever is pushed next is newer, as what was left is."""
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        jobs = len(world.systemd.jobs)
        await deployed(world, daemon, ONE)
        assert state(daemon) is AppState.READY
        assert daemon.board.apps["web"].held is None
        assert world.systemd.jobs[jobs:] == []
        assert "its source asks for that" in world.events(EventKind.RESUMED)[-1].reason
        await deployed(world, daemon, TWO)
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.READY


@pytest.mark.parametrize("newest", ["refuse=why", "image=img:9"])
async def test_a_rollback_outlives_commits_that_do_not_touch_the_app(world, newest):
    """Also if what the source asks for was never tried here."""
    async with world.running() as daemon:
        for number in (1, 2):
            await deployed(world, daemon, {"web/web.container": f"v={number}", **OTHER})
        never_tried = {"web/web.container": newest}
        await world.push(daemon, never_tried | OTHER)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await world.push(daemon, never_tried | {"other/other.container": "v=2"})
        assert unit(world) == "v=1"
        assert state(daemon) is AppState.HELD
    async with world.running() as daemon:
        assert state(daemon) is AppState.HELD
        await deployed(world, daemon, {"web/web.container": "v=3", **OTHER})
        assert unit(world) == "v=3"


async def test_a_rollback_ends_when_it_is_resumed(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        reply = await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        assert unit(world) == "v=2"
        assert [one.state for one in reply.apps] == [AppState.READY]


async def test_each_rollback_goes_further_back(world):
    async with world.running() as daemon:
        for number in range(1, 6):
            await deployed(world, daemon, {"web/web.container": f"v={number}"})
        third = world.ledger.rollouts("web")[2].revision
        await daemon.service.rollback(OrderRequest(apps=("web",), revision=third), nothing)
        for number in (2, 1):
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
            assert unit(world) == f"v={number}"
            assert state(daemon) is AppState.HELD
        with pytest.raises(Stalled, match="no earlier revision was good here"):
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await daemon.service.rollback(OrderRequest(apps=("web",), revision=third), nothing)
        assert unit(world) == "v=3"


async def test_a_rollback_to_what_fails_now_leads_back(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        breaks(world, "web", unless="v=2")
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.REVERTED


async def test_there_is_no_rollback_to_what_failed(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        breaks(world, "web", unless="v=1")
        await world.push(daemon, TWO)
        failed = world.ledger.rollouts("web")[-1].revision
        world.machine.broken.clear()
        await deployed(world, daemon, THREE)
        with pytest.raises(Stalled, match="failed here: web"):
            await daemon.service.rollback(OrderRequest(apps=("web",), revision=failed), nothing)
        assert state(daemon) is AppState.READY


@pytest.mark.parametrize("wish", ["", "ffff"])
async def test_there_may_be_nothing_to_roll_back_to(world, wish):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        with pytest.raises(Stalled, match="cannot roll back"):
            await daemon.service.rollback(OrderRequest(apps=("web",), revision=wish), nothing)


async def test_a_suspended_app_is_looked_at_but_not_touched(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await daemon.service.suspend(OrderRequest(apps=("web",), reason="night"))
        jobs = len(world.systemd.jobs)
        world.systemd.dies("web.service")
        await deployed(world, daemon, TWO)
        await anyio.sleep(7200)
        app = daemon.board.apps["web"]
        assert world.systemd.jobs[jobs:] == []
        assert app.state is AppState.SUSPENDED
        assert app.suspension.reason == "night"
        assert any("web.service" in line for line in app.held_back)
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle()
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.READY


async def test_a_suspension_ends_by_itself(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await daemon.service.suspend(OrderRequest(seconds=3600))
    async with world.running() as daemon:
        world.systemd.dies("web.service")
        await anyio.sleep(3000)
        assert state(daemon) is AppState.SUSPENDED
        assert "web.service" not in world.machine.running
        await anyio.sleep(700)
        assert state(daemon) is AppState.READY
        assert world.events(EventKind.RESUMED)


async def test_history_tells_what_came_of_each_revision(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        breaks(world, "web", unless="v=2")
        await world.push(daemon, THREE)
        history = await daemon.service.history("web")
        outcomes = [one.outcome for one in history.rollouts]
        assert outcomes == [Outcome.FAILED, Outcome.GOOD, Outcome.GOOD]
        assert history.running == history.rollouts[1].release


async def test_a_release_is_told_with_the_images_that_it_runs_with(world):
    """Another image of the same name is no deploy; the next one that starts a unit is with it."""
    world.machine.images.add("img:1")
    one, two = ({"web/web.container": f"v={number} image=img:1"} for number in (1, 2))
    async with world.running() as daemon:
        await deployed(world, daemon, one)
        world.machine.pulled_anew["img:1"] = "newer"
        steps = len(world.events())
        await daemon.service.sync(SyncRequest(), nothing)
        assert [one.kind for one in world.events()[steps:]] == [EventKind.ORDERED]
        assert unit(world).startswith("v=1")
        (first,) = (await daemon.service.history("web")).rollouts
        assert first.images == {"img:1": "id of img:1"}
    async with world.running() as daemon:
        history = await daemon.service.history("web")
        assert (history.running, history.rollouts) == (first.release, (first,))
        await deployed(world, daemon, two)
        await deployed(world, daemon, one)
        history = await daemon.service.history("web")
        assert [dict(tried.images) for tried in history.rollouts] == [
            *({"img:1": "newer"}, {"img:1": "newer"}, {"img:1": "id of img:1"}),
        ]
        again, second, before = history.rollouts
        assert history.running == again.release != before.release
        assert (before, again.revision, again.content) == (first, first.revision, first.content)
        said = world.events(EventKind.APPLIED)[-1].detail
        assert said == f"release {again.release[:8]} runs with img:1@newer"
        order = OrderRequest(apps=("web",), revision=second.release[:6])
        await daemon.service.rollback(order, nothing)
        assert daemon.board.apps["web"].held.release == second.release
        assert unit(world).startswith("v=2")


async def test_what_is_held_is_not_forgotten_though_it_runs_with_another_image(world):
    more = msgspec.structs.replace(world.settings.rollout, history=2)
    world.settings = msgspec.structs.replace(world.settings, rollout=more)
    world.machine.images.add("img:1")
    async with world.running() as daemon:
        for number in (1, 2):
            await deployed(world, daemon, {"web/web.container": f"v={number} image=img:1"})
        first, _ = world.ledger.rollouts("web")
        world.machine.pulled_anew["img:1"] = "newer"
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert world.ledger.applied()["web"].release != first.release
        daemon.queue.add("source:home")
        await settle()
        assert daemon.board.apps["web"].held.release == first.release
        assert unit(world).startswith("v=1")


async def test_what_failed_with_another_image_is_no_way_back(world):
    world.machine.images.add("img:1")
    one, two, three = ({"web/web.container": f"v={number} image=img:1"} for number in (1, 2, 3))
    async with world.running() as daemon:
        for files in (one, two):
            await deployed(world, daemon, files)
        world.machine.pulled_anew["img:1"] = "newer"
        breaks(world, "web", unless="v=2 image=img:1")
        await world.push(daemon, one)
        assert state(daemon) is AppState.REVERTED
        world.machine.broken.clear()
        await deployed(world, daemon, three)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert unit(world).startswith("v=2")
        with pytest.raises(Stalled, match="no earlier revision was good here"):
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)


async def test_no_more_history_is_kept_than_is_wanted(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=0, history=3)
    )
    async with world.running() as daemon:
        for number in range(6):
            await world.push(daemon, {"web/web.container": f"v={number}"})
        assert len(world.ledger.rollouts("web")) == 3
        breaks(world, "web", unless="v=5")
        for number in range(6, 12):
            await world.push(daemon, {"web/web.container": f"v={number}"})
            await settle()
        outcomes = [one.outcome for one in world.ledger.rollouts("web")]
        assert outcomes == [Outcome.GOOD, Outcome.FAILED, Outcome.FAILED]
        assert unit(world) == "v=5"
        assert state(daemon) is AppState.REVERTED


async def test_what_has_left_takes_its_orders_and_history_along(world):
    db = {"db/db.container": "v=1"}
    async with world.running() as daemon:
        await deployed(world, daemon, ONE | db)
        await deployed(world, daemon, TWO | db)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await world.push(daemon, db)
        assert "web.service" not in world.machine.running
        assert world.ledger.rollouts("web") == ()
        await deployed(world, daemon, TWO | db)
        assert unit(world) == "v=2"


async def test_who_comes_after_waits_for_the_gate(world):
    both = {"db/db.container": "v=1", "web/web.container": "after=db v=1"}
    async with world.running() as daemon:
        world.reader.put("home", both)
        daemon.queue.add("source:home")
        await anyio.sleep(SETTLE - 2)
        assert "db.service" in world.machine.running
        assert "web.service" not in world.machine.running, "db has not settled"
        await anyio.sleep(4)
        assert "web.service" in world.machine.running
        await settle()
        assert state(daemon, "web") is AppState.READY


async def test_who_comes_after_what_was_taken_back_waits_on(world):
    both = {"db/db.container": "v=1", "web/web.container": "after=db v=1"}
    async with world.running() as daemon:
        await deployed(world, daemon, both)
        await settle()
        breaks(world, "db", unless="v=1")
        await deployed(
            world, daemon, {"db/db.container": "v=2", "web/web.container": "after=db v=2"}
        )
        assert unit(world, "web") == "after=db v=1"
        assert waiting(daemon.board.apps["web"]) == (
            "waits for app db, of which the newest revision failed",
        )


async def test_a_trial_goes_on_when_what_came_before_is_in_trouble(world):
    both = {"db/db.container": "v=1", "web/web.container": "after=db v=1"}
    async with world.running() as daemon:
        await deployed(world, daemon, both)
        await settle()
        await world.push(daemon, both | {"web/web.container": "after=db v=2"})
        world.machine.broken.add("db.service")
        world.systemd.dies("db.service")
        await settle()
        assert unit(world, "web") == "after=db v=2"


async def test_a_job_is_not_run_again_for_the_way_back(world):
    def shop(version):
        return {
            "shop/migrate.container": f"job=1 v={version}",
            "shop/shop.container": f"v={version}",
        }

    async with world.running() as daemon:
        await deployed(world, daemon, shop(1))
        breaks(world, "shop", unless="v=1")
        before = len(world.machine.ran)
        await deployed(world, daemon, shop(2))
        await anyio.sleep(3600)
        assert state(daemon, "shop") is AppState.REVERTED
        assert unit(world, "shop") == "v=1"
        assert len(world.machine.ran) == before + 1
        world.machine.broken.clear()
        await daemon.service.resume(OrderRequest(apps=("shop",)), nothing)
        await settle()
        assert state(daemon, "shop") is AppState.READY
        assert len(world.machine.ran) == before + 2, "it is a deploy once more"


async def test_sync_does_not_wait_for_a_first_revision_that_fails(world):
    async with world.running() as daemon:
        world.machine.broken.add("web.service")
        world.reader.put("home", ONE)
        before = world.clock.now()
        reply = await daemon.service.sync(SyncRequest(), nothing)
        assert reply.apps[0].state is AppState.FAILING
        assert world.clock.now() - before < SETTLE


async def test_one_app_cannot_be_resumed_while_all_are_suspended(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await daemon.service.suspend(OrderRequest())
        with pytest.raises(Stalled, match="all apps are suspended"):
            await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await daemon.service.resume(OrderRequest(), nothing)
        assert state(daemon) is AppState.READY


async def test_sync_of_one_app_waits_for_the_gates_before_it(world):
    async with world.running() as daemon:
        world.reader.put("home", {"db/db.container": "v=1", "web/web.container": "after=db"})
        reply = await daemon.service.sync(SyncRequest(apps=("web",)), nothing)
        assert [(one.name, one.state) for one in reply.apps] == [("web", AppState.READY)]


@pytest.mark.parametrize("seconds", [0, SETTLE])
async def test_a_first_revision_that_fails_is_not_looked_at_more_often_than_it_is_repaired(
    world, seconds
):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=seconds)
    )
    world.machine.broken.add("web.service")
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await anyio.sleep(7200)
        jobs, looks = len(world.systemd.jobs), world.folder.looked.count("web")
        await anyio.sleep(7200)
        assert world.folder.looked.count("web") - looks <= 3 * (len(world.systemd.jobs) - jobs) + 4
        assert state(daemon) is AppState.FAILING


async def test_a_revision_whose_trial_was_cut_short_has_a_whole_one_when_it_comes_again(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await world.push(daemon, TWO)
        await deployed(world, daemon, THREE)
        await anyio.sleep(3600)
        await deployed(world, daemon, TWO)
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.READY


async def test_a_revision_whose_trial_was_cut_short_waits_for_its_turn_when_it_comes_again(world):
    def both(db, web):
        return {"db/db.container": f"v={db}", "web/web.container": f"after=db v={web}"}

    async with world.running() as daemon:
        await deployed(world, daemon, both(1, 1))
        await settle()
        await world.push(daemon, both(1, 2))
        await deployed(world, daemon, both(1, 3))
        breaks(world, "db", unless="v=1")
        await deployed(world, daemon, both(2, 2))
        assert unit(world) == "after=db v=3"
        assert "waits for app db" in waiting(daemon.board.apps["web"])[0]


@pytest.mark.parametrize("away", ["restart", "sleep", "suspended", "suspended by name"])
async def test_time_in_which_nobody_looked_after_it_is_not_counted_against_a_trial(world, away):
    async def goes_on(daemon):
        await anyio.sleep(60)
        assert state(daemon) is AppState.CHANGING
        world.machine.answers("web.service", Health.HEALTHY)
        await anyio.sleep(30)
        assert state(daemon) is AppState.READY
        assert unit(world) == "v=2 health=30"

    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 health=30"})
        await world.push(daemon, {"web/web.container": "v=2 health=30"})
        world.machine.answers("web.service", Health.STARTING)
        match away:
            case "sleep":
                world.clock.slept += 7200
                daemon.lifecycle.host_changed("resumed")
            case "suspended":
                await daemon.service.suspend(OrderRequest(seconds=3600))
                await anyio.sleep(3700)
            case "suspended by name":
                await daemon.service.suspend(OrderRequest(apps=("web",)))
                await anyio.sleep(3700)
                async with anyio.create_task_group() as tasks:
                    order = OrderRequest(apps=("web",))
                    tasks.start_soon(daemon.service.resume, order, nothing)
                    await goes_on(daemon)
                return
        if away != "restart":
            await goes_on(daemon)
            return
    world.clock.offset += 7200
    async with world.running() as daemon:
        await goes_on(daemon)


async def test_a_crash_loop_is_failing_however_the_moment_falls(world):
    world.systemd.said["web.service"] = "exit status 3: no such table"
    async with world.running() as daemon:
        await deployed(world, daemon, {"web/web.container": "v=1 loops=40"})
        assert state(daemon) is AppState.READY
        await anyio.sleep(200)
        for _ in range(100):
            await anyio.sleep(1.7)
            assert state(daemon) is AppState.FAILING
            assert "no such table" in str(waiting(daemon.board.apps["web"]))


async def test_one_crash_is_forgotten_when_the_unit_stays_up(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.systemd.crashes("web.service")
        await anyio.sleep(5)
        assert state(daemon) is AppState.FAILING
        await anyio.sleep(60)
        assert state(daemon) is AppState.READY


async def test_a_crash_before_the_trial_is_not_held_against_a_revision(world):
    both = {"web/web.container": "v=1", "web/db.container": "v=1"}
    async with world.running() as daemon:
        await deployed(world, daemon, both)
        world.systemd.crashes("db.service")
        await anyio.sleep(3600)
        await deployed(world, daemon, both | {"web/README": "hello"})
        assert state(daemon) is AppState.READY
        await deployed(world, daemon, both | {"web/web.container": "v=2"})
        assert unit(world) == "v=2"
        assert state(daemon) is AppState.READY
        assert not world.events(EventKind.REVERTED)


async def test_the_last_words_say_why_a_revision_was_taken_back(world):
    world.systemd.said["web.service"] = "exit status 3: no such table"
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, {"web/web.container": "v=2 loops=2"})
        assert state(daemon) is AppState.REVERTED
        assert "no such table" in world.events(EventKind.REVERTED)[0].reason


@pytest.mark.parametrize("words", ["no config", ""])
async def test_what_ends_with_status_0_says_so_and_its_last_words(world, words):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        world.systemd.said["web.service"] = words
        await deployed(world, daemon, {"web/web.container": "v=2 ends=2"})
        assert state(daemon) is AppState.REVERTED
        reason = "web.service did not stay up: it ended with status 0"
        reason += f": {words}" if words else ""
        assert world.events(EventKind.REVERTED)[0].reason.endswith(reason)


@pytest.mark.parametrize("before", [{}, ONE], ids=["first", "later"])
async def test_a_trial_is_told_of_by_what_was_seen_in_it(world, before):
    """Not by what the revision before failed of, or who had its port then."""
    async with world.running() as daemon:
        if before:
            await deployed(world, daemon, before)
        breaks(world, "web", unless="v=1")
        world.systemd.said["web.service"] = "Failed to bind port 8095"
        await world.push(daemon, TWO)
        await anyio.sleep(30)
        world.systemd.said["web.service"] = "Failed to bind port 80"
        await world.push(daemon, THREE)
        await anyio.sleep(3)
        app = daemon.board.apps["web"]
        told = [app.gate, *waiting(app), *(one.message for one in app.findings)]
        assert [text for text in told if "port 80" in text]
        assert not [text for text in told if "port 8095" in text]


@pytest.mark.parametrize("meanwhile", ["it runs on", "it is started anew"])
@pytest.mark.parametrize("ends", [Outcome.GOOD, Outcome.FAILED])
async def test_what_is_on_trial_stays_until_its_own_verdict_though_a_newer_one_is_refused(
    world, ends, meanwhile
):
    async def over(daemon):
        assert unit(world) == "v=2"
        app = daemon.board.apps["web"]
        assert app.state is AppState.REFUSED
        assert app.gate == "web.service has to stay up for 10s"
        assert len(jobs()) == before
        if ends is Outcome.FAILED:
            world.systemd.dies("web.service")
        await settle()
        await daemon.queue.wait_idle()
        assert world.ledger.rollouts("web")[-1].outcome is ends
        assert unit(world) == ("v=2" if ends is Outcome.GOOD else "v=1")
        assert len(jobs()) == before + (ends is Outcome.FAILED)
        assert any(one.fatal for one in daemon.board.apps["web"].findings)
        await world.push(daemon, THREE)
        await settle()
        assert unit(world) == "v=3"
        assert state(daemon) is AppState.READY

    def jobs():
        return [job for job in world.systemd.jobs if job[1] == "web.service"]

    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await world.push(daemon, TWO)
        before = len(jobs())
        await world.push(daemon, {"web/web.container": "v=9 needs=gone.network"})
        if meanwhile == "it runs on":
            await over(daemon)
    if meanwhile != "it runs on":
        async with world.running() as daemon:
            await over(daemon)


async def test_what_goes_back_for_a_newer_one_that_waits_says_so(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await world.push(daemon, TWO)
        await world.push(daemon, {"web/web.container": "v=3 image=img:gone"})
        (cut,) = [one for one in world.ledger.rollouts("web") if one.reason]
        assert cut.ended_at
        assert cut.reason.startswith("was taken back to ")
        assert "it was still on trial when" in cut.reason
        assert cut.reason.endswith("which waits for its image")
        assert [one for one in world.events(EventKind.STEP) if cut.reason in one.reason]


@pytest.mark.parametrize("is_held", [False, True], ids=["quarantine", "hold"])
async def test_what_was_tried_and_ordered_of_a_content_counts_wherever_its_source_moves(
    world, is_held
):
    """A repository that moves, or a branch that is renamed, brings nothing that was not tried."""
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        if is_held:
            await deployed(world, daemon, TWO)
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
            await settle()
        else:
            breaks(world, "web", unless="v=1")
            await deployed(world, daemon, TWO)
        stands = AppState.HELD if is_held else AppState.REVERTED
        assert (state(daemon), unit(world)) == (stands, "v=1")
        home = SourceSettings(git=GitUrl("https://elsewhere.example/home"), ref="stable")
        await daemon.lifecycle.take_settings(
            msgspec.structs.replace(world.settings, sources={"home": home})
        )
        await daemon.queue.wait_idle()
        await settle()
        assert (state(daemon), unit(world)) == (stands, "v=1")
        world.machine.broken.clear()
        world.systemd.mends.clear()
        await deployed(world, daemon, THREE)
        assert (state(daemon), unit(world)) == (AppState.READY, "v=3")


async def test_going_back_from_what_cannot_be_read_says_so(world):
    async with world.running() as daemon:
        await deployed(world, daemon, ONE)
        await deployed(world, daemon, TWO)
        world.reader.unread = ["web/web.container"]
        await deployed(world, daemon, TWO)
        with pytest.raises(Stalled, match="of it now cannot be read") as met:
            await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert "podvisor status web" in met.value.hint
        assert unit(world) == "v=2"


@pytest.mark.parametrize("good", [None, "v=0"], ids=["first", "later"])
async def test_a_release_is_not_good_since_the_one_before_was_down_already(world, good):
    """A comment restarts nothing; the unit that it stands in never was well."""
    rollout = RolloutSettings(settle=SETTLE, gate_timeout=1_000, rollback=False)
    world.settings = msgspec.structs.replace(world.settings, rollout=rollout)
    async with world.running() as daemon:
        if good:
            await world.push(daemon, {"web/web.container": good})
            await anyio.sleep(60)
        world.machine.broken.add("web.service")
        await world.push(daemon, {"web/web.container": "v=1"})
        await anyio.sleep(2)
        await world.push(daemon, {"web/web.container": "v=1 #more"})
        await anyio.sleep(100)
        assert len(world.events(EventKind.APPLIED)) == bool(good)
        assert state(daemon) is AppState.FAILING
        world.machine.broken.clear()
        await anyio.sleep(1_000)
        (*_, applied) = world.events(EventKind.APPLIED)
        assert applied.revision == world.ledger.rollouts("web")[-1].revision
        assert state(daemon) is AppState.READY
