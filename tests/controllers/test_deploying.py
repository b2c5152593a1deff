"""Order between apps, reloads and jobs before a deploy, end to end on fakes."""

import anyio
import msgspec
import pytest

from supervisor.model.diff import DiffRequest
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.observed import JobRun
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.words import waiting

pytestmark = pytest.mark.anyio

DB = {"db/db.container": ""}
WEB = {"web/web.container": "after=db"}


async def ignore(_event):
    pass


def state(daemon, app):
    (one,) = [one for one in daemon.service.status().apps if one.name == app]
    return one


def started(world):
    return [unit for verb, unit in world.systemd.jobs if verb in {"start", "restart"}]


async def settle(daemon):
    await anyio.sleep(1)
    await daemon.queue.wait_idle()


# What is not the source's


async def test_a_drop_in_of_the_users_own_reaches_what_it_is_laid_over(world):
    own = "/home/pi/.config/containers/systemd/container.d/10.conf"
    world.reader.put("home", {"web/web.container": "", "net/n.network": ""})
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        reloads = world.machine.reloads
        world.generator.around[own] = "2"
        reply = await daemon.service.sync(SyncRequest(), ignore)
        assert {one.state for one in reply.apps} == {AppState.READY}
        assert world.systemd.jobs == [("restart", "web.service")]
        assert world.machine.reloads == reloads + 1, "else systemd would start the old one again"
        assert world.machine.running["web.service"] == world.machine.loaded["web.service"].digest
        assert world.machine.running["web.service"].endswith("2")
        *_, step = [one for one in world.events(EventKind.STEP) if one.unit == "web.service"]
        assert step.reason == f"its unit changed ({own}, this host's own, changed)"
        await daemon.service.sync(SyncRequest(), ignore)
        assert len(world.systemd.jobs) == 1
        del world.generator.around[own]
        assert len((await daemon.service.plan(())).steps) == 2
        await daemon.service.sync(SyncRequest(), ignore)
        assert len(world.systemd.jobs) == 2


# Order


async def test_of_two_new_apps_the_first_is_ready_before_the_second_starts(world):
    world.reader.put("home", {**WEB, **DB})
    world.systemd.slow["db.service"] = 20
    async with world.running() as daemon:
        assert started(world) == ["db.service", "web.service"]
        assert state(daemon, "web").state is AppState.READY
        (db,) = [one for one in world.events(EventKind.APPLIED) if one.app == "db"]
        (web,) = [one for one in world.events(EventKind.STEP) if one.unit == "web.service"]
        assert db.time <= web.time < db.time + 1, "without waiting for anything else"


async def test_a_change_of_both_comes_in_order_and_sync_waits_for_all_of_it(world):
    world.reader.put("home", {**WEB, **DB})
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        world.systemd.slow["db.service"] = 5
        world.reader.put("home", {"db/db.container": "v=2", "web/web.container": "after=db v=2"})
        reply = await daemon.service.sync(SyncRequest(apps=("web",)), ignore)
        assert world.systemd.jobs == [("restart", "db.service"), ("restart", "web.service")]
        assert [(one.name, one.state) for one in reply.apps] == [("web", AppState.READY)]


@pytest.mark.parametrize(("db", "why"), [("refuse=x", "refused"), ("v=2", "failing")])
async def test_what_does_not_become_ready_holds_what_comes_after_it(world, db, why):
    world.reader.put("home", {**WEB, **DB})
    async with world.running() as daemon:
        world.machine.broken.add("db.service")
        await world.push(daemon, {"db/db.container": db, "web/web.container": "after=db v=2"})
        await settle(daemon)
        web = state(daemon, "web")
        assert waiting(web) == (f"waits for app db, which is {why}",)
        assert web.state is AppState.CHANGING
        assert web.revision != web.wanted_revision
        held = world.machine.running["web.service"]
        world.systemd.dies("web.service")
        await settle(daemon)
        assert world.machine.running["web.service"] == held, "repaired at what it was"
        world.machine.broken.clear()
        await world.push(daemon, {"db/db.container": "v=3", "web/web.container": "after=db v=2"})
        await settle(daemon)
        assert state(daemon, "web").state is AppState.READY
        assert world.machine.running["web.service"] != held


