"""A newer version of an image as a release of its app, on the whole daemon in virtual time."""

import anyio
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.controllers.keys import Kind
from supervisor.core.images.keep import kept_name
from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from supervisor.model.image import (
    ImageKnowledge,
    ImageOrder,
    ImagePolicy,
    ImageQuestion,
    UpdateMode,
)
from supervisor.model.podman import PodmanEvent
from supervisor.model.rollout import Hold, Outcome
from supervisor.model.settings import ImageSettings, RolloutSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.examples import scaled
from tests.fakes.ports import oid

SETTLE = 10
IMAGE = "reg.example/web:1"
PULL = 60
"""How long the fake Podman takes, in seconds."""
QUESTION = ImageQuestion(image=IMAGE, policy=ImagePolicy())
CHECK = Kind.IMAGE_CHECK.key(QUESTION.key)
A, B, C, D = (f"reg.example/web@sha256:{letter * 64}" for letter in "abcd")
WEB = f"v=1 image={IMAGE} track=digest"
ONE = {"web/web.container": WEB}


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
    )
    world.podman.registry.update((A, B, C, D))
    return world


def push_image(world, runs):
    """The registry has this version now."""
    world.registry.repositories["reg.example/web"] = {"1": runs.partition("@")[2]}


async def tell(world, daemon, runs):
    """The registry has this version now, and somebody says so."""
    push_image(world, runs)
    daemon.queue.add(CHECK)
    await anyio.sleep(PULL + 2)
    await daemon.queue.wait_idle()


async def settle(daemon):
    await anyio.sleep(SETTLE + 1)
    await daemon.queue.wait_idle()


async def at(world, daemon, first, *later):
    """The app runs the last of these versions; each was good in its turn."""
    push_image(world, first)
    await world.push(daemon, ONE)
    await settle(daemon)
    assert running(world) == first
    for runs in later:
        await tell(world, daemon, runs)
        await settle(daemon)
        assert running(world) == runs


def running(world, unit="web.service"):
    """The image that a unit was started with, if it runs."""
    digest = world.machine.running.get(unit)
    return next(
        (one.images[0] for one in world.machine.catalogue.values() if one.digest == digest), ""
    )


def app(daemon, name="web"):
    return daemon.board.apps[name]


def fails(world, runs):
    """Have a version fail whenever it is started."""
    world.machine.bad.add(oid(WEB + runs))


def outcomes(world):
    return [(one.pins[0].runs, one.outcome) for one in world.ledger.rollouts("web")]


def steps(world):
    """What was done to the app."""
    return [one for one in world.events(EventKind.STEP) if one.app == "web"]


async def nothing(_event):
    pass


async def updates(daemon, name="web"):
    return (await daemon.desired_state.deployments())[name].updates


async def test_an_app_waits_until_it_is_known_which_version_there_is(world):
    async with world.running() as daemon:
        push_image(world, A)
        world.registry.seconds = 30.0
        world.reader.put("home", ONE)
        daemon.queue.add("source:home")
        await anyio.sleep(10)
        assert app(daemon).state is AppState.CHANGING
        assert IMAGE in str(app(daemon).waiting[0])
        assert not running(world)
        await daemon.queue.wait_idle()
        assert running(world) == A


async def test_a_sync_waits_until_it_is_known_which_version_there_is(world):
    async with world.running() as daemon:
        push_image(world, A)
        world.registry.seconds = 30.0
        world.reader.put("home", ONE)
        reply = await daemon.service.sync(SyncRequest(), nothing)
        assert [one.state for one in reply.apps] == [AppState.READY]
        assert running(world) == A


async def test_an_app_whose_registry_is_down_says_so_and_takes_what_is_here(world):
    world.registry.failures["reg.example"] = Retry("cannot reach reg.example")
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        assert app(daemon).state is AppState.FAILING
        assert "cannot reach reg.example" in str(app(daemon).waiting[0])
        world.podman.digests[IMAGE] = (A,)
        world.podman.events.queue.put_nowait(PodmanEvent(type="image", name=IMAGE))
        await anyio.sleep(1)
        await daemon.queue.wait_idle()
        assert running(world) == A


