"""An image that is newer is pulled while all else is worked out, on the whole daemon."""

import anyio
import pytest

from supervisor.core.images.reference import name_and_tag
from supervisor.model.events import EventKind
from supervisor.model.status import AppState, OrderRequest
from tests.fakes.ports import oid

IMAGE = "reg.example/web:1"
OTHER = "reg.example/db:1"
WEB = f"v=1 image={IMAGE} track=digest"
DB = f"v=1 image={OTHER} track=digest"
PULL = 60
"""How long the fake Podman takes, in seconds."""


def push(world, content, image=IMAGE, *, is_there=True):
    """Push to the registry; returns what a unit says to run that."""
    repository, _ = name_and_tag(image)
    runs = f"{repository}@{world.registry.push(image, content)}"
    if is_there:
        world.podman.registry.add(runs)
    return runs


async def deploy(world, daemon, files):
    await world.push(daemon, files)
    await anyio.sleep(PULL + 5)
    await daemon.queue.wait_idle()


def tell(daemon, *images):
    """A webhook tells of these."""
    for image in images or (IMAGE,):
        daemon.queue.add(f"image-check:{image} digest")


def state(daemon, name="web"):
    return next(one.state for one in daemon.service.status().apps if one.name == name)


async def test_a_pull_goes_on_while_the_new_release_is_judged(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": WEB})
        second, world.generator.seconds = push(world, "two"), float(PULL)
        tell(daemon)
        await anyio.sleep(1)
        assert world.podman.pulls[-1] == second
        await anyio.sleep(PULL + 1)
        assert world.machine.running["web.service"] == oid(WEB + second)
        assert world.podman.pulls.count(second) == 1
        (pulled,) = (one for one in world.events(EventKind.STEP) if one.subject == second)
        assert (pulled.app, pulled.reason) == ("web", "pulled")


async def test_one_that_takes_longer_is_waited_for_and_not_pulled_twice(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"{WEB} authfile=/a.json"})
        second = push(world, "two")
        world.podman.private[second] = "/a.json"
        daemon.queue.add(f"image-check:{IMAGE} digest /a.json")
        await anyio.sleep(PULL / 2)
        (waiting,) = (one for one in daemon.service.status().apps if one.waiting)
        assert second in str(waiting.waiting)
        await anyio.sleep(PULL / 2 + 1)
        assert world.podman.pulls.count(second) == 1
        assert state(daemon) is AppState.READY


async def test_one_that_fails_at_once_is_tried_again_as_ever(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": WEB})
        world.podman.pull_seconds = 0.0
        second = push(world, "two", is_there=False)
        tell(daemon)
        await anyio.sleep(4)
        assert world.podman.pulls.count(second) == 1
        (waiting,) = (one for one in daemon.service.status().apps if one.waiting)
        assert "no route to host" in str(waiting.waiting)
        await anyio.sleep(4)
        assert world.podman.pulls.count(second) == 2
        world.podman.registry.add(second)
        await anyio.sleep(20)
        assert state(daemon) is AppState.READY


@pytest.mark.parametrize(
    ("more", "why"), [("cooldown=3600", "cooldown"), ("update=notify", "update is notify")]
)
async def test_nothing_is_pulled_that_is_not_to_be_run_yet(world, more, why):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"{WEB} {more}"})
        second = push(world, "two")
        tell(daemon)
        await anyio.sleep(PULL)
        (update,) = daemon.service.status().apps[0].updates
        assert why in update.why
        assert second not in world.podman.pulls


async def test_nothing_is_pulled_for_an_app_that_is_suspended(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": WEB})
        await daemon.service.suspend(OrderRequest(apps=("web",)))
        second = push(world, "two")
        tell(daemon)
        await anyio.sleep(PULL)
        assert second not in world.podman.pulls


async def test_nothing_is_pulled_of_what_failed_here(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": WEB})
        second = push(world, "two")
        world.machine.bad.add(oid(WEB + second))
        tell(daemon)
        await anyio.sleep(PULL + 5)
        await daemon.queue.wait_idle()
        world.podman.machine.images.discard(second)
        mark = len(world.podman.pulls)
        push(world, "one")
        tell(daemon)
        await anyio.sleep(PULL)
        push(world, "two")
        tell(daemon)
        await anyio.sleep(PULL)
        assert second not in world.podman.pulls[mark:]
        assert first in world.machine.images


async def test_nothing_is_pulled_for_an_app_that_the_plan_refuses(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": WEB})
        world.folder.foreign = {"web.service": "/home/pi/web.container"}
        daemon.queue.add("app:web")
        await daemon.queue.wait_idle()
        assert state(daemon) is AppState.REFUSED
        second = push(world, "two")
        tell(daemon)
        await anyio.sleep(PULL)
        assert second not in world.podman.pulls


async def test_nothing_is_pulled_before_another_app_has_had_its_turn(world):
    push(world, "one")
    push(world, "one", OTHER)
    async with world.running() as daemon:
        files = {"web/web.container": f"{WEB} after=db", "db/db.container": DB}
        await deploy(world, daemon, files)
        await anyio.sleep(PULL + 5)
        web, db = push(world, "two"), push(world, "two", OTHER)
        tell(daemon, OTHER)
        await anyio.sleep(5)
        tell(daemon, IMAGE)
        await anyio.sleep(PULL - 10)
        assert db in world.podman.pulls
        assert web not in world.podman.pulls
        await anyio.sleep(2 * PULL)
        assert web in world.podman.pulls


async def test_what_is_only_to_be_at_hand_is_pulled_once_for_all_apps(world):
    push(world, "one")
    async with world.running() as daemon:
        text = f"{WEB} update=download"
        await deploy(world, daemon, {"a/a.container": text, "b/b.container": text})
        second = push(world, "two")
        tell(daemon)
        await anyio.sleep(PULL + 1)
        assert world.podman.pulls.count(second) == 1
        pulled = [one for one in world.events(EventKind.STEP) if one.subject == second]
        assert {one.app for one in pulled} == {"a", "b"}