async def test_a_change_waits_only_for_what_it_comes_after(world):
    world.reader.put("home", {**WEB, **DB, "blog/blog.container": ""})
    async with world.running() as daemon:
        world.machine.broken.add("db.service")
        world.systemd.dies("db.service")
        await world.push(daemon, {**DB, **WEB, "blog/blog.container": "v=2"})
        assert state(daemon, "blog").state is AppState.READY
        assert state(daemon, "web").state is AppState.READY, "it has nothing to change"


async def test_an_app_that_nobody_has_and_a_circle_are_refused(world):
    files = {
        **DB,
        "web/web.container": "after=dv",
        "a/a.container": "after=b",
        "b/b.container": "after=c",
        "c/c.container": "after=a",
        "other/other.container": "after=a",
    }
    world.reader.put("home", files)
    async with world.running() as daemon:
        told = {one.name: one for one in daemon.service.status().apps}
        assert {name: one.state for name, one in told.items()} == {
            "a": AppState.REFUSED,
            "b": AppState.REFUSED,
            "c": AppState.REFUSED,
            "db": AppState.READY,
            "other": AppState.CHANGING,
            "web": AppState.REFUSED,
        }
        (finding,) = told["web"].findings
        assert (finding.path, finding.line) == ("web/web.container", 1)
        assert finding.hint == "did you mean app:db?"
        (circle,) = told["b"].findings
        assert circle.message == "a circle: b comes after c, c comes after a, a comes after b"
        assert waiting(told["other"]) == ("waits for app a, which is refused",)


async def test_a_plan_shows_who_waits(world):
    world.reader.put("home", {**WEB, **DB})
    async with world.running() as daemon:
        world.reader.put("home", {"db/db.container": "v=2", "web/web.container": "after=db v=2"})
        plan = await daemon.service.plan([])
        (web,) = [one for one in plan.verdicts if one.app == "web"]
        assert waiting(web) == ("waits for app db",)
        assert {step.app for step in plan.steps if step.app} == {"db"}


async def test_without_a_daemon_what_is_installed_counts_as_ready(world):
    world.reader.put("home", {**WEB, **DB})
    async with world.running():
        pass
    world.reader.put("home", {**DB, "web/web.container": "after=db v=2"})
    async with world.running() as daemon:
        daemon.board.apps.clear()
        plan = await daemon.service.plan([])
        assert {step.app for step in plan.steps if step.app} <= {"web"}
        assert not any(one.waiting for one in plan.verdicts)


# Reloads


CONF = {"web/conf/a": "1", "web/web.container": "reads=conf can=reload onchange=reload"}


async def test_a_changed_file_is_taken_up_by_a_reload(world):
    world.reader.put("home", CONF)
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        await world.push(daemon, {**CONF, "web/conf/a": "2"})
        assert world.systemd.jobs == [("reload", "web.service")]
        await world.push(daemon, {**CONF, "web/conf/a": "2", "web/README": "x"})
        assert world.systemd.jobs == [("reload", "web.service")], "it is taken up for good"
        assert state(daemon, "web").state is AppState.READY


async def test_a_reload_that_fails_is_tried_again_and_said(world):
    world.reader.put("home", CONF)
    async with world.running() as daemon:
        world.machine.broken.add("web.service")
        await world.push(daemon, {**CONF, "web/conf/a": "2"})
        web = state(daemon, "web")
        assert web.state is AppState.FAILING
        assert "cannot reload web.service: failed exit code 1" in str(web.findings)
        assert "web.service" in world.machine.running, "it keeps running with what it has"
        world.machine.broken.clear()
        await anyio.sleep(20)
        assert state(daemon, "web").state is AppState.READY
        assert len([job for job in world.systemd.jobs if job[0] == "reload"]) < 5


