"""One bad app, source or blob harms no other."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import SourceSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.fakes.ports import oid

pytestmark = pytest.mark.anyio

HOUR = 3600.0


async def ignore(_):
    """For what nobody listens to."""


def states(daemon):
    return {one.name: one.state for one in daemon.service.status().apps}


def with_sources(world, *names):
    git = {name: SourceSettings(git=GitUrl(f"https://git.example/{name}")) for name in names}
    return msgspec.structs.replace(world.settings, sources=git)


async def test_an_app_that_cannot_be_observed_keeps_no_other(world):
    observe = world.folder.observe

    async def unreadable(app, **more):
        if app == "db":
            raise Stalled("cannot read podvisor/db: Permission denied", hint="check permissions")
        return await observe(app, **more)

    world.reader.put("home", {"web/web.container": "v=1", "db/db.container": "v=1"})
    async with world.running() as daemon:
        world.folder.observe = unreadable
        await world.push(daemon, {"web/web.container": "v=2", "db/db.container": "v=2"})
        assert world.machine.running["web.service"] == oid("v=2")
        assert states(daemon) == {"db": AppState.REFUSED, "web": AppState.READY}
        assert "Permission denied" in str(daemon.service.status("db").apps[0].findings)
        planned = await daemon.service.plan(())
        assert "Permission denied" in str(planned.problems)
    async with world.running() as daemon:  # nothing is known from before
        assert states(daemon) == {"db": AppState.REFUSED, "web": AppState.READY}
        world.systemd.dies("web.service")
        await anyio.sleep(60)
        assert "web.service" in world.machine.running
        world.folder.observe = observe
        await daemon.service.sync(SyncRequest(), ignore)
        assert states(daemon) == {"db": AppState.READY, "web": AppState.READY}
        assert world.machine.running["db.service"] == oid("v=2")


async def test_a_blob_that_is_gone_keeps_no_other_app(world):
    world.reader.put("home", {"web/web.container": "v=1", "db/db.container": "v=1 x=y"})
    async with world.running():
        pass
    world.reader.blobs.pop(oid("v=1"))
    world.reader.failures["home"] = Retry("cannot fetch: no route to host")
    async with world.running() as daemon:
        assert states(daemon) == {"db": AppState.READY, "web": AppState.REFUSED}
        world.systemd.dies("db.service")
        await anyio.sleep(60)
        assert "db.service" in world.machine.running
        assert "web.service" in world.machine.running, "what runs is left alone"
        del world.reader.failures["home"]
        daemon.queue.add("source:home")
        await anyio.sleep(60)
        assert states(daemon) == {"db": AppState.READY, "web": AppState.READY}


async def test_a_damaged_store_keeps_no_other_source(world):
    world.settings = with_sources(world, "home", "other")
    world.reader.put("home", {"web/web.container": "v=1"})
    world.reader.put("other", {"db/db.container": "v=2"})
    async with world.running():
        pass
    world.reader.blobs.pop(oid("v=1"))
    world.reader.failures["home"] = Retry("cannot fetch: no route to host")
    world.reader.put("other", {"db/db.container": "v=3"})
    async with world.running() as daemon:
        assert world.machine.running["db.service"] == oid("v=3")
        world.systemd.dies("db.service")
        await anyio.sleep(60)
        assert states(daemon) == {"db": AppState.READY, "web": AppState.REFUSED}


async def test_there_is_no_way_back_to_what_is_not_stored(world):
    world.reader.put("home", {"web/web.container": "v=1", "db/db.container": ""})
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=2", "db/db.container": ""})
        world.reader.blobs.pop(oid("v=1"))
        with pytest.raises(Stalled, match="its files are not stored any more"):
            await daemon.service.rollback(OrderRequest(apps=("web",)), ignore)
        assert world.machine.running["web.service"] == oid("v=2")


async def test_a_hold_that_cannot_be_had_is_a_finding_of_its_app(world):
    world.reader.put("home", {"web/web.container": "v=1", "db/db.container": ""})
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=2", "db/db.container": ""})
        await daemon.service.rollback(OrderRequest(apps=("web",)), ignore)
    world.reader.blobs.pop(oid("v=1"))
    async with world.running() as daemon:
        assert states(daemon) == {"db": AppState.READY, "web": AppState.REFUSED}
        (web,) = daemon.service.status("web").apps
        assert "where it is held: its files are not stored any more" in str(web.findings)
        assert "podvisor resume web" in str(web.findings)
        assert world.machine.running["web.service"] == oid("v=1"), "it is left as it is"
        await daemon.service.resume(OrderRequest(apps=("web",)), ignore)
        assert world.machine.running["web.service"] == oid("v=2")


def mentions(value, app):
    """Whether a call's argument is about this app."""
    if isinstance(value, str):
        return value in {app, f"{app}.service"}
    if isinstance(value, list | tuple):
        return any(mentions(one, app) for one in value)
    return app in {getattr(value, "name", ""), getattr(value, "app", "")}


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("generator", "generate"),
        ("folder", "observe"),
        ("folder", "write_manifest"),
        ("folder", "write_files"),
        ("systemd", "restart"),
        ("ledger", "rollouts"),
        ("ledger", "get"),
        ("ledger", "put"),
        ("ledger", "put_rollout"),
    ],
)
async def test_a_defect_met_with_one_app_keeps_no_other(world, port, method):
    """Whatever it is that should never have been raised."""
    world.reader.put("home", {"web/web.container": "v=1", "bad/bad.container": "v=1"})
    async with world.running() as daemon:
        defective = getattr(world, port)
        real = getattr(defective, method)

        def fail(*args, **more):
            if any(mentions(one, "bad") for one in args):
                raise KeyError("of a test")
            return real(*args, **more)

        setattr(defective, method, fail)
        await world.push(daemon, {"web/web.container": "v=2", "bad/bad.container": "v=2"})
        await anyio.sleep(1)
        assert world.machine.running["web.service"] == oid("v=2")
        world.systemd.dies("web.service")
        await anyio.sleep(60)
        assert "web.service" in world.machine.running
        assert states(daemon) == {"bad": AppState.FAILING, "web": AppState.READY}
        assert "internal error: KeyError('of a test')" in str(daemon.service.status("bad").apps)
        assert world.defects.met, "it is told with all that is known of it"
        world.defects.met.clear()
        setattr(defective, method, real)
        await daemon.service.sync(SyncRequest(), ignore)
        assert states(daemon) == {"bad": AppState.READY, "web": AppState.READY}
        assert world.machine.running["bad.service"] == oid("v=2")


