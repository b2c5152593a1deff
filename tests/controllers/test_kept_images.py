"""Images of releases that were good stay on the host; older ones go, if they are nobody's."""

import anyio
import pytest

from supervisor.controllers.keys import Kind
from supervisor.core.images.keep import kept_name
from supervisor.model.events import EventKind
from supervisor.model.image import Pin
from supervisor.model.rollout import Outcome, Rollout

pytestmark = pytest.mark.anyio

QUESTION = "docker.io/library/nginx:1 digest"


def version(number):
    return "docker.io/library/nginx@sha256:" + f"{number}" * 64


def tried(number, outcome=Outcome.GOOD):
    pin = Pin(path="web.container", question=QUESTION, runs=version(number))
    return Rollout(
        name="web",
        source="home",
        revision="r",
        root="web",
        files=(),
        pins=(pin,),
        release=f"release {number}",
        began_at=float(number),
        ended_at=number + 0.5,
        outcome=outcome,
    )


async def look(world, daemon):
    daemon.queue.add(Kind.KEPT_IMAGES)
    await daemon.queue.wait_idle()
    return set(world.machine.images)


async def test_the_last_that_were_good_are_kept_and_older_ones_go(world):
    world.reader.put("home", {"web/web.container": ""})
    async with world.running() as daemon:
        for number in (1, 2, 3, 4):
            world.ledger.put_rollout(tried(number))
        world.ledger.put_rollout(tried(5, Outcome.FAILED))
        world.machine.images = {version(n) for n in (1, 2, 3, 4, 5)}
        kept = {name for n in (2, 3, 4) for name in (version(n), kept_name(version(n)))}
        world.machine.images.add(version(6))
        assert await look(world, daemon) == kept | {version(6)}, "that one was never podvisor's"
        removed = [one for one in world.events(EventKind.STEP) if one.step == "remove-image"]
        assert {one.subject for one in removed} == {version(1), version(5)}


async def test_of_units_that_share_an_image_the_one_that_keeps_most_counts(world):
    asks = "image=docker.io/library/nginx:1 track=digest update=off"
    keep = {"a": 2, "b": 4, "c": 1}
    files = {f"web/{name}.container": f"{asks} keep={most}" for name, most in keep.items()}
    world.reader.put("home", files)
    async with world.running() as daemon:
        for number in (1, 2, 3, 4, 5):
            world.ledger.put_rollout(tried(number))
        world.machine.images = {version(n) for n in (1, 2, 3, 4, 5)}
        assert version(1) not in await look(world, daemon)
        assert {version(n) for n in (2, 3, 4, 5)} <= world.machine.images


async def test_what_a_container_runs_and_what_a_unit_names_stays(world):
    world.machine.images = {version(1), "localhost/tagged:1"}
    world.reader.put("home", {"web/web.container": f"image={version(1)}"})
    async with world.running() as daemon:
        await world.podman.tag_image(version(1), kept_name(version(1)))
        here = await look(world, daemon)
        assert here == {version(1), kept_name(version(1)), "localhost/tagged:1"}
        await world.push(daemon, {"web/web.container": ""})
        assert await look(world, daemon) == {"localhost/tagged:1"}


async def test_a_release_is_followed_by_a_look_that_nobody_waits_for(world):
    world.reader.put("home", {"web/web.container": ""})
    async with world.running() as daemon:
        due = daemon.queue.due_in(Kind.KEPT_IMAGES)
        assert due
        assert 0 < due <= 30
        await anyio.sleep(60)
        assert daemon.queue.due_in(Kind.KEPT_IMAGES) is None


async def test_a_podman_that_does_not_answer_is_asked_again(world):
    world.reader.put("home", {"web/web.container": ""})
    async with world.running() as daemon:
        world.ledger.put_rollout(tried(1))
        world.machine.images = {version(1)}
        world.podman.down = True
        assert await look(world, daemon) == {version(1)}
        world.podman.down = False
        await anyio.sleep(60)
        assert world.machine.images == {version(1), kept_name(version(1))}