async def test_a_change_that_a_unit_is_to_be_left_with(world):
    files = {**CONF, "web/web.container": "reads=conf onchange=none"}
    world.reader.put("home", files)
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        await world.push(daemon, {**files, "web/conf/a": "2"})
        assert world.systemd.jobs == []
        (left,) = [one for one in world.events(EventKind.STEP) if one.step == "leave"]
        assert left.reason == "conf/a changed, and OnChange=none says to leave it"
        assert state(daemon, "web").state is AppState.READY


# Jobs


SHOP = {"shop/shop.container": "v=1", "shop/migrate.container": "job=yes v=1"}
NEXT = {"shop/shop.container": "v=2", "shop/migrate.container": "job=yes v=2"}


async def test_a_job_runs_before_anything_else_changes(world):
    world.reader.put("home", SHOP)
    async with world.running() as daemon:
        assert world.systemd.jobs == [("restart", "migrate.service"), ("start", "shop.service")]
        world.systemd.jobs.clear()
        world.systemd.slow["migrate.service"] = 10
        world.reader.put("home", NEXT)
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        # While it runs, all else is on disk and in systemd as it was.
        before = world.machine.running["shop.service"]
        assert world.machine.loaded["shop.service"].digest == before
        await daemon.queue.wait_idle()
        assert world.systemd.jobs == [("restart", "migrate.service"), ("restart", "shop.service")]
        assert world.machine.running["shop.service"] != before
        assert state(daemon, "shop").state is AppState.READY
        await world.push(daemon, {**NEXT, "blog/blog.container": ""})
        assert ("restart", "migrate.service") not in world.systemd.jobs[2:], "once for a revision"
        await world.push(daemon, SHOP)
        assert len(world.machine.ran) == 3, "each new revision, also one that was here before"


async def test_nothing_was_interrupted_where_a_job_went_first(world):
    world.reader.put("home", {**SHOP, "shop/www/index.html": "1"})
    async with world.running() as daemon:
        await world.push(daemon, {**SHOP, "shop/www/index.html": "2"})
        assert state(daemon, "shop").state is AppState.READY
    reasons = [one.reason for one in world.events(EventKind.STEP) if one.step == "reload"]
    assert reasons[-1] == "shop: its jobs have ended"


async def test_a_job_that_fails_stops_the_deploy_until_somebody_says_so(world):
    world.reader.put("home", SHOP)
    async with world.running() as daemon:
        before = dict(world.machine.running), world.machine.manifests["shop"]
        world.machine.broken.add("migrate.service")
        world.reader.put("home", NEXT)
        reply = await daemon.service.sync(SyncRequest(), ignore)
        (shop,) = reply.apps
        assert shop.state is AppState.REFUSED
        (finding,) = shop.findings
        assert "its job migrate.service failed" in finding.message
        assert "no such table" in finding.message
        assert "podvisor sync shop" in finding.hint
        assert (dict(world.machine.running), world.machine.manifests["shop"]) == before
        runs = len(world.machine.ran)
        world.systemd.dies("shop.service")
        await settle(daemon)
        assert world.machine.running == before[0], "repaired, at what it was"
        await world.push(daemon, {**NEXT, "blog/blog.container": ""})
        assert len(world.machine.ran) == runs, "a commit that does not touch it changes nothing"
        await daemon.service.sync(SyncRequest(), ignore)
        assert len(world.machine.ran) == runs
        world.machine.broken.clear()
        reply = await daemon.service.sync(SyncRequest(apps=("shop",)), ignore)
        assert [one.state for one in reply.apps] == [AppState.READY]
        assert len(world.machine.ran) == runs + 1
    assert [one.ok for one in world.events(EventKind.STEP) if one.step == "run"] == [
        True,
        False,
        True,
    ]


async def test_a_job_whose_revision_is_taken_back_in_the_source_is_failed_no_more(world):
    world.reader.put("home", SHOP)
    async with world.running() as daemon:
        world.machine.broken.add("migrate.service")
        await world.push(daemon, NEXT)
        assert "migrate.service" in world.machine.failed
        await world.push(daemon, SHOP)
        assert state(daemon, "shop").state is AppState.READY
        assert "migrate.service" not in world.machine.failed
        steps = len(world.events(EventKind.STEP))
        await daemon.service.sync(SyncRequest(), ignore)
        assert len(world.events(EventKind.STEP)) == steps


