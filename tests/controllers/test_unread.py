"""What cannot be read of a source, or was emptied, is not gone: its apps stay as they are."""

import anyio
import pytest

from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.plan import RemoveFile, StopUnit
from supervisor.model.setting_types import Globs
from supervisor.model.settings import RolloutSettings, Settings, SourceSettings
from supervisor.model.status import SyncRequest
from supervisor.wiring.environment import load_settings

pytestmark = pytest.mark.anyio

TREE = {
    "apps/db/db.container": "v=1",
    "apps/db/db.conf": "v=1",
    "apps/web/web.container": "v=1",
    "apps/web/more.container": "v=1",
    "home/loose.container": "v=1",
}
RUNNING = {"db.service", "web.service", "more.service"}


async def ignore(_):
    pass


def with_source(world, **source):
    world.settings = Settings(
        sources={"home": SourceSettings(**source)}, rollout=RolloutSettings(settle=0)
    )


def states(daemon):
    return {one.name: str(one.state) for one in daemon.service.status().apps}


async def look_again(world, daemon, *, unread=(), files=None, empty=()):
    world.reader.unread, world.reader.empty = unread, empty
    await world.push(daemon, TREE if files is None else files)


@pytest.fixture(params=("git", "folder"))
def kind(request, world):
    with_source(
        world, **{request.param: {"git": GitUrl("https://x.example/r")}.get(request.param, "/a")}
    )
    world.reader.put("home", TREE)
    return request.param


@pytest.mark.parametrize(
    ("unread", "refused"),
    [
        ("apps/db", {"db"}),
        ("apps/db/db.container", {"db"}),
        ("apps/db/db.conf", {"db"}),
        ("apps/web/web.container", {"web"}),
        ("apps", {"db", "web"}),
    ],
)
async def test_an_app_that_cannot_be_read_is_refused_and_runs_on(world, kind, unread, refused):
    async with world.running() as daemon:
        assert set(world.machine.running) == RUNNING
        before = dict(world.machine.running)
        await look_again(world, daemon, unread=(unread,))
        assert world.machine.running == before
        found = {name for name, state in states(daemon).items() if state == "refused"}
        assert found == refused, "and no app comes: home/ was none before"
        assert not world.events(EventKind.REMOVED)
        for app in daemon.service.status().apps:
            if app.name in refused:
                assert any(one.path == unread and one.fatal for one in app.findings)
        plan = await daemon.service.plan([])
        assert not [step for step in plan.steps if isinstance(step, StopUnit | RemoveFile)]
        world.systemd.crashes("db.service")
        await anyio.sleep(600)
        assert "db.service" in world.machine.running, "its last good state is repaired"
        changed = {**TREE, "home/x": "", "apps/web/more.container": "v=2"}
        await look_again(world, daemon, unread=(unread,), files=changed)
        anew = world.machine.running["more.service"] != before["more.service"]
        assert anew == ("web" not in refused), "others are deployed"
        await look_again(world, daemon)
        assert set(states(daemon).values()) == {"ready"}
        assert set(world.machine.running) == RUNNING


async def test_it_goes_when_it_can_be_read_and_is_gone(world, kind):
    async with world.running() as daemon:
        await look_again(world, daemon, unread=("apps/db",))
        left = {path: text for path, text in TREE.items() if "/db/" not in path}
        await look_again(world, daemon, files=left)
        assert states(daemon) == {"web": "ready"}


@pytest.mark.parametrize(
    ("gone", "empty", "where"),
    [
        (("apps/db/db.container",), (), "apps/db holds no unit any more"),
        (("apps/db/db.container", "apps/db/db.conf"), ("apps/db",), "apps/db is empty"),
    ],
)
async def test_an_app_of_which_the_folder_was_emptied_is_kept(world, kind, gone, empty, where):
    left = {path: text for path, text in TREE.items() if path not in gone}
    async with world.running() as daemon:
        before = dict(world.machine.running)
        await look_again(world, daemon, files=left, empty=empty)
        if kind == "git":
            assert states(daemon) == {"web": "ready"}
            return
        assert world.machine.running == before
        assert states(daemon) == {"db": "kept", "web": "ready"}
        app = next(one for one in daemon.service.status().apps if one.name == "db")
        assert where in app.findings[0].message
        await daemon.service.sync(SyncRequest(prune_all=True), ignore)
        assert states(daemon) == {"web": "ready"}


async def test_an_app_of_which_the_folder_was_removed_goes(world):
    with_source(world, folder="/a")
    world.reader.put("home", TREE)
    left = {path: text for path, text in TREE.items() if "/db/" not in path}
    async with world.running() as daemon:
        await look_again(world, daemon, files=left)
        assert states(daemon) == {"web": "ready"}


async def test_apps_below_a_folder_that_was_emptied_are_kept(world):
    with_source(world, folder="/a", apps=Globs(["*/*"]))
    world.reader.put("home", {"disk/a/a.container": "", "here/b/b.container": ""})
    async with world.running() as daemon:
        await look_again(world, daemon, files={"here/b/b.container": ""}, empty=("disk",))
        assert states(daemon) == {"disk-a": "kept", "here-b": "ready"}


async def test_a_folder_whose_units_moved_to_another_is_no_emptied_one(world):
    with_source(world, folder="/a")
    world.reader.put("home", TREE)
    moved = {path.replace("/db/", "/database/"): text for path, text in TREE.items()}
    async with world.running() as daemon:
        await look_again(world, daemon, files=moved, empty=("apps/db",))
        assert states(daemon) == {"database": "ready", "web": "ready"}
        assert "db.service" in world.machine.running


@pytest.mark.parametrize(
    ("line", "gone", "why"),
    [
        ('apps = "apps/w*"', {"db"}, "in no app"),
        ('exclude = ["db"]', {"db"}, "`select` or `exclude` leaves out app db"),
        ('ignore = ["apps/db"]', {"db"}, "ignored (apps/db)"),
        ('ignore = ["more.container"]', set(), ""),
        ('select = ["none"]', set(), ""),
    ],
)
async def test_a_reload_names_the_apps_that_the_settings_leave_out(
    world, tmp_path, *, line, gone, why
):
    config = tmp_path / "config.toml"
    text = '[rollout]\nsettle = "0"\n[sources.home]\nfolder = "/a"\n'
    config.write_text(text)
    world.settings = load_settings(config).settings
    world.reader.put("home", TREE)
    async with world.running(config=config) as daemon:
        config.write_text(text + line)
        told = (await daemon.service.reload()).findings
        assert {one.app for one in told} == gone
        assert all(why in one.message and not one.fatal for one in told)
        assert all(one.app in world.events(EventKind.SETTINGS)[-1].detail for one in told)
        await daemon.queue.wait_idle()
        assert {"db", "web"} - set(states(daemon)) == gone
        for app in gone:
            removed = [one for one in world.events(EventKind.STEP) if one.app == app]
            assert f"left out ({why}); its volumes stay" in removed[-1].reason
