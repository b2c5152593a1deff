"""Sources that are laid out anew, and what of a layout cannot be read."""

import anyio
import msgspec
import pytest

from supervisor.controllers.desired.checker import check
from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Globs
from supervisor.model.settings import SourceSettings
from supervisor.model.status import AppState

pytestmark = pytest.mark.anyio

FLAT = {
    "quadlets/web.container": "needs=front.network x=Network=front.network",
    "quadlets/db.container": "needs=front.network x=Network=front.network",
    "quadlets/front.network": "",
}


def source(*apps, **more):
    return SourceSettings(git=GitUrl("https://git.example/home"), apps=Globs(apps), **more)


async def take(world, daemon, **sources):
    await daemon.settings.take(msgspec.structs.replace(world.settings, sources=sources))
    await daemon.queue.wait_idle()


def states(daemon):
    return {one.name: one.state for one in daemon.service.status().apps}


async def test_a_flat_folder_becomes_an_app_for_each_unit_and_nothing_restarts(world):
    world.reader.put("home", FLAT)
    async with world.running() as daemon:
        assert states(daemon) == {"quadlets": AppState.READY}
        before = dict(world.machine.running)
        await take(world, daemon, home=source("units"))
        assert set(states(daemon)) == {"web", "db", "front"}
        assert set(states(daemon).values()) == {AppState.READY}
        assert world.machine.running == before
        assert not [one for one in world.events(EventKind.STOPPED) if one.unit in before]


@pytest.mark.parametrize("edited", ["web.container", "db.container", "front.network"])
async def test_the_first_comment_after_a_move_to_another_app_is_no_reason_to_restart(world, edited):
    world.reader.put("home", FLAT)
    async with world.running() as daemon:
        for layout in ("units", "quadlets"):
            await take(world, daemon, home=source(layout))
            before = (dict(world.machine.since), len(world.systemd.jobs))
            file = f"quadlets/{edited}"
            await world.push(daemon, FLAT | {file: f"{FLAT[file]} # as {layout}"})
            (app,) = {edited.partition(".")[0], "quadlets"} & states(daemon).keys()
            assert daemon.service.status(app).apps[0].findings == ()
            assert (world.machine.since, len(world.systemd.jobs)) == before


async def test_files_of_a_refused_app_are_no_files_of_no_app(world):
    world.reader.put(
        "home",
        {"web/a/x.container": "", "web/b/x.container": "", "db/db.container": "", "a.md": ""},
    )
    async with world.running() as daemon:
        found = await check(reader=world.reader, desired_state=daemon.desired_state)
        (refused,) = (one for one in found.apps if one.refused)
        assert refused.root == "web"
        assert refused.files == ("web/a/x.container", "web/b/x.container")
        assert found.others == 1


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a")])
async def test_a_unit_that_goes_to_and_fro_is_restarted_for_its_changes_only(world, one, other):
    rest = {"a/rest.container": "", "b/more.container": ""}
    runs = ""
    async with world.running() as daemon:
        for where, text in (
            (one, "v=1"),
            (other, "v=2"),
            (one, "v=1"),
            (other, "v=1"),
            (one, "v=1"),
            (one, "v=2"),
            (other, "v=2"),
        ):
            before = len(world.systemd.jobs)
            await world.push(daemon, rest | {f"{where}/web.container": text})
            assert world.reader.blobs[world.machine.running["web.service"]].decode() == text
            assert len(world.systemd.jobs) - before == (3 if not runs else text != runs)
            runs = text


async def test_what_is_in_no_app_is_shown_with_the_source(world):
    world.reader.put("home", {"apps/web/web.container": "", "proxy/p.container": ""})
    async with world.running() as daemon:
        (finding,) = daemon.service.status().sources[0].findings
        assert 'apps = ["apps/*", "proxy"]' in finding.hint
        await take(world, daemon, home=source("apps/*", "proxy"))
        assert daemon.service.status().sources[0].findings == ()
        assert set(states(daemon)) == {"web", "proxy"}


async def test_what_is_missing_is_said_until_a_person_put_it_there(world):
    world.reader.put("home", {"web/web.container": "lacks=.env"})
    async with world.running() as daemon:
        assert daemon.service.status("web").apps[0].findings[0].absent == ".env"
        world.folder.by_hand["web"] = {".env"}
        world.folder.touched.queue.put_nowait("web")
        await anyio.sleep(1)
        await daemon.queue.wait_idle()
        assert daemon.service.status("web").apps[0].findings == ()
        world.folder.by_hand.clear()
        world.folder.touched.queue.put_nowait("web")
        await anyio.sleep(1)
        await daemon.queue.wait_idle()
        assert daemon.service.status("web").apps[0].findings


async def test_a_folder_that_can_name_no_app_holds_up_nobody(world):
    world.reader.put("home", {"-x/a.container": "", "web/web.container": ""})
    async with world.running() as daemon:
        assert states(daemon) == {"web": AppState.READY}
        (finding,) = daemon.service.status().sources[0].findings
        assert "'-x' cannot name an app" in finding.message


async def test_a_source_that_cannot_be_divided_keeps_its_apps_and_others_go_on(world):
    """What units refer to has to be read to know which of them are one app."""
    world.settings = msgspec.structs.replace(
        world.settings,
        sources={
            "home": source("units"),
            "other": SourceSettings(git=GitUrl("https://git.example/other")),
        },
    )
    world.reader.put("home", {"web.container": ""})
    world.reader.put("other", {"db/db.container": ""})
    async with world.running() as daemon:
        assert states(daemon) == {"web": AppState.READY, "db": AppState.READY}
        read = world.reader.read

        async def fails(name, oids):
            if name == "home":
                raise Retry("cannot read what is stored of source home")
            return await read(name, oids)

        world.reader.read = fails
        world.reader.put("other", {"db/db.container": "v=2"})
        await world.push(daemon, {"web.container": "v=2"})
        daemon.queue.add("source:other")
        await daemon.queue.wait_idle()
        assert "web.service" in world.machine.running
        assert states(daemon)["db"] is AppState.READY
        (finding,) = daemon.service.status().sources[0].findings
        assert "cannot read what is stored" in finding.message
        world.reader.read = read
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        assert states(daemon) == {"web": AppState.READY, "db": AppState.READY}
        assert daemon.service.status().sources[0].findings == ()