async def test_a_failed_job_is_remembered_by_the_next_daemon(world):
    world.reader.put("home", SHOP)
    async with world.running() as daemon:
        world.machine.broken.add("migrate.service")
        await world.push(daemon, NEXT)
    runs = len(world.machine.ran)
    async with world.running() as daemon:
        await settle(daemon)
        assert len(world.machine.ran) == runs
        assert state(daemon, "shop").state is AppState.REFUSED


async def test_a_job_that_fails_at_the_first_deploy_leaves_nothing_running(world):
    world.reader.put("home", SHOP)
    world.machine.broken.add("migrate.service")
    async with world.running() as daemon:
        assert world.machine.running == {}
        assert state(daemon, "shop").state is AppState.REFUSED
        await world.push(daemon, {})
        world.machine.broken.clear()
        await world.push(daemon, {**NEXT, "blog/blog.container": ""})
        assert state(daemon, "shop").state is AppState.READY


async def test_a_job_that_does_not_end_is_stopped(world):
    world.reader.put("home", SHOP)
    world.systemd.slow["migrate.service"] = 100_000
    async with world.running() as daemon:
        shop = state(daemon, "shop")
        assert "timeout: it had not ended after 30m" in shop.findings[0].message
        assert ("stop", "migrate.service") in world.systemd.jobs


async def test_an_app_that_was_removed_while_its_job_had_failed_is_forgotten(world):
    world.reader.put("home", {**SHOP, "blog/blog.container": ""})
    async with world.running() as daemon:
        world.machine.broken.add("migrate.service")
        await world.push(daemon, {**NEXT, "blog/blog.container": ""})
        await world.push(daemon, {"blog/blog.container": ""})
        assert set(world.machine.manifests) == {"blog"}
        assert world.ledger.get(JobRun, "shop") is None


async def test_a_pass_that_is_cut_short_before_a_job_is_mended(world):
    world.reader.put("home", SHOP)
    async with world.running() as daemon:
        systemd_reload = world.systemd.reload

        async def lost():
            raise Retry("cannot reach systemd")

        world.systemd.reload = lost
        await world.push(daemon, NEXT)
        assert len(world.machine.ran) == 1
        world.systemd.reload = systemd_reload
        await anyio.sleep(20)
        await daemon.queue.wait_idle()
        assert len(world.machine.ran) == 2
        assert state(daemon, "shop").state is AppState.READY


# Apps and units that move


MOVED = {"two/shop.container": "v=1"}
HERE = {"one/shop.container": "v=1", "other/other.container": ""}


@pytest.mark.parametrize("waits", ["job=yes", "image=img:2", "after=db"])
async def test_who_gives_a_unit_away_keeps_it_until_the_other_takes_it(world, waits):
    world.reader.put("home", {**HERE, **DB})
    async with world.running() as daemon:
        digest = world.machine.running["shop.service"]
        world.systemd.slow["side.service"] = 30
        world.machine.broken.add("db.service")
        world.systemd.jobs.clear()
        after = {"other/other.container": "", **MOVED, "two/side.container": waits}
        world.reader.put("home", {**after, "db/db.container": "v=2"})
        daemon.queue.add("source:home")
        await anyio.sleep(10)
        world.machine.reload()  # by somebody else, in the worst moment
        assert world.machine.loaded["shop.service"].digest == digest
        if waits != "job=yes":
            assert waiting(state(daemon, "one")) == (
                "waits for app two, which takes over shop.service",
            )
            world.systemd.dies("shop.service")
            await anyio.sleep(1)
            assert world.machine.running["shop.service"] == digest, "repaired where it is"
        world.machine.broken.clear()
        world.podman.registry.add("img:2")
        await world.push(daemon, {**after, "db/db.container": "v=3"})
        await anyio.sleep(400)
        await daemon.queue.wait_idle()
        assert ("stop", "shop.service") not in world.systemd.jobs
        assert ("restart", "shop.service") not in world.systemd.jobs
        assert world.machine.running["shop.service"] == digest
        assert set(world.machine.manifests) == {"db", "other", "two"}
        assert state(daemon, "two").state is AppState.READY


