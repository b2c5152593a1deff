"""A storm of wake-ups: few passes, nothing lost, nobody starved, nothing left behind."""

import asyncio
from collections import Counter

import anyio
import pytest

from supervisor.model.podman import PodmanEvent
from supervisor.model.status import AppState, SyncRequest

pytestmark = pytest.mark.anyio

APPS = {
    "blog/web.container": "needs=site.network",
    "blog/site.network": "",
    "photos/gallery.container": "",
    "quiet/quiet.container": "",
}
DIED = PodmanEvent(type="container", action="died", name="systemd-gallery")


async def ignore(_event):
    pass


def count_passes(world):
    """Passes per app from now on: each looks at the app's folder once."""
    passes = Counter()
    observe = world.folder.observe

    async def counted(app, **more):
        passes[app] += 1
        return await observe(app, **more)

    world.folder.observe = counted
    return passes


async def test_ten_thousand_unit_signals_and_podman_events_in_ten_seconds(world):
    world.reader.put("home", APPS)
    async with world.running() as daemon:
        await anyio.sleep(60)
        passes = count_passes(world)
        for _ in range(100):
            for _ in range(50):
                world.systemd.changes.queue.put_nowait("web.service")
                world.systemd.changes.queue.put_nowait("gallery.service")
                world.podman.events.queue.put_nowait(PodmanEvent(type="network"))
                world.podman.events.queue.put_nowait(DIED)
            await anyio.sleep(0.1)
        # The last thing that happens in the storm is no signal of its own among so many.
        world.systemd.dies("gallery.service")
        world.systemd.dies("web.service")
        await anyio.sleep(3)
        assert {"gallery.service", "web.service"} <= set(world.machine.running)
        await daemon.queue.wait_idle()
        assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
        assert 0 < passes["blog"] <= 20
        assert 0 < passes["photos"] <= 20
        assert passes["quiet"] == 0


async def test_a_storming_app_starves_nobody(world):
    world.reader.put("home", APPS)
    async with world.running() as daemon:
        await anyio.sleep(60)
        async with anyio.create_task_group() as tasks:

            async def storm():
                while True:
                    world.systemd.changes.queue.put_nowait("web.service")
                    await anyio.sleep(0.01)

            tasks.start_soon(storm)
            await anyio.sleep(3)
            world.systemd.dies("quiet.service")
            await anyio.sleep(0.15)
            assert "quiet.service" in world.machine.running, "the first is at once, as ever"
            tasks.cancel_scope.cancel()
        await daemon.queue.wait_idle()


async def test_a_person_does_not_wait_for_a_storm_to_end(world):
    world.reader.put("home", APPS)
    async with world.running() as daemon:
        await anyio.sleep(60)
        async with anyio.create_task_group() as tasks:

            async def storm():
                while True:
                    world.systemd.changes.queue.put_nowait("web.service")
                    await anyio.sleep(0.01)

            tasks.start_soon(storm)
            await anyio.sleep(1)
            with anyio.fail_after(1):
                await daemon.service.sync(SyncRequest(), tell=ignore)
            tasks.cancel_scope.cancel()


async def test_keys_of_things_that_do_not_exist_leave_nothing_behind(world):
    world.reader.put("home", APPS)
    async with world.running() as daemon:
        await anyio.sleep(60)
        kept = sizes(daemon)
        for number in range(2_000):
            world.folder.touched.queue.put_nowait(f"nothing-{number}")
            world.systemd.changes.queue.put_nowait(f"nothing-{number}.service")
            world.folders.changes.queue.put_nowait(f"nothing-{number}")
        await anyio.sleep(5)
        await daemon.queue.wait_idle()
        daemon.queue.add_debounced("app:quiet")
        await daemon.queue.wait_idle()
        await anyio.sleep(5)
        daemon.queue.add_debounced("app:quiet")
        await daemon.queue.wait_idle()
        now = sizes(daemon)
        assert {name for name in now if now[name] > kept[name]} == set()


def sizes(daemon):
    """How much each collection of those who deal with keys holds."""
    return {
        f"{type(thing).__name__}.{name}": len(value)
        for thing in (daemon.queue, daemon.loop, daemon.board)
        for name in getattr(thing, "__struct_fields__", None) or vars(thing)
        if isinstance(value := getattr(thing, name), dict | set | list)
    }


async def test_at_rest_one_alarm_is_armed_and_no_other_timer(world):
    world.reader.put("home", APPS)
    async with world.running() as daemon:
        for _ in range(5):
            await anyio.sleep(1_000)
            await daemon.queue.wait_idle()
            timers = asyncio.get_running_loop()._scheduled
            assert len([one for one in timers if not one.cancelled()]) == 1
