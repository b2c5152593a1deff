"""What is seen of a pull while it goes on, and what is not begun."""

import anyio
import msgspec
import pytest

from supervisor.model.incident import IncidentCode
from supervisor.model.need import NeedKind
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, AppStatus, SyncRequest

pytestmark = pytest.mark.anyio


def image_needs(status):
    return [str(need) for need in status.waiting if need.kind is NeedKind.IMAGE]


async def test_the_status_says_how_far_a_pull_is_and_nothing_is_written_for_it(world):
    world.podman.registry.add("img:2")
    world.reader.put("home", {"web/web.container": "image=img:2"})
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(20)
        written = len(world.events())
        assert image_needs(daemon.service.status().apps[0]) == ["image img:2: pulling"]
        await anyio.sleep(20)
        said = "image img:2: pulling: 1 of 2 layers, 20 MB of 40 MB"
        assert image_needs(daemon.service.status().apps[0]) == [said]
        assert len(world.events()) == written
        await anyio.sleep(40)
        assert image_needs(daemon.service.status().apps[0]) == []


async def test_a_sync_hears_how_far_a_pull_is(world):
    world.podman.registry.add("img:2")
    world.reader.put("home", {"web/web.container": ""})
    async with world.running() as daemon:
        world.reader.put("home", {"web/web.container": "image=img:2"})
        heard = []

        async def tell(one):
            if isinstance(one, AppStatus):
                heard.extend(image_needs(one))

        await daemon.service.sync(SyncRequest(), tell)
        assert heard == [
            "image img:2: pulling",
            "image img:2: pulling: 1 of 2 layers, 20 MB of 40 MB",
        ]


async def test_an_image_that_does_not_fit_is_refused_with_figures_and_tried_again(world):
    world.podman.registry.add("img:2")
    world.podman.free = 50 * 10**6
    world.reader.put("home", {"web/web.container": "image=img:2"})
    async with world.running() as daemon:
        (said,) = image_needs(daemon.service.status().apps[0])
        assert "50 MB are free in /store" in said
        assert world.podman.pulls == []
        world.podman.free = 110 * 10**6
        await anyio.sleep(45)
        (said,) = image_needs(daemon.service.status().apps[0])
        assert "it needs about 120 MB, and 110 MB are free in /store" in said
        assert "img:2" not in world.machine.images
        (event, *_) = [one for one in world.events() if one.step == "pull" and not one.ok]
        assert "make room" in event.detail
        world.podman.free = 1 << 40
        await anyio.sleep(1000)
        assert "img:2" in world.machine.images


async def test_what_could_not_be_pulled_is_told_as_past_once_that_was_mended(world):
    rollout = RolloutSettings(settle=10)
    world.settings = msgspec.structs.replace(world.settings, rollout=rollout)
    world.reader.put("home", {"web/web.container": "image=img:2"})
    async with world.running() as daemon:
        await anyio.sleep(70)
        (failed,) = daemon.service.status().incidents
        assert (failed.code, failed.meanwhile) == (IncidentCode.IMAGE_UNAVAILABLE, "")
        world.podman.registry.add("img:2")
        seen = set()
        while daemon.service.status().apps[0].state is not AppState.READY:
            for one in daemon.service.status().incidents:
                assert one.text == failed.text
                seen.add(one.meanwhile)
            await anyio.sleep(1)
        assert {"", "on trial now"} <= seen <= {"", "a pass is under way", "on trial now"}
        assert daemon.service.status().incidents == ()