async def test_a_part_that_comes_after_what_it_was_taken_from_does_not_block_both(world):
    world.reader.put("home", {**HERE, "one/side.container": ""})
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        files = {
            "one/side.container": "",
            "two/shop.container": "v=1",
            "two/x.container": "after=one",
        }
        await world.push(daemon, {**files, "other/other.container": ""})
        await settle(daemon)
        assert state(daemon, "two").state is state(daemon, "one").state is AppState.READY
        assert world.systemd.jobs == [("start", "x.service")]


SPLIT = {"one/shop.container": "v=1", "one/x.container": "v=1", "two/y.container": ""}
MOVES = {"one/x.container": "v=1", "two/shop.container": "v=2", "two/y.container": ""}


def definers(world, unit="shop"):
    """Apps that have a unit's file on disk; of two Podman would take either."""
    return [app for app, files in world.machine.files.items() if f"{unit}.container" in files]


def content(world, unit="shop"):
    return world.reader.blobs[world.machine.running[f"{unit}.service"]].decode()


async def test_what_moves_runs_as_it_is_where_it_went_although_that_had_to_wait(world):
    async with world.running() as daemon:
        await world.push(daemon, SPLIT)
        await world.push(daemon, {**MOVES, "two/side.container": "image=img:2"})
        assert definers(world) == ["one"]
        world.podman.registry.add("img:2")
        await anyio.sleep(1000)
        assert definers(world) == ["two"]
        assert content(world) == "v=2"
        assert state(daemon, "two").state is state(daemon, "one").state is AppState.READY


@pytest.mark.parametrize("own", ["image=img:3", "after=gone"])
async def test_who_takes_a_unit_waits_for_whoever_cannot_give_it_away_yet(world, own):
    async with world.running() as daemon:
        await world.push(daemon, SPLIT | {"gone/gone.container": ""})
        world.machine.broken.add("gone.service")
        gone = {"gone/gone.container": "v=2"}
        await world.push(daemon, MOVES | gone | {"one/x.container": own})
        assert definers(world) == ["one"]
        assert content(world) == "v=1"
        assert waiting(state(daemon, "two")) == ("waits for app one, which still has shop.service",)
        world.machine.broken.clear()
        world.podman.registry.add("img:3")
        gone = {"gone/gone.container": "v=3"}
        await world.push(daemon, MOVES | gone | {"one/x.container": own})
        await anyio.sleep(1000)
        assert definers(world) == ["two"]
        assert content(world) == "v=2"
        assert state(daemon, "two").state is state(daemon, "one").state is AppState.READY


async def test_who_takes_a_unit_waits_for_whoever_is_suspended_with_it(world):
    async with world.running() as daemon:
        await world.push(daemon, SPLIT)
        await daemon.service.suspend(OrderRequest(apps=("one",)))
        await world.push(daemon, MOVES)
        assert definers(world) == ["one"]
        assert "one, which is suspended and has shop" in waiting(state(daemon, "two"))[0]
        await daemon.service.resume(OrderRequest(apps=("one",)), ignore)
        await settle(daemon)
        assert definers(world) == ["two"]
        assert content(world) == "v=2"


@pytest.mark.parametrize("both", [False, True])
async def test_who_is_taken_back_leaves_what_it_gave_away_where_it_is(world, both):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        await world.push(daemon, SPLIT)
        await anyio.sleep(15)
        await world.push(daemon, MOVES | {"one/x.container": "v=2", "two/y.container": "v=2"})
        assert definers(world) == ["two"]
        world.systemd.mends = {"x.service": "v=1", "y.service": ""}
        for unit in ("y", "x") if both else ("x",):
            world.machine.broken.add(f"{unit}.service")
            world.systemd.dies(f"{unit}.service")
        await anyio.sleep(120)
        assert state(daemon, "one").state is AppState.REVERTED
        assert definers(world) == ["one" if both else "two"]
        assert content(world) == ("v=1" if both else "v=2")
        assert content(world, "x") == "v=1"


