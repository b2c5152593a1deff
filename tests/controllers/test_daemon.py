"""What the daemon does, end to end on fakes: sources, passes, repairs, refusals, guards."""

import re

import anyio
import msgspec
import pytest

from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind, EventQuery
from supervisor.model.git_url import GitUrl
from supervisor.model.observed import Container
from supervisor.model.podman import PodmanEvent
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import SourceSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.words import waiting

pytestmark = pytest.mark.anyio

BLOG = {"blog/web.container": "needs=site.network", "blog/site.network": ""}
PHOTOS = {"photos/gallery.container": ""}


async def ignore(_event):
    pass


async def test_what_the_source_holds_is_run(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        assert set(world.machine.running) == {
            "web.service",
            "site-network.service",
            "gallery.service",
        }
        assert [one.state for one in daemon.service.status().apps] == [
            AppState.READY,
            AppState.READY,
        ]
        assert world.machine.reloads == 1
    applied = world.events(EventKind.APPLIED)
    assert sorted(event.app for event in applied) == ["blog", "photos"]


async def test_a_push_touches_only_its_app(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        world.systemd.jobs.clear()
        before = world.ledger.applied()["photos"].revision
        await world.push(daemon, {**BLOG, "photos/gallery.container": "v=2"})
        assert world.systemd.jobs == [("restart", "gallery.service")]
        await world.push(daemon, {**BLOG, "photos/gallery.container": "v=3"})
        assert world.ledger.applied()["blog"].revision == before
        assert world.ledger.applied()["photos"].revision != before


async def test_a_push_looks_at_no_app_that_it_does_not_touch(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        looked = world.folder.looked
        looked.clear()
        await world.push(daemon, {**BLOG, "photos/gallery.container": "v=2"})
        assert set(looked) == {"photos"}
        looked.clear()
        await world.push(daemon, {**BLOG, "photos/gallery.container": "refuse=x"})
        await world.push(daemon, BLOG)
        assert set(looked) == {"photos"}, "a refusal and a removal are news too"
        assert [one.name for one in daemon.service.status().apps] == ["blog"]


async def test_what_is_at_rest_is_not_looked_at_closely_in_every_pass(world):
    world.reader.put("home", {**BLOG, "blog/idle.container": "install="})
    async with world.running() as daemon:
        assert {"web.service", "idle.service"} <= set(world.systemd.looked), "for the gate"
        await daemon.service.sync(SyncRequest(), ignore)
        world.systemd.looked.clear()
        await daemon.service.sync(SyncRequest(), ignore)
        assert world.systemd.looked == []
        world.systemd.dies("web.service")
        await anyio.sleep(0.5)
        await daemon.queue.wait_idle()
        assert "web.service" in world.systemd.looked


async def test_a_push_that_comes_while_another_is_worked_out_is_not_lost(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.put("home", {**BLOG, "photos/gallery.container": "v=2"})
        daemon.queue.add("source:home")
        await anyio.sleep(0.2)  # it is read now, and the generator runs
        await world.push(daemon, {**BLOG, "photos/gallery.container": "v=3"})
        wanted = world.reader.latest["home"].revision
        assert world.ledger.applied()["photos"].revision == wanted


async def test_a_dead_unit_is_back_at_once(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        runs = world.generator.runs
        world.systemd.dies("gallery.service")
        await anyio.sleep(0.5)
        await daemon.queue.wait_idle()
        assert "gallery.service" in world.machine.running
        assert world.generator.runs == runs, "a repair does not need the generator"
        (start,) = [e for e in world.events(EventKind.STEP) if "should run" in e.reason]
        assert start.unit == "gallery.service"


async def test_a_crash_loop_backs_off_and_says_so(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(100)
        (status,) = daemon.service.status().apps
        assert status.state is AppState.FAILING
        (unit,) = status.units
        assert unit.failures >= 3
        assert unit.next_try_at > world.clock.now()
        world.machine.broken.clear()
        await anyio.sleep(1_000)
        assert daemon.service.status().apps[0].state is AppState.READY
        tries = [job for job in world.systemd.jobs if job == ("start", "gallery.service")]
        assert len(tries) < 10
    assert world.events(EventKind.WAITING)
    assert world.events(EventKind.RECOVERED)


async def test_a_crash_loop_is_not_over_when_the_unit_just_runs_for_a_moment(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        for _ in range(2):
            world.systemd.dies("gallery.service")
            await anyio.sleep(10)
        assert "gallery.service" in world.machine.running
        (status,) = daemon.service.status().apps
        assert status.state is AppState.FAILING
        text = "gallery.service runs, after it was brought back 2 times: it has to stay up for 30s"
        assert waiting(status) == (text,)
        assert not world.events(EventKind.RECOVERED)
        await anyio.sleep(30)
        assert daemon.service.status().apps[0].state is AppState.READY
        assert len(world.events(EventKind.RECOVERED)) == 1


async def test_a_refused_push_leaves_the_old_one_running(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        broken = {"blog/web.container": "refuse=unsupported-key", "blog/site.network": "v=2"}
        await world.push(daemon, {**broken, "photos/gallery.container": "v=2"})
        blog, photos = daemon.service.status().apps
        assert (blog.state, photos.state) == (AppState.REFUSED, AppState.READY)
        assert blog.revision != blog.wanted_revision
        world.systemd.dies("web.service")
        await anyio.sleep(1)
        await daemon.queue.wait_idle()
        assert "web.service" in world.machine.running, "the last good one is kept running"
        assert len(world.events(EventKind.REFUSED)) == 1, "said once"
        await world.push(daemon, {**BLOG, **PHOTOS})
        assert daemon.service.status().apps[0].state is AppState.READY
    assert world.events(EventKind.RECOVERED)


async def test_a_refused_app_stays_at_its_last_good_revision_through_a_restart(world):
    world.reader.put("home", BLOG)
    async with world.running():
        pass
    world.reader.put("home", {**BLOG, "blog/web.container": "refuse=bad"})
    world.machine.running.clear()
    async with world.running() as daemon:
        assert "web.service" in world.machine.running
        assert daemon.service.status().apps[0].state is AppState.REFUSED


async def test_an_app_that_left_is_removed(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        await world.push(daemon, BLOG)
        assert "gallery.service" not in world.machine.running
        assert world.systemd.watched
        assert "gallery.service" not in world.systemd.watched
        assert [one.name for one in daemon.service.status().apps] == ["blog"]
    assert [event.app for event in world.events(EventKind.REMOVED)] == ["photos"]


async def test_what_a_removed_app_failed_at_is_not_held_against_its_successor(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        world.machine.broken.add("gallery.service")
        world.systemd.dies("gallery.service")
        await anyio.sleep(100)
        assert world.ledger.repairs()["gallery.service"].failures > 2
        await world.push(daemon, BLOG)
        assert world.ledger.repairs() == {}
        world.machine.broken.clear()
        await world.push(daemon, {**BLOG, **PHOTOS})
        await daemon.queue.wait_idle()
        assert daemon.service.status("photos").apps[0].state is AppState.READY


async def test_an_emptied_source_removes_nothing_until_told(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        await world.push(daemon, {})
        assert len(world.machine.running) == 3
        assert {one.state for one in daemon.service.status().apps} == {AppState.KEPT}
        world.systemd.dies("web.service")
        await anyio.sleep(1)
        assert "web.service" in world.machine.running, "what is kept is kept running"
        await daemon.service.sync(SyncRequest(prune_all=True), ignore)
        assert world.machine.running == {}
        assert daemon.service.status().apps == ()
        await world.push(daemon, BLOG)
        await world.push(daemon, {})
        assert "web.service" in world.machine.running, "allowed once, not for ever"


async def test_a_source_that_left_the_settings_keeps_its_apps(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        await daemon.settings.take(msgspec.structs.replace(world.settings, sources={}))
        await daemon.queue.wait_idle()
        assert "web.service" in world.machine.running
        (status,) = daemon.service.status().apps
        assert status.state is AppState.KEPT
        assert "no longer in the settings" in status.findings[0].message
        planned = await daemon.service.plan(())
        assert planned.steps == ()
        assert planned.verdicts[0].findings == status.findings, "it says why"
        planned = await daemon.service.plan((), prune_all=True)
        assert "stop" in {str(step.__struct_config__.tag) for step in planned.steps}
        assert "web.service" in world.machine.running


@pytest.mark.parametrize("failure", [Retry("no route to host"), Stalled("ref gone")])
async def test_an_unreadable_source_keeps_what_runs(world, failure):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.failures["home"] = failure
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        (source,) = daemon.service.status().sources
        assert str(failure) in source.error
        since = source.error_since
        world.systemd.dies("web.service")
        await anyio.sleep(10)
        assert "web.service" in world.machine.running
        await anyio.sleep(2_000)
        assert daemon.service.status().sources[0].error_since == since
        world.reader.failures.clear()
        await anyio.sleep(4_000)
        assert daemon.service.status().sources[0].error == ""


async def test_since_when_begins_anew_with_another_place(world):
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
        since = daemon.service.status().sources[0].error_since
        await anyio.sleep(100)
        other = {"home": SourceSettings(git=GitUrl("https://git.example/other"))}
        await daemon.settings.take(msgspec.structs.replace(world.settings, sources=other))
        await daemon.queue.wait_idle()
        assert daemon.service.status().sources[0].error_since >= since + 100


async def test_a_source_that_is_renamed_is_said_to_be_and_restarts_nothing(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.put("casa", BLOG)
        jobs = len(world.systemd.jobs)
        renamed = {"casa": world.settings.sources["home"]}
        await daemon.settings.take(msgspec.structs.replace(world.settings, sources=renamed))
        await daemon.queue.wait_idle()
        await anyio.sleep(60)
        reason = world.events(EventKind.APPLIED)[-1].reason
        assert reason.startswith("comes from source casa now, was at ")
        assert " from home" in reason
        assert world.systemd.jobs[jobs:] == []


async def test_of_another_place_that_cannot_be_read_nothing_is_known(world):
    """Nor is what was read of the former place another revision, once that is named again."""
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        first = daemon.service.status().sources[0].revision
        told = len(world.events(EventKind.REVISION))
        assert first
        for other in (
            SourceSettings(git=GitUrl("https://git.example/hoem")),
            SourceSettings(git=GitUrl("https://git.example/home"), ref="mian"),
        ):
            world.reader.failures["home"] = Stalled("repository not found")
            mistyped = msgspec.structs.replace(world.settings, sources={"home": other})
            await daemon.settings.take(mistyped)
            await daemon.queue.wait_idle()
            (source,) = daemon.service.status().sources
            assert source.error
            assert (source.revision, source.subject, source.read_at) == ("", "", 0.0)
            world.reader.failures.clear()
            await daemon.settings.take(world.settings)
            await daemon.queue.wait_idle()
            assert daemon.service.status().sources[0].revision == first
        assert len(world.events(EventKind.REVISION)) == told


async def test_the_journal_tells_people_what_fails_and_does_not_repeat_itself(world, caplog):
    caplog.set_level("INFO")
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        await anyio.sleep(8_000)
        world.reader.failures["home"] = Stalled("ref gone", hint="check `ref`")
        await anyio.sleep(8_000)
        world.reader.failures.clear()
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert re.fullmatch(
        r"source home: no route to host \(tried again in \ds, then less often\)", said[0]
    )
    assert said[1].startswith("source home: ref gone (check `ref`")
    assert "less often" not in said[1], "it is polled as ever"
    assert said[2] == "source home: well again"


async def test_without_a_source_it_is_said_what_to_do(world):
    world.settings = msgspec.structs.replace(world.settings, sources={})
    async with world.running() as daemon:
        (problem,) = daemon.service.status().problems
        assert "name no source" in problem.message
        assert "[sources.NAME]" in problem.hint
        assert (await daemon.service.plan(())).problems == (problem,)


async def test_a_source_that_is_down_at_start_serves_what_is_stored(world):
    world.reader.put("home", BLOG)
    async with world.running():
        pass
    world.reader.failures["home"] = Retry("no route to host")
    world.machine.running.clear()
    async with world.running() as daemon:
        assert "web.service" in world.machine.running
        assert daemon.service.status().apps[0].state is AppState.READY


async def test_what_a_network_may_mend_is_tried_at_once_when_it_is_back(world):
    world.reader.put("home", {"photos/gallery.container": "image=img:1"})
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        await anyio.sleep(8_000)
        assert daemon.queue.due_in("source:home") > 5
        world.reader.failures.clear()
        world.podman.registry.add("img:1")
        world.host.changes.queue.put_nowait("network")
        await anyio.sleep(0.01)
        await daemon.queue.wait_idle()
        assert daemon.service.status().sources[0].error == ""
        assert daemon.service.status().apps[0].state is AppState.READY


async def test_after_a_hurry_in_vain_the_backoff_starts_anew(world):
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        await anyio.sleep(8_000)
        daemon.loop.expedite()
        await daemon.queue.wait_idle()
        assert daemon.queue.due_in("source:home") < 6


async def test_a_healthy_source_is_not_asked_because_the_network_is_back(world):
    async with world.running() as daemon:
        fetches = len(world.reader.fetches)
        daemon.loop.expedite()
        await anyio.sleep(10)
        assert len(world.reader.fetches) == fetches


async def test_a_poll_that_came_due_in_a_suspend_is_made_up_for_at_once(world):
    async with world.running():
        fetches = len(world.reader.fetches)
        world.clock.slept += 100
        world.host.changes.queue.put_nowait("resumed")
        await anyio.sleep(10)
        assert len(world.reader.fetches) == fetches, "it is nearer, but not due"
        world.clock.slept += 250
        world.host.changes.queue.put_nowait("resumed")
        await anyio.sleep(1)
        assert len(world.reader.fetches) == fetches + 1
        world.host.changes.queue.put_nowait("resumed")
        await anyio.sleep(10)
        assert len(world.reader.fetches) == fetches + 1, "a suspend counts once"


async def test_an_image_that_cannot_be_pulled_keeps_the_old_container(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        await world.push(daemon, {"photos/gallery.container": "image=img:2"})
        (status,) = daemon.service.status().apps
        assert status.state is AppState.FAILING
        assert "no route to host" in waiting(status)[0]
        assert 0 < status.next_pull_at - world.clock.now() < 20
        (late,) = world.events(EventKind.WAITING)
        assert (late.app, late.subject) == ("photos", "img:2")
        assert "gallery.service" in world.machine.running
        tries = len(world.podman.pulls)
        world.podman.registry.add("img:2")
        await anyio.sleep(1_000)
        assert len(world.podman.pulls) == tries + 1 or "img:2" in world.machine.images
        (status,) = daemon.service.status().apps
        assert (status.state, status.next_pull_at) == (AppState.READY, 0)
        pulls = [(one.app, one.ok) for one in world.events() if one.step == "pull"]
        assert pulls == [("photos", True), ("photos", False), ("photos", True)], "each said once"


async def test_an_image_that_nobody_needs_any_more_is_forgotten(world):
    world.reader.put("home", {**BLOG, "photos/gallery.container": "image=img:2"})
    async with world.running() as daemon:
        tries = len(world.podman.pulls)
        await daemon.service.sync(SyncRequest(apps=("blog",)), ignore)
        assert len(world.podman.pulls) == tries, "another app's image"
        await world.push(daemon, BLOG)
        await anyio.sleep(10_000)
        assert len(world.podman.pulls) <= tries + 1
        await daemon.service.sync(SyncRequest(), ignore)
        assert len(world.podman.pulls) <= tries + 1


async def test_a_slow_pull_holds_up_nobody(world):
    world.reader.put("home", {**BLOG, "photos/gallery.container": "image=img:1"})
    world.podman.registry.add("img:1")
    async with world.running() as daemon:
        world.podman.pulls.clear()
    world.machine.images.clear()
    async with world.running() as daemon:
        world.reader.put("home", {**BLOG, "photos/gallery.container": "image=img:2"})
        daemon.queue.add("source:home")
        await anyio.sleep(5)
        assert world.podman.pulls == ["img:2"]
        world.systemd.dies("gallery.service")
        world.systemd.dies("web.service")
        await anyio.sleep(1)
        assert {"web.service"} <= set(world.machine.running)


async def test_an_app_that_takes_long_to_start_holds_up_nobody(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        world.systemd.slow["gallery.service"] = 300
        world.systemd.dies("gallery.service")
        world.systemd.dies("web.service")
        await anyio.sleep(5)
        assert world.systemd.jobs[-2:] == [("start", "web.service"), ("start", "gallery.service")]
        assert daemon.service.status("blog").apps[0].state is AppState.READY
        for _ in range(3):
            world.systemd.dies("web.service")
            await anyio.sleep(20)
            assert "web.service" in world.machine.running
            assert "gallery.service" not in world.machine.running
        await anyio.sleep(300)
        assert "gallery.service" in world.machine.running
        starts = [job for job in world.systemd.jobs if job == ("start", "gallery.service")]
        assert len(starts) == 2, "the first, and one repair"


async def test_an_app_that_ends_while_the_bus_is_gone_is_tried_again_alone(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        world.systemd.slow["gallery.service"] = 10
        world.systemd.dies("gallery.service")
        world.systemd.dies("web.service")
        await anyio.sleep(5)
        world.systemd.lost = True
        await anyio.sleep(6)
        assert "cannot reach systemd" in str(daemon.service.status().problems)
        world.systemd.lost = False
        await anyio.sleep(10)
        assert daemon.service.status().problems == ()
        await anyio.sleep(60)
        assert {one.state for one in daemon.service.status().apps} == {AppState.READY}


async def test_two_apps_with_one_unit_are_both_named_and_the_running_one_stays(world):
    world.reader.put("home", {"b/web.container": ""})
    async with world.running() as daemon:
        await world.push(daemon, {"b/web.container": "", "a/web.container": "v=2"})
        a, b = daemon.service.status().apps
        assert (a.state, b.state) == (AppState.REFUSED, AppState.READY)
        assert (
            a.findings[0].message
            == "apps b and a both define web.container (b/web.container and a/web.container)"
        )


async def test_two_apps_with_one_container_name(world):
    world.reader.put("home", {"b/web.container": "name=x"})
    async with world.running() as daemon:
        await world.push(daemon, {"b/web.container": "name=x", "a/other.container": "name=x"})
        a, b = daemon.service.status().apps
        assert (a.state, b.state) == (AppState.REFUSED, AppState.READY)
        assert "container x" in a.findings[0].message


async def test_an_app_may_use_another_ones_network(world):
    world.reader.put(
        "home", {"proxy/front.network": "", "blog/web.container": "needs=front.network"}
    )
    async with world.running() as daemon:
        assert "web.service" in world.machine.running
        await world.push(daemon, {"blog/web.container": "needs=front.network", **PHOTOS})
        blog = next(one for one in daemon.service.status().apps if one.name == "blog")
        assert blog.state is AppState.REFUSED
        assert "front.network was not found" in blog.findings[0].message
        assert "web.service" in world.machine.running
        assert daemon.service.status("proxy").apps[0].state is AppState.KEPT, "blog needs it"
        await world.push(daemon, {"blog/web.container": "", **PHOTOS})
        assert "proxy" not in {one.name for one in daemon.service.status().apps}


async def test_a_changed_network_that_others_use_counts_as_changed_when_it_is(world):
    site = {"proxy/front.network": "v=1", "blog/web.container": "needs=front.network"}
    world.reader.put("home", site)
    stranger = Container(id="1", name="theirs", networks=("systemd-front",))
    async with world.running() as daemon:
        await anyio.sleep(20)
        world.machine.unowned_files.add(stranger)
        running = world.machine.running
        began, first = world.machine.since["web.service"], running["front-network.service"]
        await world.push(daemon, {**site, "proxy/front.network": "v=2"})
        await anyio.sleep(20)
        assert world.machine.since["web.service"] == began
        assert running["front-network.service"] == first
        proxy = daemon.service.status("proxy").apps[0]
        assert "container theirs" in proxy.findings[0].message
        assert proxy.state is AppState.READY
        world.machine.unowned_files.clear()
        daemon.queue.add("app:proxy")
        await anyio.sleep(20)
        assert daemon.service.status("proxy").apps[0].findings == ()
        assert running["front-network.service"] != first
        assert world.machine.since["web.service"] > began


async def test_a_full_disk_is_said_and_got_over(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.folder.full = True
        await world.push(daemon, {**BLOG, "blog/web.container": "needs=site.network v=2"})
        (status,) = daemon.service.status().apps
        assert "disk full" in str(status.findings)
        assert status.state is AppState.FAILING, "nothing is wrong with what the source says"
        assert "web.service" in world.machine.running
        world.folder.full = False
        await anyio.sleep(30)
        assert daemon.service.status().apps[0].state is AppState.READY
    assert not world.events(EventKind.REFUSED)
    (error,) = world.events(EventKind.ERROR)
    assert "disk full" in error.reason


async def test_why_a_unit_does_not_start_is_shown_until_it_does(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        for _ in range(3):
            await anyio.sleep(1)
            daemon.queue.add("app:blog")
            await daemon.queue.wait_idle()
            (status,) = daemon.service.status().apps
            assert "web.service: failed: exit code 1" in waiting(status)
        assert "web.service: failed (exit-code) after 1 try in a row" in waiting(status)
        world.machine.broken.clear()
        await anyio.sleep(30)
        (text,) = waiting(daemon.service.status().apps[0])
        assert text.startswith("web.service runs, ")
        await anyio.sleep(30)
        assert waiting(daemon.service.status().apps[0]) == ()


async def test_without_podmans_api_units_are_still_repaired(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.podman.down = True
        world.systemd.dies("web.service")
        await anyio.sleep(1)
        assert "web.service" in world.machine.running
        before = world.machine.running["web.service"]
        await world.push(daemon, {**BLOG, "blog/web.container": "needs=site.network v=2"})
        assert world.machine.running["web.service"] == before, "a change has to wait for it"
        world.podman.down = False
        await anyio.sleep(20)
        assert daemon.service.status().apps[0].state is AppState.READY


async def test_a_plan_says_which_source_it_could_not_read(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.failures["home"] = Retry("no route to host")
        plan = await daemon.service.plan([])
        assert plan.steps == ()
        assert "no route to host" in plan.problems[0].message


async def test_a_sync_tells_what_it_does(world):
    async with world.running() as daemon:
        world.reader.put("home", BLOG)
        told = []

        async def tell(event):
            told.append(event)

        reply = await daemon.service.sync(SyncRequest(), tell)
        assert [one.name for one in reply.apps] == ["blog"]
        steps = [event.step for event in told if event.kind is EventKind.STEP]
        assert steps == ["write", "write", "reload", "start", "start"]


async def test_what_is_ordered_says_by_whom_and_what_comes_of_it_does_not(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        before = ORDERED_BY.set("anna (page)")
        try:
            await daemon.service.suspend(OrderRequest(apps=("blog",)))
            suspension = daemon.service.status().apps[0].suspension
            assert suspension
            assert suspension.by == "anna (page)"
            await daemon.service.resume(OrderRequest(apps=("blog",)), ignore)
            world.reader.put("home", {**BLOG, "blog/web.container": "v=2"})
            await daemon.service.sync(SyncRequest(apps=("blog",)), ignore)
        finally:
            ORDERED_BY.reset(before)
        by = [(one.kind, one.subject) for one in world.events() if one.by == "anna (page)"]
        assert by == [
            (EventKind.SUSPENDED, ""),
            (EventKind.RESUMED, ""),
            (EventKind.ORDERED, "sync"),
        ]


async def test_of_a_revision_it_is_written_down_when_its_source_was_as_before(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        await daemon.service.sync(SyncRequest(apps=("blog",)), ignore)
        await anyio.sleep(12)
        world.reader.put("home", {**BLOG, "blog/web.container": "v=2"})
        daemon.queue.add("source:home")
        await daemon.queue.wait_for_pass(["source:home"])
        order, revision = world.events(EventKind.ORDERED)[-1], world.events(EventKind.REVISION)[-1]
        assert order.time <= revision.unchanged_at <= revision.time - 12
        world.reader.put("home", {**BLOG, "blog/web.container": "v=3"})
        await anyio.sleep(1)
        await daemon.service.sync(SyncRequest(apps=("blog",)), ignore)
        order, revision = world.events(EventKind.ORDERED)[-1], world.events(EventKind.REVISION)[-1]
        assert revision.unchanged_at < order.time <= revision.time


async def test_a_sync_of_an_unknown_app_does_nothing_and_says_so(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.put("home", {**BLOG, "blog/web.container": "v=2"})
        with pytest.raises(Stalled, match="no app named “nope”"):
            await daemon.service.sync(SyncRequest(apps=("nope",)), ignore)
        with pytest.raises(Stalled, match="no app named “home”") as raised:
            await daemon.service.sync(SyncRequest(apps=("home",)), ignore)
        assert "that is a source" in raised.value.hint
        daemon.board.has_looked = False
        with pytest.raises(Stalled, match="no app named “nope” yet: podvisor has just started"):
            await daemon.service.sync(SyncRequest(apps=("nope",)), ignore)


async def test_who_syncs_an_app_hears_of_it_and_of_what_it_depends_on(world):
    blog = {**BLOG, "blog/web.container": "needs=site.network needs=db.container"}
    files = {**blog, **PHOTOS, "data/db.container": "", "last/end.container": "needs=site.network"}
    world.reader.put("home", files)
    heard = []

    async def hear(one):
        heard.append(one)

    async with world.running() as daemon:
        world.reader.put("home", {path: f"{text} v=2" for path, text in files.items()})
        await daemon.service.sync(SyncRequest(apps=("blog",)), hear)
        assert {one.app for one in heard} == {"", "blog", "data"}
        assert [one.source for one in heard if one.kind is EventKind.REVISION] == ["home"]
        await daemon.service.sync(SyncRequest(), ignore)
        assert {one.app for one in world.events(EventKind.APPLIED)} == {
            "blog",
            "data",
            "photos",
            "last",
        }


async def test_events_are_told_of_every_app_that_is_or_was_there_and_of_no_other(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        await world.push(daemon, BLOG)
        for there in ("blog", "photos"):
            daemon.service.events(EventQuery(app=there))
        with pytest.raises(Stalled, match="no app named “blgo”") as raised:
            daemon.service.events(EventQuery(app="blgo"))
        assert raised.value.hint == "did you mean “blog”?"


async def test_a_plan_is_what_the_daemon_does_next_and_does_nothing_itself(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        world.reader.put("home", {**BLOG, **PHOTOS})
        plan = await daemon.service.plan([])
        assert "gallery.service" not in world.machine.running
        kinds = [str(step.__struct_config__.tag) for step in plan.steps]
        assert kinds == ["try", "open-manifest", "write", "reload", "seal-manifest", "start"]
        with pytest.raises(Stalled, match="no app named “nope”"):
            await daemon.service.plan(["nope"])


async def test_select_and_exclude(world):
    only = SourceSettings(git=GitUrl("https://git.example/home"), exclude=("photos",))
    world.settings = msgspec.structs.replace(world.settings, sources={"home": only})
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        assert [one.name for one in daemon.service.status().apps] == ["blog"]


async def test_the_names_of_an_app_whose_newest_state_is_refused_stay_taken(world):
    world.reader.put("home", {"b/web.container": "name=shared"})
    async with world.running() as daemon:
        twice = {"b/web.container": "name=shared", "b/more/web.container": ""}
        for broken in ({"b/web.container": "refuse=bad"}, twice):
            await world.push(daemon, {**broken, "a/other.container": "name=shared"})
            first, second = daemon.service.status().apps
            assert (first.state, second.state) == (AppState.REFUSED, AppState.REFUSED)
            (finding,) = first.findings
            assert "apps b and a both define the container shared" in finding.message
            assert (finding.source, finding.path) == ("home", "a/other.container")
            assert set(world.machine.running) == {"web.service"}


async def test_a_refused_app_that_was_never_installed_is_forgotten_when_it_leaves(world):
    world.reader.put("home", {**PHOTOS, "blog/web.container": "refuse=bad"})
    async with world.running() as daemon:
        assert [one.state for one in daemon.service.status().apps] == [
            AppState.REFUSED,
            AppState.READY,
        ]
        await world.push(daemon, PHOTOS)
        assert [one.name for one in daemon.service.status().apps] == ["photos"]


async def test_the_names_of_an_app_that_is_kept_stay_taken(world):
    world.reader.put("home", {"b/web.container": ""})
    world.reader.put("also", {"x/x.container": ""})
    also = SourceSettings(git=GitUrl("https://git.example/also"))
    world.settings = msgspec.structs.replace(
        world.settings, sources={**world.settings.sources, "also": also}
    )
    async with world.running() as daemon:
        world.reader.put("also", {"x/x.container": "", "a/web.container": ""})
        await world.push(daemon, {})
        daemon.queue.add("source:also")
        await daemon.queue.wait_idle()
        states = {one.name: one.state for one in daemon.service.status().apps}
        assert states == {"a": AppState.REFUSED, "b": AppState.KEPT, "x": AppState.READY}


async def test_what_is_worth_knowing_of_an_app_is_shown_with_it(world):
    world.reader.put("home", {"a/web.container": "warn=look"})
    async with world.running() as daemon:
        (one,) = daemon.service.status().apps
        assert one.state is AppState.READY
        assert [finding.message for finding in one.findings] == ["look"]


async def test_an_app_of_two_sources_is_shown_with_the_source_that_lost(world):
    world.reader.put("home", {"a/web.container": ""})
    async with world.running() as daemon:
        world.reader.put("also", {"a/web.container": "v=2", "x/x.container": ""})
        also = SourceSettings(git=GitUrl("https://git.example/also"))
        sources = {**daemon.desired_state.settings.sources, "also": also}
        await daemon.settings.take(msgspec.structs.replace(world.settings, sources=sources))
        await daemon.queue.wait_idle()
        status = daemon.service.status()
        assert [one.state for one in status.apps] == [AppState.READY, AppState.READY]
        assert world.ledger.applied()["a"].source == "home"
        (finding,) = next(one for one in status.sources if one.name == "also").findings
        assert "sources home and also both hold an app named a" in finding.message


async def test_an_image_that_is_loaded_by_hand_is_used_at_once(world):
    world.reader.put("home", {"blog/web.container": "image=localhost/own:1", **PHOTOS})
    async with world.running() as daemon:
        await anyio.sleep(120)  # the pull has failed, and is backing off
        assert "web.service" not in world.machine.running
        world.machine.images.add("localhost/own:1")
        world.podman.events.queue.put_nowait(PodmanEvent(type="image", name="localhost/own:1"))
        await anyio.sleep(2)
        await daemon.queue.wait_idle()
        assert "web.service" in world.machine.running


async def test_what_podman_does_for_others_is_no_reason_for_a_pass(world):
    world.reader.put("home", {**BLOG, **PHOTOS})
    async with world.running() as daemon:
        await anyio.sleep(60)
        before = daemon.queue.generation()
        for event in (
            PodmanEvent(type="image", name="docker.io/library/nginx:1"),
            PodmanEvent(type="volume", name="other"),
            PodmanEvent(type="container", action="died", name="other"),
            PodmanEvent(type="container", action="start", name="systemd-web"),
        ):
            world.podman.events.queue.put_nowait(event)
        await anyio.sleep(1)
        assert daemon.queue.generation() == before
        world.podman.events.queue.put_nowait(PodmanEvent(type="network", name="systemd-site"))
        await anyio.sleep(1)
        assert daemon.queue.generation() == before + 1


async def test_how_podman_is_watched_is_shown_and_a_change_of_it_logged_once(world):
    for _ in range(2):
        async with world.running() as daemon:
            (watch,) = daemon.service.status().watches
            assert (watch.what, watch.way) == ("Podman's events", "journal")
    assert [event.reason for event in world.events(EventKind.WATCH)] == ["journal: of a test"]


async def test_a_resync_reads_folders_but_asks_no_git_server(world):
    world.reader.put("files", {})
    sources = {
        "home": SourceSettings(git=GitUrl("https://git.example/home"), poll=Seconds(0)),
        "files": SourceSettings(folder="/srv/files"),
    }
    world.settings = msgspec.structs.replace(world.settings, sources=sources)
    async with world.running():
        world.reader.fetches.clear()
        await anyio.sleep(2.5 * float(world.settings.repair.resync))
        assert world.reader.fetches == ["files", "files"]


async def test_a_resync_looks_for_a_better_place_of_podmans_events(world):
    async with world.running():
        assert world.podman.rechecks == 0
        await anyio.sleep(3 * float(world.settings.repair.resync))
        assert world.podman.rechecks >= 2


@pytest.mark.parametrize("changes", [True, False])
async def test_a_store_that_is_made_anew_ends_the_trouble_that_it_made(world, changes):
    world.reader.put("home", {"web/web.container": "v=1"})
    async with world.running() as daemon:
        read = world.reader.read

        async def damaged(name, oids):
            raise Stalled("cannot read what is stored", hint="podvisor sync")

        world.reader.read = damaged
        await world.push(daemon, {"web/web.container": "v=2"})
        daemon.queue.add("all-apps")
        await daemon.queue.wait_idle()
        assert "cannot read what is stored" in str(daemon.service.status().problems)
        world.reader.read = read
        await world.push(daemon, {"web/web.container": "v=3" if changes else "v=2"})
        assert not daemon.service.status().problems
        assert daemon.board.apps["web"].state in {AppState.READY, AppState.CHANGING}
