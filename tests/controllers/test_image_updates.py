"""`update`, `pin` and `unpin`, on the whole daemon with a registry, in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.core.images.reference import name_and_tag
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.image_status import PinRequest, UpdateRequest
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, OrderRequest, ScaleRequest
from tests.fakes.ports import oid

SETTLE = 10
PULL = 60
"""How long the fake Podman takes, in seconds."""
IMAGE = "reg.example/web:1"
WEB = f"v=1 image={IMAGE} track=digest"
ONE = {"web/web.container": WEB}


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    return world


async def nothing(_event):
    pass


def push(world, content, image=IMAGE):
    """Push to the registry; returns what a unit says to run that."""
    repository, _ = name_and_tag(image)
    runs = f"{repository}@{world.registry.push(image, content)}"
    world.podman.registry.add(runs)
    return runs


async def deploy(world, daemon, files):
    await world.push(daemon, files)
    await anyio.sleep(PULL + SETTLE + 5)
    await daemon.queue.wait_idle()


def running(world, unit="web.service"):
    """The image that a unit was started with, if it runs."""
    digest = world.machine.running.get(unit)
    return next(
        (one.images[0] for one in world.machine.catalogue.values() if one.digest == digest), ""
    )


async def update(daemon, name="", **more):
    return await daemon.service.update(UpdateRequest(name=name, **more), nothing)


async def pin(daemon, *words, **more):
    return await daemon.service.pin(PinRequest(app="web", words=words, **more), nothing)


async def unpin(daemon, *words):
    return await daemon.service.unpin(PinRequest(app="web", words=words), nothing)


@pytest.mark.parametrize("name", ["", "web", "reg.example/web"])
async def test_an_update_asks_now_and_ends_when_it_is_through_the_gate(world, name):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        assert running(world) == first
        second = push(world, "two")
        mark = len(world.registry.asked)
        reply = await update(daemon, name)
        assert running(world) == second
        assert world.registry.asked_since(mark) == [IMAGE]
        assert [one.state for one in reply.apps] == [AppState.READY]
        (image,) = reply.images
        assert (image.running.runs, image.newer, image.on_trial) == (second, None, False)
        assert image.next_check_at > world.clock.now()


@pytest.mark.parametrize("is_good", [True, False])
async def test_scaled_to_none_a_newer_version_is_tried_with_the_first_that_runs(world, is_good):
    """Nothing could be judged of it before: it would be good without ever having run."""
    first, text = push(world, "one"), f"{WEB} # replicas=2"
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web@.container": text})
        await daemon.service.scale(ScaleRequest(app="web", replicas=0), nothing)
        second = push(world, "two")
        if not is_good:
            world.machine.bad.add(oid(WEB + second))
        reply = await update(daemon, "web", now=True)
        (image,) = reply.images
        assert "scaled to 0" in image.held.why
        assert all(
            second not in pin.runs for one in world.ledger.rollouts("web") for pin in one.pins
        )
        await daemon.service.scale(ScaleRequest(app="web", replicas=2), nothing)
        await anyio.sleep(PULL + 9 * SETTLE)
        await daemon.queue.wait_idle()
        for unit in ("web@1.service", "web@2.service"):
            assert running(world, unit) == (second if is_good else first)
        last = world.ledger.rollouts("web")[-1]
        assert last.outcome is (Outcome.GOOD if is_good else Outcome.FAILED)


async def test_an_update_without_news_changes_nothing(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        world.systemd.jobs.clear()
        await update(daemon)
        assert world.systemd.jobs == []


async def test_the_status_says_that_a_registry_cannot_be_asked(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        assert daemon.service.status().unknown_images == ()
        why = f"cannot ask about {IMAGE}: Connection refused"
        world.registry.failures["reg.example"] = Retry(why)
        await anyio.sleep(4_000)
        status = daemon.service.status()
        (one,) = status.unknown_images
        assert (one.registry, one.images, one.problem) == ("reg.example", 1, "Connection refused")
        assert [app.state for app in status.apps] == [AppState.READY]


async def test_an_update_of_what_fails_tells_so(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        second = push(world, "two")
        world.machine.bad.add(oid(WEB + second))
        (image,) = (await update(daemon)).images
        assert running(world) == image.running.runs == first
        assert image.held.failed
        (image,) = (await update(daemon, now=True)).images
        assert running(world) == first, "not even now"
        assert image.held.failed


async def test_what_waits_goes_now_if_a_person_says_so(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"{WEB} cooldown=3600"})
        second = push(world, "two")
        (image,) = (await update(daemon)).images
        assert running(world) == first
        assert "cooldown" in image.held.why
        assert image.held.early
        (image,) = (await update(daemon, now=True, reason="CVE")).images
        assert running(world) == second
        assert image.held is None
        (event,) = world.events(EventKind.RESUMED)
        assert "waits no longer" in event.reason
        assert "cooldown" in event.reason
        assert event.reason.endswith(": CVE")
        push(world, "three")
        (image,) = (await update(daemon)).images
        assert running(world) == second, "now is no word on what comes later"


async def test_a_dry_run_tells_what_would_be_and_changes_nothing(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        second = push(world, "two")
        before, known = len(world.ledger.events()), world.ledger.all(ImageKnowledge)
        (image,) = (await update(daemon, dry_run=True)).images
        assert (image.running.runs, image.moves_to.runs) == (first, second)
        assert image.held is None
        assert running(world) == first
        assert len(world.ledger.events()) == before
        assert world.ledger.all(ImageKnowledge) == known
        assert not world.ledger.all(ImageOrder)


async def test_dry_runs_wait_where_a_registry_is_asked_much(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        problems = []

        async def look():
            (image,) = (await update(daemon, dry_run=True)).images
            problems.append(image.known.problem)

        async with anyio.create_task_group() as tasks:
            for _ in range(150):
                tasks.start_soon(look)
        assert problems == [""] * 150


async def test_a_dry_run_tells_what_would_hold_it(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"{WEB} cooldown=3600"})
        second = push(world, "two")
        (image,) = (await update(daemon, dry_run=True)).images
        assert image.moves_to is None
        assert "cooldown" in image.held.why
        (image,) = (await update(daemon, dry_run=True, now=True)).images
        assert image.moves_to.runs == second
        assert "cooldown" in image.passes
        assert image.held is None


async def test_a_registry_that_does_not_answer_is_told_of(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        world.registry.failures["reg.example"] = Retry("reg.example does not answer")
        for dry_run in (True, False):
            (image,) = (await update(daemon, dry_run=dry_run)).images
            assert image.known.problem == "reg.example does not answer"
            assert image.known.newest.runs == first
            assert image.moves_to is None


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_update_of_what_is_off_asks_nothing_and_says_so(world, dry_run):
    push(world, "one")
    old = push(world, "old", "reg.example/web:0.9")
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"{WEB} update=off"})
        with pytest.raises(Stalled, match="updates of web are off"):
            await update(daemon, "web", dry_run=dry_run)
        assert world.registry.asked == []
        (image,) = (await daemon.service.images("web")).images
        assert image.off
        await pin(daemon, "0.9")
        assert running(world) == old


async def test_an_app_that_waits_for_its_first_version_says_what_to_do(world):
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        said = map(str, daemon.service.status().apps[0].waiting)
        assert any("(push it, or write another tag)" in need for need in said)


async def test_what_runs_is_pinned_and_let_go_again(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        (image,) = (await pin(daemon, reason="it works")).images
        assert image.pinned.runs == first
        second = push(world, "two")
        (image,) = (await update(daemon, now=True)).images
        assert running(world) == first, "a pin beats now"
        assert "pinned" in image.held.why
        (image,) = (await unpin(daemon, "web")).images
        assert running(world) == second
        assert image.pinned is None
        (pinned,) = world.events(EventKind.PINNED)
        assert pinned.subject == IMAGE
        assert pinned.reason.endswith(": it works")
        assert "no longer pinned" in world.events(EventKind.RESUMED)[-1].reason


async def test_a_pin_ends_with_the_tag_that_it_was_ordered_for(world):
    first = push(world, "one")
    second = push(world, "two", "reg.example/web:2")
    other = WEB.replace("web:1", "web:2")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        await pin(daemon)
        world.machine.bad.add(oid(other + second))
        await deploy(world, daemon, {"web/web.container": other})
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.FAILED
        assert running(world) == first
        assert len(world.ledger.all(ImageOrder)) == 1, "the way back asks what was pinned"
        await deploy(world, daemon, {"web/web.container": f"{other} again=yes"})
        assert running(world) == second
        assert not world.ledger.all(ImageOrder)
        event = world.events(EventKind.RESUMED)[-1]
        assert (event.app, event.subject) == ("web", IMAGE)
        assert "no longer pinned at reg.example/web 1 (" in event.reason


async def test_a_pin_outlives_a_rollback_to_what_follows_something_else(world):
    push(world, "one")
    second = push(world, "two", "reg.example/web:2")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        await deploy(world, daemon, {"web/web.container": WEB.replace("web:1", "web:2")})
        await pin(daemon)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert running(world) != second
        assert len(world.ledger.all(ImageOrder)) == 1


async def test_a_pin_stays_with_its_policy(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        await pin(daemon)
        await deploy(world, daemon, {"web/web.container": WEB.replace("v=1", "v=2")})
        assert len(world.ledger.all(ImageOrder)) == 1
        assert not world.events(EventKind.RESUMED)


async def test_a_pin_outlives_a_restart(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        await pin(daemon)
    push(world, "two")
    async with world.running() as daemon:
        await update(daemon)
        assert running(world) == first


@pytest.mark.parametrize(
    "words", [["0.9"], ["web", "0.9"], ["web:0.9"], ["reg.example/web", "0.9"]], ids=" ".join
)
async def test_a_tag_is_pinned_as_it_stands_now(world, words):
    push(world, "one")
    old = push(world, "old", "reg.example/web:0.9")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        (image,) = (await pin(daemon, *words)).images
        assert running(world) == old
        assert (image.pinned.tag, image.pinned.runs) == ("0.9", old)
        push(world, "another", "reg.example/web:0.9")
        await update(daemon)
        assert running(world) == old


async def test_a_version_that_ran_here_is_pinned_by_the_beginning_of_its_digest(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        second = push(world, "two")
        await update(daemon)
        assert running(world) == second
        digest = first.rpartition("@")[2]
        for word in (digest, digest[:19], digest[7:15]):
            (image,) = (await pin(daemon, word)).images
            assert image.pinned.runs == running(world) == first


async def test_a_digest_that_never_ran_here_is_pinned_if_its_registry_has_it(world):
    runs = push(world, "none of its tags any more")
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        await pin(daemon, runs.rpartition("@")[2])
        assert running(world) == runs


async def test_a_digest_that_nobody_has_is_not_pinned(world):
    first = push(world, "one")
    digest = f"sha256:{'d' * 64}"
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        with pytest.raises(Stalled, match=f"there is no reg.example/web@{digest}"):
            await pin(daemon, digest)
        world.registry.failures["reg.example"] = Retry("reg.example does not answer")
        with pytest.raises(Retry, match="does not answer"):
            await pin(daemon, digest)
        assert not world.ledger.all(ImageOrder)
        assert running(world) == first


async def test_a_digest_that_is_here_is_pinned_without_asking(world):
    push(world, "one")
    runs = f"reg.example/web@sha256:{'d' * 64}"
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        world.registry.failures["reg.example"] = Retry("reg.example does not answer")
        world.machine.images.add(runs)
        await pin(daemon, runs.rpartition("@")[2])
        assert running(world) == runs


async def test_a_tag_is_found_here_while_the_registry_does_not_answer(world):
    push(world, "one")
    runs = f"reg.example/web@sha256:{'d' * 64}"
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        world.registry.failures["reg.example"] = Retry("reg.example does not answer")
        with pytest.raises(Retry, match="does not answer"):
            await pin(daemon, "0.9")
        world.machine.images.update({"reg.example/web:0.9", runs})
        world.podman.digests["reg.example/web:0.9"] = (runs,)
        (image,) = (await pin(daemon, "0.9")).images
        assert image.pinned.runs == runs


async def test_a_registry_that_said_when_to_come_again_is_let_alone_by_a_pin_too(world):
    push(world, "one")
    push(world, "old", "reg.example/web:0.9")
    never_here = push(world, "none of its tags any more").rpartition("@")[2]
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        world.registry.failures["reg.example"] = Retry("429 Too Many", after_seconds=3_600)
        with pytest.raises(Retry, match="429"):
            await pin(daemon, "0.9")
        world.registry.failures.clear()
        mark = len(world.registry.asked)
        for word in ("0.9", never_here):
            with pytest.raises(Retry, match=r"reg\.example is asked again in"):
                await pin(daemon, word)
        await update(daemon)
        assert world.registry.asked_since(mark) == []
        await anyio.sleep(3_600)
        (image,) = (await pin(daemon, "0.9")).images
        assert image.pinned.tag == "0.9"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["web", "no tag"], "is no version of reg.example/web"),
        (["nothing-like-it", "1"], "web has no image named"),
        (["2"], "there is no reg.example/web:2"),
    ],
)
async def test_what_cannot_be_pinned_is_refused(world, words, message):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        with pytest.raises(Stalled, match=message) as refused:
            await pin(daemon, *words)
        assert refused.value.hint
        assert not world.ledger.all(ImageOrder)


async def test_what_is_not_pinned_cannot_be_let_go(world):
    push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        with pytest.raises(Stalled, match="it is not pinned"):
            await unpin(daemon)
        with pytest.raises(Stalled, match="no app named “wbe”"):
            await daemon.service.unpin(PinRequest(app="wbe"), nothing)


async def test_an_app_that_follows_nothing_has_nothing_to_update(world):
    async with world.running() as daemon:
        await deploy(world, daemon, {"web/web.container": f"image={IMAGE}"})
        for order in (update(daemon), update(daemon, "web"), pin(daemon)):
            with pytest.raises(Stalled, match="no newer versions of") as refused:
                await order
            assert "AutoUpdate=registry" in refused.value.hint


async def test_a_held_app_stays_whatever_is_ordered(world):
    first = push(world, "one")
    async with world.running() as daemon:
        await deploy(world, daemon, ONE)
        push(world, "two")
        await update(daemon)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        (image,) = (await update(daemon, now=True)).images
        assert running(world) == first
        assert "held" in image.held.why
        assert not image.held.early