async def test_a_source_that_leaves_the_settings_while_it_is_read_is_gone(world):
    world.settings = with_sources(world, "home", "old")
    world.reader.put("home", {"web/web.container": ""})
    world.reader.put("old", {"old/old.container": ""})
    fetch = world.reader.fetch

    async def slow(name, settings):
        if name == "old":
            await anyio.sleep(30)
        return await fetch(name, settings)

    async with world.running() as daemon:
        world.reader.fetch = slow
        world.reader.put("old", {"old/old.container": "v=2"})
        daemon.queue.add("source:old")
        await anyio.sleep(5)
        await daemon.settings.take(with_sources(world, "home"))
        await anyio.sleep(60)
        assert list(daemon.board.sources) == ["home"]
        world.systemd.dies("web.service")
        await anyio.sleep(60)
        assert "web.service" in world.machine.running
        assert not daemon.board.problems


async def test_what_was_read_of_a_source_by_older_settings_does_not_count(world):
    world.reader.put("home", {"web/web.container": "v=1"})
    fetch = world.reader.fetch
    moved = msgspec.structs.replace(
        world.settings, sources={"home": SourceSettings(git=GitUrl("https://git.example/moved"))}
    )

    async def by_address(name, settings):
        if settings.git == "https://git.example/home":
            world.reader.put("home", {"web/web.container": "v=wrong"})
            await anyio.sleep(30)
            return await fetch(name, settings)
        raise Retry("cannot fetch: no route to host")

    async with world.running() as daemon:
        world.reader.fetch = by_address
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        await daemon.settings.take(moved)
        await anyio.sleep(60)
        assert world.machine.running["web.service"] == oid("v=1")
        assert "no route to host" in daemon.board.sources["home"].error


async def test_a_job_is_waited_for_although_the_end_of_another_app_fails(world):
    world.reader.put("home", {"web/web.container": "", "db/db.container": "", "x/x.container": ""})
    async with world.running() as daemon:
        watch_units, calls = world.systemd.watch_units, []

        async def lost(names):
            calls.append(names)
            if len(calls) == 2:
                raise Stalled("cannot reach the user bus", hint="log in anew")
            await watch_units(names)

        world.systemd.watch_units = lost
        world.systemd.slow["db.service"] = 20
        world.reader.put("home", {"web/web.container": "", "db/db.container": "v=2"})
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        assert daemon.board.problems["app:x"].hint == "log in anew", "it is Stalled still"
        await anyio.sleep(30)
        assert world.machine.running["db.service"] == oid("v=2")
        assert world.systemd.jobs.count(("restart", "db.service")) == 1


async def test_an_image_is_had_by_who_wants_it_again_while_it_is_pulled_for_nobody(world):
    world.podman.registry.update({"img:1", "img:2"})
    world.reader.put("home", {"web/web.container": "image=img:1"})
    async with world.running() as daemon:
        await anyio.sleep(200)
        for content in ("image=img:2", "image=img:1", "image=img:2 v=3"):
            world.reader.put("home", {"web/web.container": content})
            daemon.queue.add("source:home")
            await anyio.sleep(5)
        await anyio.sleep(60)
        assert world.machine.running["web.service"] == oid("image=img:2 v=3")
        assert world.podman.pulls.count("img:2") == 1


async def test_what_may_go_is_what_a_person_saw(world):
    world.settings = with_sources(world, "home", "other")
    world.reader.put("home", {"web/web.container": ""})
    world.reader.put("other", {"db/db.container": "", "slow/slow.container": ""})
    async with world.running() as daemon:
        world.systemd.slow["slow.service"] = 100
        world.reader.put("home", {})
        world.reader.put("other", {"db/db.container": "", "slow/slow.container": "v=2"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.service.sync, SyncRequest(prune_all=True), ignore)
            await anyio.sleep(10)
            assert "web.service" not in world.machine.running
            await daemon.service.sync(SyncRequest(apps=("db",)), ignore)  # takes nothing from it
            world.reader.put("other", {})  # by accident, while that sync waits
            daemon.queue.add("source:other")
            await anyio.sleep(10)
            assert "db.service" in world.machine.running
        await anyio.sleep(HOUR)
        assert "db.service" in world.machine.running
        await daemon.service.sync(SyncRequest(apps=("db",), prune_all=True), ignore)
        assert set(world.machine.running) == {"slow.service"}, "what is named goes, and no more"
