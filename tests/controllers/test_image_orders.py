"""What people order of releases that differ in their images, on the daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageKnowledge, ImageOrder, ImageQuestion, ImageVersion
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, OrderRequest
from tests.fakes.ports import oid

SETTLE = 10
PULL = 60
"""How long the fake Podman takes, in seconds."""
IMAGE = "reg.example/web:1"
QUESTION = ImageQuestion(image=IMAGE)
A, B, C = (f"reg.example/web@sha256:{letter * 64}" for letter in "abc")
WEB = f"v=1 image={IMAGE} track=digest"
ONE = {"web/web.container": WEB}
WEB_ALONE = OrderRequest(apps=("web",))


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    world.podman.registry.update((A, B, C))
    return world


async def nothing(_event):
    pass


async def tell(world, daemon, *versions):
    """The registry has one version after the other, and each is tried."""
    for runs in versions:
        version = ImageVersion(runs=runs, tag="1", seen_at=world.clock.now())
        knowledge = ImageKnowledge(question=QUESTION, newest=version)
        world.ledger.put(knowledge, QUESTION.key)
        daemon.desired_state.images_changed()
        daemon.queue.add("changed-apps")
        await anyio.sleep(PULL + SETTLE + 3)
        await daemon.queue.wait_idle()


def running(world, unit="web.service"):
    """The image that a unit was started with, if it runs."""
    digest = world.machine.running.get(unit)
    return next(
        (one.images[0] for one in world.machine.catalogue.values() if one.digest == digest), ""
    )


def releases(world):
    """The releases that were tried, by what they run."""
    return {one.pins[0].runs: one for one in world.ledger.rollouts("web")}


async def test_a_version_that_failed_is_tried_again_if_a_person_says_so(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A)
        world.machine.bad.add(oid(WEB + B))
        await tell(world, daemon, B)
        assert running(world) == A
        world.machine.bad.clear()
        reply = await daemon.service.retry(WEB_ALONE, nothing)
        assert running(world) == B
        assert [one.state for one in reply.apps] == [AppState.READY]
        assert releases(world)[B].outcome is Outcome.GOOD
        (event,) = world.events(EventKind.RESUMED)
        assert "reg.example/web 1 (bbbbbbbbbbbb)" in event.reason


async def test_what_fails_once_more_stays_in_quarantine(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A)
        world.machine.bad.add(oid(WEB + B))
        await tell(world, daemon, B)
        reply = await daemon.service.retry(WEB_ALONE, nothing)
        assert running(world) == A
        assert releases(world)[B].outcome is Outcome.FAILED
        assert [one.failed for one in reply.apps[0].updates] == [True]


async def test_a_resume_tries_no_version_that_failed(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A, B)
        world.machine.bad.add(oid(WEB + C))
        await tell(world, daemon, C)
        await daemon.service.rollback(WEB_ALONE, nothing)
        await daemon.service.resume(WEB_ALONE, nothing)
        await anyio.sleep(PULL + SETTLE + 3)
        assert running(world) == A
        assert releases(world)[C].outcome is Outcome.FAILED


async def test_only_what_is_asked_for_now_is_tried_again(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A)
        world.machine.bad.update((oid(WEB + B), oid(WEB + C)))
        await tell(world, daemon, B, C)
        await daemon.service.retry(WEB_ALONE, nothing)
        assert releases(world)[B].outcome is Outcome.FAILED


async def test_a_revision_that_failed_is_tried_again_and_a_hold_stays(world):
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "v=1"})
        await anyio.sleep(SETTLE + 1)
        world.systemd.mends = {"web.service": "v=1"}
        world.machine.broken.add("web.service")
        await world.push(daemon, {"web/web.container": "v=2"})
        assert daemon.board.apps["web"].state is AppState.REVERTED
        assert "podvisor retry web" in daemon.board.apps["web"].findings[0].command
        world.machine.broken.clear()
        await daemon.service.suspend(WEB_ALONE)
        await daemon.service.retry(WEB_ALONE, nothing)
        assert daemon.board.apps["web"].state is AppState.SUSPENDED
        await daemon.service.resume(WEB_ALONE, nothing)
        await anyio.sleep(SETTLE + 1)
        assert daemon.board.apps["web"].state is AppState.READY
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD


async def test_there_may_be_nothing_to_try_again(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A)
        with pytest.raises(Stalled, match="nothing failed of what is asked of it now") as refused:
            await daemon.service.retry(WEB_ALONE, nothing)
        assert "podvisor history web" in refused.value.hint


async def test_a_rollback_goes_to_the_version_before_and_stays_there(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A, B)
        assert running(world) == B
        (web,) = (await daemon.service.rollback(WEB_ALONE, nothing)).apps
        assert running(world) == A
        assert web.state is AppState.HELD
        assert web.held.images == "reg.example/web 1 (aaaaaaaaaaaa)"
        (image,) = (await daemon.service.images("web")).images
        assert image.held.version.runs == B
        assert "held" in image.held.why
        await tell(world, daemon, C)
        assert running(world) == A
        (held,) = world.events(EventKind.HELD)
        assert "(aaaaaaaaaaaa)" in held.reason
        await daemon.service.resume(WEB_ALONE, nothing)
        await anyio.sleep(PULL + SETTLE + 3)
        assert running(world) == C


async def test_a_rollback_names_a_release_or_a_revision_that_ran_with_several(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A, B, C)
        order = OrderRequest(apps=("web",), revision=releases(world)[C].revision[:7])
        await daemon.service.rollback(order, nothing)
        assert running(world) == B, "the last good one of it that does not run"
        order = OrderRequest(apps=("web",), revision=releases(world)[A].release)
        await daemon.service.rollback(order, nothing)
        assert running(world) == A


async def test_a_version_that_failed_is_no_way_back(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await tell(world, daemon, A)
        world.machine.bad.add(oid(WEB + B))
        await tell(world, daemon, B, C)
        (web,) = (await daemon.service.rollback(WEB_ALONE, nothing)).apps
        assert (running(world), web.state) == (A, AppState.HELD)
        order = OrderRequest(apps=("web",), revision=releases(world)[B].release)
        with pytest.raises(Stalled, match="failed here"):
            await daemon.service.rollback(order, nothing)


async def test_what_was_ordered_of_an_app_goes_with_it(world):
    async with world.running() as daemon:
        await world.push(daemon, {**ONE, "db/db.container": ""})
        order = ImageOrder(app="web", question=QUESTION.key, at=1.0, now=A)
        world.ledger.put(order, order.key)
        await tell(world, daemon, A)
        await world.push(daemon, {"db/db.container": ""})
        assert not world.ledger.all(ImageOrder)