async def test_an_app_that_is_renamed_and_broken_at_once_is_kept_until_it_is_mended(world):
    world.reader.put("home", HERE)
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        broken = {"two/shop.container": "refuse=x", "other/other.container": ""}
        await world.push(daemon, broken)
        one, two = state(daemon, "one"), state(daemon, "two")
        assert (one.state, two.state) == (AppState.KEPT, AppState.REFUSED)
        assert "its shop.container is in app two now, which is refused" in one.findings[0].message
        await world.push(daemon, {**MOVED, "other/other.container": ""})
        assert world.systemd.jobs == []
        assert set(world.machine.manifests) == {"other", "two"}
        await world.push(daemon, {"three/shop.container": "refuse=x", "other/other.container": ""})
        await daemon.service.sync(SyncRequest(prune_all=True), ignore)
        assert "shop.service" not in world.machine.running, "if somebody says so"


async def test_an_app_that_is_renamed_is_not_kept_under_its_old_name(world):
    world.reader.put("home", {"one/shop.container": "v=1"})
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        await world.push(daemon, {"two/shop.container": "v=1"})
        assert set(world.machine.manifests) == {"two"}
        assert world.systemd.jobs == []
        await world.push(daemon, {"three/else.container": ""})
        assert state(daemon, "two").state is AppState.KEPT, "an app that is not there by any name"


# What would change


async def test_a_diff_shows_what_is_installed_beside_what_is_wanted(world):
    world.reader.put("home", {"web/web.container": "v=1", "web/old": "x", "db/db.container": ""})
    async with world.running() as daemon:
        other = msgspec.structs.replace(world.machine.files["web"]["old"], path="db.container")
        world.machine.files["db"]["db.container"] = other
        world.reader.put(
            "home", {"web/web.container": "v=2", "web/new": "y", "db/db.container": ""}
        )
        diff = await daemon.service.diff(DiffRequest(units=True))
        db, web = diff.apps
        assert [(one.path, one.old, one.new) for one in web.files] == [
            ("new", None, "y"),
            ("old", "x", None),
            ("web.container", "v=1", "v=2"),
        ]
        (unit,) = web.units
        assert (unit.path, unit.old) == ("web.service", "[Service]\nExecStart=v=1\n")
        assert unit.new == "[Service]\nExecStart=v=2\n"
        (edited,) = db.files
        assert (edited.old, edited.new) == ("x", ""), "whoever wrote it"
        assert not db.units
        (only,) = (await daemon.service.diff(DiffRequest(apps=("db",)))).apps
        assert only.app == "db"
        with pytest.raises(Stalled, match="no app named “blog”"):
            await daemon.service.diff(DiffRequest(apps=("blog",)))
        assert "v=1" in str(world.machine.blobs), "nothing was done"
        assert world.machine.files["web"].keys() == {"web.container", "old"}


async def test_a_diff_of_what_leaves_and_of_what_is_refused(world):
    world.reader.put("home", {"web/web.container": "", "db/db.container": ""})
    async with world.running() as daemon:
        world.reader.put("home", {"db/db.container": "refuse=x"})
        db, web = (await daemon.service.diff(DiffRequest())).apps
        assert [(one.path, one.old, one.new) for one in web.files] == [("web.container", "", None)]
        assert not db.files
        assert db.findings[0].message == "x"


@pytest.mark.parametrize("meanwhile", ["running", "stopped"])
async def test_an_owned_folder_that_is_removed_whole_is_made_again(world, meanwhile):
    """As `podman quadlet rm` of Podman 6 does, to which all of it is one application."""
    world.reader.put("home", {"web/web.container": "v=1", "db/db.container": "v=1"})
    async with world.running() as daemon:
        if meanwhile == "running":
            world.machine.loses_folder()
            world.machine.reload()
            for unit in ("web.service", "db.service"):
                world.systemd.dies(unit)
            for app in ("web", "db"):
                world.folder.touched.queue.put_nowait(app)
            await daemon.queue.wait_idle()
            await anyio.sleep(60)
            assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
    if meanwhile == "stopped":
        world.machine.loses_folder()
        world.machine.reload()
        world.machine.running.clear()
    async with world.running() as daemon:
        await anyio.sleep(60)
        assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
    assert world.machine.running.keys() == {"web.service", "db.service"}
    assert world.machine.manifests.keys() == {"web", "db"} == world.ledger.applied().keys()
    assert [e.step for e in world.events(EventKind.STEP) if e.step.startswith("remove")] == []


