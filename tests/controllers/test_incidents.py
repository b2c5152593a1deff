"""What is wrong is opened once, remembered through restarts, and over when it is."""

from contextlib import nullcontext
from types import SimpleNamespace

import anyio
import pytest
from msgspec.structs import replace

from supervisor.controllers.operator.incidents import IncidentLog
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import RepairSettings
from supervisor.model.status import AppState, AppStatus, OrderRequest, Status, SyncRequest

pytestmark = pytest.mark.anyio

PHOTOS = {"photos/gallery.container": ""}


def kept(world):
    return world.ledger.all(Incident)


async def nothing(_):
    """For what is told of an order."""


def told(daemon):
    return {one.key: one for one in daemon.service.status().incidents}


async def test_a_crash_loop_is_one_incident_until_it_is_over(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        assert not kept(world)
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(100)
        (one,) = kept(world).values()
        assert (one.code, one.app) == (IncidentCode.UNIT_DOWN, "photos")
        assert one.subject == "gallery.service"
        assert told(daemon).keys() == kept(world).keys()
        await anyio.sleep(100)
        (later,) = kept(world).values()
        assert later.opened_at == one.opened_at < world.clock.now() - 100
        world.machine.broken.clear()
        await anyio.sleep(4_000)
        assert not kept(world)
        assert not told(daemon)


async def test_a_restart_of_the_daemon_neither_ends_nor_renews_what_goes_on(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        await world.push(daemon, {"photos/gallery.container": "refuse=unsupported-key"})
        (before,) = kept(world).values()
        assert before.code is IncidentCode.APP_REFUSED
    await anyio.sleep(60)
    async with world.running(first_pass=False) as daemon:
        assert kept(world), "nothing is known yet, and nothing over"
        await daemon.queue.wait_idle()
        daemon.first_pass_is_over()
        (after,) = kept(world).values()
        assert (after.key, after.opened_at) == (before.key, before.opened_at)
    world.reader.put("home", PHOTOS)
    async with world.running():
        assert not kept(world), "it was over before the daemon came back"


async def test_what_crashes_each_time_it_has_run_for_a_while_is_one_until_it_is_calm(world):
    """Between two crashes, it looks well."""
    world.settings = replace(world.settings, repair=RepairSettings(resync=0))
    heard = []
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        daemon.incidents.subscribe(lambda opened, over: heard.append((len(opened), len(over))))
        for seconds in (10, 10, 50, 80, 110):
            assert "gallery.service" in world.machine.running
            world.systemd.dies("gallery.service")
            await anyio.sleep(seconds)
        assert heard == [(1, 0)]
        await anyio.sleep(4_000)
        assert heard == [(1, 0), (0, 1)]


async def test_a_job_that_fails_is_told_though_its_app_is_as_before(world):
    world.reader.put("home", {"backup/tape.container": "install="})
    async with world.running() as daemon:
        before = daemon.service.status().apps[0].state
        heard = []
        daemon.incidents.subscribe(lambda opened, over: heard.append((opened, over)))
        world.systemd.dies("tape.service")
        await anyio.sleep(30)
        ((opened, over),) = heard
        assert [one.key for one in opened] == ["unit-failed/backup/tape.service"]
        assert not over
        assert daemon.service.status().apps[0].state == before
        world.machine.failed.clear()
        world.systemd.changes.queue.put_nowait("tape.service")
        await anyio.sleep(30)
        assert [one.key for one in heard[-1][1]] == ["unit-failed/backup/tape.service"]
        assert not kept(world)


async def test_a_person_has_it_tried_at_once_and_how_often_it_was_in_vain_stays_known(world):
    heard = []
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        daemon.incidents.subscribe(lambda opened, over: heard.append((len(opened), len(over))))
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(400)
        (before,) = kept(world).values()
        (unit,) = daemon.service.status().apps[0].units
        tries = len(world.systemd.jobs)
        for more in (1, 2):
            await daemon.service.sync(SyncRequest(apps=("photos",)), nothing)
            assert len(world.systemd.jobs) > tries, "it does not wait for the pause"
            (again,) = daemon.service.status().apps[0].units
            assert again.failures == unit.failures + more
            assert again.next_try_at < world.clock.now() + 20, "the pauses begin anew"
        (after,) = kept(world).values()
        assert after.opened_at == before.opened_at
        assert f"brought back {again.failures} times" in after.text
        world.machine.broken.clear()
        await daemon.service.sync(SyncRequest(), nothing)
        assert "gallery.service" in world.machine.running
        await anyio.sleep(20)
        assert heard == [(1, 0)], "it crashed just now"
        await daemon.service.sync(SyncRequest(), nothing)
        assert heard == [(1, 0)], "an order is no reason to call it well"
        await anyio.sleep(20)
        assert heard == [(1, 0), (0, 1)]
        await daemon.service.sync(SyncRequest(), nothing)
        assert heard == [(1, 0), (0, 1)], "nor to call it bad"


async def test_an_image_that_cannot_be_pulled_and_a_secret_that_nobody_provides(world):
    files = {"web/web.container": "image=gone:1", "db/db.container": "secret=word"}
    world.reader.put("home", files)
    async with world.running() as daemon:
        await anyio.sleep(100)
        assert kept(world).keys() == told(daemon).keys()
        assert {key.partition("/")[0] for key in kept(world)} == {
            "image-unavailable",
            "secret-missing",
        }


async def test_what_podvisor_cannot_do_by_itself_says_which_and_for_what(world):
    source = replace(
        world.settings.sources["home"],
        git=GitUrl("https://git.example/me/home"),
        status="gitea",
        status_token=SecretRef("file:/token"),
        status_context="podvisor/pi",
    )
    world.settings = replace(world.settings, sources={"home": source})
    world.secrets.known[SecretRef("file:/token")] = b"x"
    world.git_host.failure = Stalled("no such token")
    async with world.running():
        await anyio.sleep(10)
        assert [*kept(world)] == ["commit-status-unsent//home"]
        world.git_host.failure = None
        await anyio.sleep(10_000)
        assert not kept(world)


async def test_a_disk_that_is_nearly_full_is_told_once_until_there_is_room(world):
    async def look(daemon):
        daemon.queue.add("disk")
        await daemon.queue.wait_idle()

    async with world.running() as daemon:
        assert not kept(world)
        world.host.free_bytes["/store"] = 900 << 20
        await look(daemon)
        (one,) = kept(world).values()
        assert (one.code, one.subject) == (IncidentCode.DISK_NEARLY_FULL, "/store")
        assert "944 MB are free in /store" in one.text
        world.host.free_bytes["/store"] = (1 << 30) + 1
        await look(daemon)
        assert kept(world), "a little more is no room yet"
        world.host.free_bytes["/store"] = 2 << 30
        await look(daemon)
        assert not kept(world)
        codes = [one.code for one in world.events() if one.code.startswith("disk-")]
        assert codes == ["disk-nearly-full", "disk-free-again"]


async def test_who_asks_hears_how_much_room_there_is_at_that_moment(world):
    async with world.running() as daemon:
        world.host.free_bytes["/store"] = 0
        daemon.queue.add("disk")
        await daemon.queue.wait_idle()
        for free, said in (
            (900 << 20, "944 MB are free in /store, less than"),
            ((1 << 30) + 1, "1.1 GB are free in /store, hardly more than"),
        ):
            world.host.free_bytes["/store"] = free
            status = await daemon.service.look()
            for told in (*status.problems, *status.incidents):
                assert said in str(told)
        world.host.free_bytes["/store"] = 2 << 30
        status = await daemon.service.look()
        assert not status.problems
        assert not status.incidents


async def test_the_disk_is_looked_at_when_a_pull_fails(world):
    world.settings = replace(world.settings, repair=RepairSettings(resync=0))
    async with world.running() as daemon:
        world.host.free_bytes[world.ledger.folder] = 0
        await world.push(daemon, {"web/web.container": "image=gone:1"})
        assert f"disk-nearly-full//{world.ledger.folder}" in kept(world)


async def test_a_source_that_cannot_be_read_is_one_until_it_can(world):
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        (one,) = kept(world).values()
        assert (one.code, one.subject) == (IncidentCode.SOURCE_UNREADABLE, "home")
        world.reader.failures.clear()
        await anyio.sleep(4_000)
        assert not kept(world)


async def test_who_listens_hears_of_each_once(world):
    heard = []
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        daemon.incidents.subscribe(
            lambda opened, over: heard.append(
                ([one.key for one in opened], [one.key for one in over])
            )
        )
        await world.push(daemon, {"photos/gallery.container": "refuse=a"})
        await anyio.sleep(10_000)
        (key,) = kept(world)
        assert heard == [([key], [])]
        await world.push(daemon, PHOTOS)
        assert heard == [([key], []), ([], [key])]


@pytest.mark.parametrize("order", ["sync", "sync one", "suspend", "retry"])
async def test_it_began_when_it_began_whatever_a_person_orders_meanwhile(world, order):
    files = {**PHOTOS, "web/web.container": "image=gone:1"}
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        await world.push(daemon, files)
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(300)
        before = {key: one.opened_at for key, one in kept(world).items()}
        assert len(before) == 2
        apps = ("photos", "web")
        world.machine.broken.clear()
        match order:
            case "sync":
                await daemon.service.sync(SyncRequest(), nothing)
            case "sync one":
                for app in apps:
                    await daemon.service.sync(SyncRequest(apps=(app,)), nothing)
            case "suspend":
                await daemon.service.suspend(OrderRequest(apps=apps))
                await anyio.sleep(60)
                since = {key: one.opened_at for key, one in told(daemon).items()}
                assert since == before
                await daemon.service.resume(OrderRequest(apps=apps), nothing)
            case "retry":
                await daemon.service.retry(OrderRequest(apps=("web",)), nothing)
        await anyio.sleep(5)
        world.machine.broken.add("gallery.service")
        if order.startswith("sync"):
            assert "gallery.service" in world.machine.running
            world.systemd.dies("gallery.service")
        for _ in range(120):
            await anyio.sleep(1)
            assert told(daemon).keys() <= before.keys()
            since = {key: one.opened_at for key, one in told(daemon).items()}
            assert since == {key: before[key] for key in since}
        assert {key: one.opened_at for key, one in kept(world).items()} == before
        world.machine.broken.clear()
        await anyio.sleep(4_000)
        assert {one.app for one in kept(world).values()} == {"web"}


@pytest.mark.parametrize("files", [PHOTOS, {"photos/gallery.container": "refuse=unsupported-key"}])
@pytest.mark.parametrize("seconds", [5, 60, 700])
async def test_what_comes_again_after_all_was_well_is_something_new(world, files, seconds):
    """Whether a unit, or what another commit holds."""
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        begun = []
        for number in range(3):
            if files is PHOTOS:
                world.systemd.pauses("gallery.service")
            else:
                await world.push(daemon, {**files, "photos/note": f"{number}"})
            await anyio.sleep(20)
            (one,) = kept(world).values()
            assert one.opened_at >= world.clock.now() - 21
            begun.append(one.opened_at)
            if files is PHOTOS:
                world.systemd.pauses("gallery.service", paused=False)
            else:
                await world.push(daemon, {**PHOTOS, "photos/note": f"{number}"})
            await anyio.sleep(seconds)
            assert not kept(world)
        assert len(set(begun)) == 3


class Looked(dict):
    """Apps, and which of them somebody looked at."""

    def __init__(self, *names):
        super().__init__((name, status_of(name)) for name in names)
        self.at = []

    def get(self, name, default=None):
        self.at.append(name)
        return super().get(name, default)

    def values(self):
        self.at += self
        return super().values()


def status_of(name, state=AppState.READY):
    return AppStatus(name=name, source="home", state=state)


def test_after_a_pass_over_an_app_no_other_is_looked_at():
    asked, apps = [], Looked("a", "b", "c")
    log = IncidentLog(
        board=StatusBoard(has_looked=True, apps=apps),
        desired_state=SimpleNamespace(source_findings={}),
        ledger=SimpleNamespace(
            problem=lambda: "", losses=tuple, all=lambda _: {}, together=nullcontext
        ),
        clock=SimpleNamespace(now=lambda: 1.0),
    )

    def status():
        asked.append(1)
        return Status(running=True, version="1", apps=())

    def follow(*after):
        apps.at.clear()
        asked.clear()
        log.follow(status, after=after)
        return sorted(apps.at), len(asked)

    follow()
    assert follow("app:a") == (["a"], 0)
    assert follow("source:home", "image:img:1") == ([], 0)
    apps["b"] = status_of("b", AppState.FAILING)
    seen, times = follow("app:b")
    assert (set(seen), times) == ({"a", "b", "c"}, 1), "something is wrong: all are looked at"
    assert follow("app:a") == (["a"], 0)
    apps["b"] = status_of("b")
    assert follow("app:b")[1] == 1
    assert follow("app:b") == (["b"], 0)