async def test_a_newer_version_is_pulled_run_and_judged(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await tell(world, daemon, B)
        assert running(world) == B
        assert app(daemon).state is AppState.CHANGING
        await settle(daemon)
        assert app(daemon).state is AppState.READY
        assert outcomes(world) == [(A, Outcome.GOOD), (B, Outcome.GOOD)]
        assert world.ledger.applied_app("web").revision == app(daemon).revision


async def test_a_file_that_comes_to_name_the_version_that_runs_restarts_nothing(world):
    by_tag = "v=1 image=reg.example/web:{} track=newest cooldown=3600"
    world.podman.registry.update((A, B))
    async with world.running() as daemon:
        world.registry.repositories["reg.example/web"] = {"1": A.partition("@")[2]}
        await world.push(daemon, {"web/web.container": by_tag.format("1")})
        await settle(daemon)
        world.registry.repositories["reg.example/web"]["2"] = B.partition("@")[2]
        daemon.queue.add(*Kind.IMAGE_CHECK.keys(world.ledger.all(ImageKnowledge)))
        await anyio.sleep(3700)
        await daemon.queue.wait_idle()
        await settle(daemon)
        assert running(world) == B
        (before,) = world.ledger.all(ImageKnowledge).values()
        jobs = list(world.systemd.jobs)
        await world.push(daemon, {"web/web.container": by_tag.format("2")})
        await settle(daemon)
        assert (running(world), world.systemd.jobs) == (B, jobs)
        assert app(daemon).state is AppState.READY
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD
        (after,) = world.ledger.all(ImageKnowledge).values()
        assert after.newest == before.newest
        assert not await updates(daemon)


async def test_a_version_that_fails_is_taken_back_and_not_tried_again(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        fails(world, B)
        await tell(world, daemon, B)
        await settle(daemon)
        assert running(world) == A
        assert app(daemon).state is AppState.READY
        (held,) = await updates(daemon)
        assert held.failed
        assert held.version.runs == B
        tried = steps(world)
        await tell(world, daemon, B)
        await settle(daemon)
        assert steps(world) == tried
    async with world.running() as daemon:
        await settle(daemon)
        assert running(world) == A
        assert outcomes(world)[-1] == (B, Outcome.FAILED)
        await tell(world, daemon, C)
        await settle(daemon)
        assert running(world) == C


async def test_a_version_that_was_given_up_for_one_that_failed_is_tried_again(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await tell(world, daemon, B)
        assert running(world) == B
        fails(world, C)
        await tell(world, daemon, C)
        await settle(daemon)
        await settle(daemon)
        assert running(world) == B
        assert app(daemon).state is AppState.READY
        assert dict(outcomes(world)) == {A: Outcome.GOOD, B: Outcome.GOOD, C: Outcome.FAILED}
        (held,) = await updates(daemon)
        assert (held.failed, held.version.runs) == (True, C)
        (told,) = world.events(EventKind.REVERTED)
        assert "cccccccccccc" in told.reason


@pytest.mark.parametrize("bad", ["web.service", "db.service"])
async def test_of_versions_that_come_together_the_one_that_works_runs(world, bad):
    of = {"web.service": WEB, "db.service": WEB.replace("/web:", "/db:")}
    new = {unit: oid(text + _of(unit, B)) for unit, text in of.items()}
    world.podman.registry.update(_of("db.service", one) for one in (A, B))
    world.machine.bad.add(new[bad])
    (good,) = of.keys() - {bad}
    async with world.running() as daemon:
        push_both(world, A)
        files = {f"web/{unit[:-8]}.container": text for unit, text in of.items()}
        await world.push(daemon, files)
        await settle(daemon)
        push_both(world, B)
        for key in [CHECK, Kind.IMAGE_CHECK.key(QUESTION.key.replace("/web:", "/db:"))]:
            daemon.queue.add(key)
        await anyio.sleep(2 * PULL + 2)
        await daemon.queue.wait_idle()
        await settle(daemon)
        await settle(daemon)
        assert running(world, bad) == _of(bad, A)
        assert running(world, good) == _of(good, B)
        (held,) = await updates(daemon)
        assert (held.version.runs, held.failed) == (_of(bad, B), True)
        assert app(daemon).state is AppState.READY
        failed = [one for one in world.ledger.rollouts("web") if one.outcome is Outcome.FAILED]
        assert [len(one.pins) for one in failed] == [2]


def _of(unit, runs):
    """The version of the image of this unit."""
    return runs.replace("/web@", f"/{unit[:-8]}@")


def push_both(world, runs):
    push_image(world, runs)
    world.registry.repositories["reg.example/db"] = {"1": runs.partition("@")[2]}


async def test_a_version_that_a_person_went_back_from_is_not_tried_again(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await tell(world, daemon, B)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        assert running(world) == A
        fails(world, C)
        push_image(world, C)
        daemon.queue.add(CHECK)
        await settle(daemon)
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        await settle(daemon)
        assert running(world) == A
        assert app(daemon).state is AppState.READY


async def test_why_a_version_failed_is_what_its_container_ended_with_and_said(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        fails(world, B)
        world.systemd.said["web.service"] = "OOMKilled: reserving 4 GB for the cache"
        await tell(world, daemon, B)
        await settle(daemon)
        failed = world.ledger.rollouts("web")[-1]
        assert failed.reason.endswith("OOMKilled: reserving 4 GB for the cache")
        (reverted,) = world.events(EventKind.REVERTED)
        assert "OOMKilled: reserving 4 GB" in reverted.reason


async def test_the_images_of_the_last_good_releases_stay_and_a_failed_one_goes(world):
    world.settings = msgspec.structs.replace(world.settings, images=ImageSettings(keep=2))
    async with world.running() as daemon:
        await at(world, daemon, A)
        assert A in world.machine.images
        await tell(world, daemon, B)
        await settle(daemon)
        fails(world, C)
        await tell(world, daemon, C)
        await settle(daemon)
        await anyio.sleep(60)
        assert running(world) == B
        assert world.machine.images == {A, B, kept_name(A), kept_name(B)}
        await tell(world, daemon, D)
        await settle(daemon)
        await anyio.sleep(60)
        assert world.machine.images == {B, D, kept_name(B), kept_name(D)}


async def test_files_and_images_never_change_together(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        world.reader.put("home", {"web/web.container": WEB.replace("v=1", "v=2")})
        daemon.queue.add("source:home")
        await anyio.sleep(1)
        assert app(daemon).state is AppState.CHANGING
        await tell(world, daemon, B)
        await settle(daemon)
        first, second, third = world.ledger.rollouts("web")
        assert (second.pins, third.base) == (first.pins, second.base)
        assert third.pins[0].runs == running(world) == B
        assert {one.outcome for one in (first, second, third)} == {Outcome.GOOD}


async def test_a_new_revision_that_fails_is_no_word_on_the_image(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        world.reader.put("home", {"web/web.container": f"{WEB} exit=1"})
        world.machine.bad.add(oid(f"{WEB} exit=1{A}"))
        daemon.queue.add("source:home")
        await tell(world, daemon, B)
        await settle(daemon)
        assert app(daemon).state is AppState.REVERTED
        assert running(world) == A
        (held,) = await updates(daemon)
        assert not held.failed
        await world.push(daemon, ONE)
        await settle(daemon)
        await anyio.sleep(PULL)
        assert running(world) == B


async def test_a_cooldown_ends_by_itself(world):
    async with world.running() as daemon:
        push_image(world, A)
        await world.push(daemon, {"web/web.container": f"{WEB} cooldown=3600"})
        await settle(daemon)
        await tell(world, daemon, B)
        assert running(world) == A
        (held,) = await updates(daemon)
        assert held.until == pytest.approx(held.version.seen_at + 3600)
        await anyio.sleep(3700)
        await daemon.queue.wait_idle()
        assert running(world) == B


async def test_a_rollback_during_a_trial_goes_to_the_one_before_and_is_no_pass_s_to_end(world):
    async with world.running() as daemon:
        await at(world, daemon, A, B)
        world.systemd.slow["web.service"] = 5.0
        push_image(world, C)
        daemon.queue.add(CHECK)
        await anyio.sleep(PULL + 2)
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.TRIAL
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        assert running(world) == B
        assert world.ledger.get(Hold, "web").release == world.ledger.rollouts("web")[1].release


async def test_a_held_app_keeps_its_images(world):
    async with world.running() as daemon:
        await at(world, daemon, A, B)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        assert running(world) == A
        await tell(world, daemon, C)
        await settle(daemon)
        assert running(world) == A
        (held,) = await updates(daemon)
        assert "held" in held.why
        await daemon.service.resume(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        assert running(world) == C


async def test_a_revert_ends_a_hold_and_images_move_on(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await world.push(daemon, {"web/web.container": f"v=2 image={IMAGE} track=digest"})
        await settle(daemon)
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        await tell(world, daemon, B)
        await settle(daemon)
        assert running(world) == A
        await world.push(daemon, ONE)
        await anyio.sleep(PULL + 2)
        await settle(daemon)
        assert app(daemon).held is None
        assert running(world) == B
        assert app(daemon).state is AppState.READY


async def test_a_suspended_app_keeps_its_images_until_that_ends_by_itself(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await daemon.service.suspend(OrderRequest(apps=("web",), seconds=3600))
        await tell(world, daemon, B)
        (held,) = await updates(daemon)
        assert "suspended" in held.why
        assert held.until
        assert running(world) == A
        await anyio.sleep(3600 + PULL)
        await daemon.queue.wait_idle()
        assert running(world) == B


async def test_what_was_chosen_survives_a_restart_with_nothing_known(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
    world.registry.failures["reg.example"] = Retry("cannot reach reg.example")
    async with world.running() as daemon:
        world.ledger.drop(ImageKnowledge, QUESTION.key)
        daemon.desired_state.images_changed()
        daemon.queue.add("all-apps")
        await settle(daemon)
        assert running(world) == A
        assert app(daemon).state is AppState.READY


async def test_the_reverting_of_an_image_tells_of_the_image(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        fails(world, B)
        await tell(world, daemon, B)
        await settle(daemon)
        told = [
            one.reason for one in world.events(EventKind.REVERTED) if "bbbbbbbbbbbb" in one.reason
        ]
        assert told


LETTERS = {"a": A, "b": B, "c": C}
REVISIONS = {n: WEB.replace("v=1", f"v={n}") for n in (1, 2, 3)}
PUSHES = st.tuples(st.just("push"), st.sampled_from(sorted(REVISIONS)))
NEWS = st.tuples(st.just("news"), st.sampled_from(sorted(LETTERS)))
RESTARTS = st.just(("restart", None))
WAITS = st.tuples(st.just("wait"), st.sampled_from((0.5, 5.0, PULL + 1.0, 200.0)))


@hypothesis.settings(
    max_examples=scaled(25),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@given(
    happens=st.lists(PUSHES | NEWS | RESTARTS | WAITS, max_size=9),
    bad_images=st.sets(st.sampled_from("bc")),
    bad_revisions=st.sets(st.sampled_from((2, 3))),
)
def test_whatever_comes_the_newest_that_works_runs(in_world, happens, bad_images, bad_revisions):
    works = {
        oid(text + runs): (n, letter)
        for n, text in REVISIONS.items()
        for letter, runs in LETTERS.items()
        if n not in bad_revisions and letter not in bad_images
    }

    async def live(world, daemon, left, now):
        """Let things happen until a restart is among them, or all have."""
        while left:
            what, which = left.pop(0)
            if what == "restart":
                return True
            if what == "wait":
                await anyio.sleep(which)
            elif what == "push":
                now["revision"] = which
                world.reader.put("home", {"web/web.container": REVISIONS[which]})
                daemon.queue.add("source:home")
            else:
                now["image"] = which
                push_image(world, LETTERS[which])
                daemon.queue.add(CHECK)
        return False

    async def case(world):
        world.settings = msgspec.structs.replace(
            world.settings, rollout=RolloutSettings(settle=SETTLE, gate_timeout=600)
        )
        world.podman.registry.update(LETTERS.values())
        world.machine.bad.update(
            {oid(text + runs) for text in REVISIONS.values() for runs in LETTERS.values()}
            - works.keys()
        )
        now = {"revision": 1, "image": "a"}
        left = [("push", 1), ("news", "a"), ("wait", 200.0), *happens]
        restarts = True
        while restarts:
            async with world.running(first_pass=False) as daemon:
                restarts = await live(world, daemon, left, now)
                if not restarts:
                    await anyio.sleep(2 * 3600)
                    await daemon.queue.wait_idle()
                    status = daemon.board.apps["web"]
        revision, image = works[world.machine.running["web.service"]]
        if now["revision"] in bad_revisions:
            assert status.state is AppState.REVERTED
        else:
            assert status.state is AppState.READY
            assert revision == now["revision"]
            assert image == now["image"] or now["image"] in bad_images
        blamed = [pin.runs for one in world.ledger.rollouts("web") for pin in one.blamed]
        assert len(blamed) == len(set(blamed))
        assert not {A, *(LETTERS[one] for one in set("bc") - bad_images)} & set(blamed)

    in_world(case)


async def test_a_trial_that_is_cut_short_takes_nothing_from_what_was_good_before(world):
    async with world.running() as daemon:
        await at(world, daemon, A, B)
        async with anyio.create_task_group() as tasks:
            orders = OrderRequest(apps=("web",))
            tasks.start_soon(daemon.service.rollback, orders, nothing)
            await anyio.sleep(SETTLE / 2)
            assert running(world) == A
            await daemon.service.resume(orders, nothing)
        await settle(daemon)
        assert running(world) == B
        assert {one.outcome for one in world.ledger.rollouts("web")} == {Outcome.GOOD}


async def test_an_image_that_nobody_names_any_more_is_not_asked_about(world):
    other = ONE["web/web.container"].replace("web:1", "web:2")
    async with world.running() as daemon:
        await at(world, daemon, A)
        world.registry.repositories["reg.example/web"]["2"] = B.partition("@")[2]
        await world.push(daemon, {"web/web.container": other, "other/other.container": "v=1"})
        await anyio.sleep(PULL)
        await settle(daemon)
        assert running(world) == B
        world.registry.asked.clear()
        await anyio.sleep(4 * 3600)
        assert set(world.registry.asked) == {"reg.example/web:2"}
        world.reader.put("home", {"other/other.container": "v=1"})
        daemon.queue.add("source:home")
        await settle(daemon)
        world.registry.asked.clear()
        await anyio.sleep(4 * 3600)
        assert not world.registry.asked
        assert not world.ledger.all(ImageKnowledge)


async def test_a_problem_that_a_webhook_met_first_is_told(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        world.registry.failures["reg.example"] = Retry("reg.example: no route to host")
        daemon.service.orders.images().schedule.told([IMAGE])
        await anyio.sleep(3 * 3600)
        (told,) = [one for one in world.events(EventKind.IMAGE) if not one.ok]
        assert "no route" in told.reason
        world.registry.failures.clear()
        await anyio.sleep(3 * 3600)
        assert world.events(EventKind.RECOVERED)


async def test_a_rollback_waits_for_no_image_that_only_the_newest_revision_names(world):
    async with world.running() as daemon:
        await at(world, daemon, A)
        await world.push(daemon, {"web/web.container": WEB.replace("v=1", "v=2")})
        await settle(daemon)
        await world.push(daemon, {"web/web.container": "v=3 image=reg.example/gone:1 track=digest"})
        await daemon.service.rollback(OrderRequest(apps=("web",)), nothing)
        await settle(daemon)
        assert world.machine.running["web.service"] == oid(WEB + A)
        assert app(daemon).state is AppState.HELD


async def test_an_ordered_version_is_tried_to_its_end_though_a_newer_one_waits(world):
    world.settings = msgspec.structs.replace(
        world.settings, images=ImageSettings(update=UpdateMode.NOTIFY)
    )
    async with world.running() as daemon:
        await at(world, daemon, A)
        await tell(world, daemon, B)
        assert running(world) == A
        now = world.clock.now()
        order = ImageOrder(app="web", question=QUESTION.key, now=B, at=now, by="pi")
        world.ledger.put(order, order.key)
        daemon.desired_state.images_changed()
        daemon.queue.add("changed-apps")
        await anyio.sleep(PULL + SETTLE / 2)
        assert running(world) == B
        push_image(world, C)
        daemon.queue.add(CHECK)
        await settle(daemon)
        await settle(daemon)
        assert running(world) == B
        before, newest = world.ledger.rollouts("web")
        assert (newest.outcome, newest.by, before.by) == (Outcome.GOOD, "pi", "")


async def test_a_version_of_an_image_is_no_other_revision(world):
    files = {"web/web.container": WEB, "other/other.container": "v=1"}
    async with world.running() as daemon:
        push_image(world, A)
        await world.push(daemon, files)
        await settle(daemon)
        await settle(daemon)
        await world.push(daemon, {**files, "other/other.container": "v=2"})
        await settle(daemon)
        before = app(daemon).revision
        assert before != app(daemon, "other").revision
        await tell(world, daemon, B)
        await settle(daemon)
        assert running(world) == B
        assert app(daemon).revision == before