# What goes with its app


async def test_an_app_is_known_until_its_volumes_are_gone(world):
    both = {"web/web.container": "needs=data.volume prune", "web/data.volume": "", **DB}
    world.reader.put("home", both)
    async with world.running() as daemon:
        assert state(daemon, "web").state is AppState.READY
        assert world.machine.volumes == {"systemd-data"}
        world.podman.in_use = {"systemd-data"}
        world.reader.put("home", DB)
        daemon.queue.add("source:home")
        await anyio.sleep(20)
        web = state(daemon, "web")
        assert web.state is AppState.FAILING
        assert "cannot remove volume systemd-data" in web.findings[0].message
        assert not world.machine.files.get("web")
        assert "web.service" not in world.machine.running
        tries = [one for one in world.events(EventKind.STEP) if one.step == "remove-volume"]
        assert 2 < len(tries) < 8, "with backoff"
        assert world.machine.reloads == 2, "what is done is not done again"
    world.reader.failures["home"] = Retry("not to be reached")
    async with world.running() as daemon:
        await settle(daemon)
        assert state(daemon, "web").state is not AppState.READY
        assert not world.machine.files.get("web"), "it does not come back"
        del world.reader.failures["home"]
        world.podman.in_use.clear()
        await daemon.service.sync(SyncRequest(), ignore)
        assert [one.name for one in daemon.service.status().apps] == ["db"]
        assert not world.machine.volumes
        assert "web" not in world.machine.manifests
        assert "web" not in world.ledger.applied()


async def test_an_app_that_comes_back_keeps_the_volume_that_could_not_go(world):
    both = {"web/web.container": "needs=data.volume prune", "web/data.volume": "", **DB}
    world.reader.put("home", both)
    async with world.running() as daemon:
        world.podman.in_use = {"systemd-data"}
        world.reader.put("home", DB)
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        await world.push(daemon, both)
        assert state(daemon, "web").state is AppState.READY
        assert world.machine.volumes == {"systemd-data"}
        assert world.machine.manifests["web"].objects


async def test_a_volume_goes_only_when_the_revision_without_it_has_passed(world):
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    world.reader.put("home", {"web/web.container": "needs=data.volume", "web/data.volume": ""})
    async with world.running() as daemon:
        await anyio.sleep(30)
        await world.push(daemon, {"web/web.container": "v=2 prune dies"})
        await anyio.sleep(60)
        assert state(daemon, "web").state is AppState.REVERTED
        assert world.machine.volumes == {"systemd-data"}
        daemon.queue.add("source:home")
        await world.push(daemon, {"web/web.container": "v=3 prune"})
        assert world.machine.volumes == {"systemd-data"}, "there is a way back"
        await anyio.sleep(60)
        assert not world.machine.volumes
        assert not world.machine.manifests["web"].objects, "one of that name is not podvisor's now"


async def test_what_a_socket_starts_before_its_new_form_is_loaded_is_started_again(world):
    """It runs as what it was, though nothing was to be done for it when it was looked at."""
    world.settings = msgspec.structs.replace(world.settings, rollout=RolloutSettings(settle=10))
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=1 install="})
        await anyio.sleep(20)
        reload = world.systemd.reload

        async def late():
            await world.systemd.start("web.service", timeout_seconds=1)
            world.systemd.jobs.clear()
            await reload()
            old = world.machine.state("web.service")
            world.systemd.states["web.service"] = msgspec.structs.replace(old, before_load=True)

        world.systemd.reload = late
        await world.push(daemon, {"web/web.container": "v=2 install="})
        world.systemd.reload = reload
        world.systemd.changes.queue.put_nowait("web.service")
        await anyio.sleep(5)
        world.systemd.states.clear()
        await anyio.sleep(60)
        assert world.systemd.jobs == [("restart", "web.service")]
