"""A registry that wants to be let alone, on the whole daemon in virtual time."""

import anyio
import pytest

from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from tests.controllers import test_image_updates as updates
from tests.controllers.test_image_updates import IMAGE, ONE, deploy, pin, push, running, update

world = updates.world
OTHER = "reg.example/dl:latest"
DAY = 86_400.0


async def let_alone(world, daemon):
    """The registry answers once for another image's question that it wants a day's rest."""
    full = f"cannot ask about {OTHER}: reg.example answers 429: enough"
    world.registry.failures["reg.example"] = Retry(full, after_seconds=DAY)
    await update(daemon, "dl")
    world.registry.failures.clear()


async def followed(world, daemon):
    first = push(world, "one")
    push(world, "dl", OTHER)
    other = f"v=1 image={OTHER} track=digest"
    await deploy(world, daemon, {**ONE, "dl/dl.container": other})
    assert running(world) == first
    return first


async def test_a_registry_that_wants_to_be_let_alone_is_told_of_itself(world):
    async with world.running() as daemon:
        first = await followed(world, daemon)
        await let_alone(world, daemon)
        mark = len(world.registry.asked)
        (image,) = (await update(daemon, "web")).images
        assert image.known.problem == (
            "reg.example is asked again in 1d, as it wants to be let alone:"
            " reg.example answers 429: enough"
        )
        assert image.known.hint == "podvisor update reg.example/web --now asks at once"
        with pytest.raises(Retry, match=r"reg\.example is asked again in") as failure:
            await pin(daemon, "2")
        assert failure.value.hint == "podvisor update reg.example/web --now asks at once"
        assert world.registry.asked[mark:] == []
        assert running(world) == first


@pytest.mark.parametrize("name", ["web", "reg.example/web"])
async def test_who_says_now_has_a_registry_asked_that_wants_to_be_let_alone(world, name):
    async with world.running() as daemon:
        await followed(world, daemon)
        await let_alone(world, daemon)
        second = push(world, "two")
        mark = len(world.registry.asked)
        await update(daemon, name, now=True, reason="CVE")
        assert world.registry.asked[mark:] == [IMAGE]
        assert world.registry.rests_ended == 1
        assert running(world) == second
        (event,) = world.events(EventKind.RESUMED)
        assert (event.app, event.subject) == ("web", IMAGE)
        assert event.reason.startswith(
            "reg.example is asked at once, as a person says, though it wants to be let alone for"
        )
        assert event.reason.endswith("CVE")
        await update(daemon, "dl")
        assert world.registry.asked[-1] == OTHER, "it answered: it is asked as ever"


async def test_a_registry_that_still_has_enough_is_asked_once(world):
    async with world.running() as daemon:
        await followed(world, daemon)
        await let_alone(world, daemon)
        again = Retry(f"cannot ask about {IMAGE}: reg.example answers 429", after_seconds=DAY)
        world.registry.failures["reg.example"] = again
        mark = len(world.registry.asked)
        (image,) = (await update(daemon, "web", now=True)).images
        assert "answers 429" in image.known.problem
        await update(daemon, "web")
        await anyio.sleep(DAY / 2)
        assert world.registry.asked[mark:] == [IMAGE]


async def test_a_dry_run_says_now_as_well(world):
    async with world.running() as daemon:
        await followed(world, daemon)
        await let_alone(world, daemon)
        second = push(world, "two")
        (image,) = (await update(daemon, "web", now=True, dry_run=True)).images
        assert image.moves_to.runs == second
        assert not world.events(EventKind.RESUMED)
