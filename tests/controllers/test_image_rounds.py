"""When the registries are asked: in rounds, at once, not at all; and what that costs at rest."""

import math
from collections import Counter

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.controllers.keys import Kind
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import ImageSettings, Settings
from tests.examples import scaled
from tests.fakes.checks import HIGHEST, Checks, asks, deployed
from tests.fakes.registry import digest_of

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
DAY = 86_400.0
HOSTS = ("docker.io", "ghcr.io", "quay.io")


@pytest.fixture
def world(tmp_path):
    return Checks(tmp_path / "ledger.db")


def images(world, number, *, hosts=HOSTS):
    """So many questions, each of an app of its own."""
    questions = [asks(f"{hosts[n % len(hosts)]}/me/app{n}:1") for n in range(number)]
    for one in questions:
        world.registry.push(one.image)
    return questions, [deployed(f"app{n}", one) for n, one in enumerate(questions)]


async def test_forty_images_at_rest_cost_a_waking_an_hour_and_a_write_a_day(world):
    questions, apps = images(world, 40)
    async with world.running(*apps) as daemon:
        await anyio.sleep(HOUR)
        world.rings, mark = 0, len(world.registry.asked)
        world.writes = 0
        await anyio.sleep(24 * HOUR)
        assert world.rings <= 25, "a round is one waking"
        assert Counter(world.registry.asked[mark:]) == {one.image: 24 for one in questions}
        assert world.writes <= 40, "once a day for each at most"
        assert daemon.state.invalidated == 40
        assert not daemon.events(EventKind.IMAGE)


async def test_a_round_asks_few_of_a_host_at_once(world):
    _, apps = images(world, 60, hosts=("quay.io",))
    async with world.running(*apps) as daemon:
        assert world.registry.most_at_once == 3
        before = world.rings
        await anyio.sleep(2 * HOUR + 700)
        assert len(world.registry.asked) == 180
        assert world.rings <= before + 3
        assert daemon.queue.is_busy() is False


@pytest.mark.once
async def test_a_thousand_images_of_one_host_are_spread_as_it_may_be_asked(world):
    world.registry.seconds = 0.01
    _, apps = images(world, 1_000, hosts=("docker.io",))
    async with world.running(*apps):
        await anyio.sleep(59)
        assert len(world.registry.asked) <= 120 + 120
        await anyio.sleep(HOUR / 4)
        assert len(set(world.registry.asked)) == len(world.registry.asked) == 1_000
        assert world.rings <= 30


async def test_a_person_waits_until_the_last_of_many_is_answered(world):
    questions, apps = images(world, 200, hosts=("docker.io",))
    async with world.running(*apps) as daemon:
        await anyio.sleep(HOUR / 2)
        mark, began, at = len(world.registry.asked), anyio.current_time(), world.clock.now()
        await daemon.schedule.ask({one.key for one in questions})
        assert sorted(world.registry.asked_since(mark)) == sorted(one.image for one in questions)
        assert anyio.current_time() - began >= (200 - 120) / 2
        assert all(daemon.now_known(one).answered_at > at for one in questions)


async def test_other_settings_keep_no_person_waiting(world):
    questions, apps = images(world, 200, hosts=("docker.io",))
    async with world.running(*apps) as daemon:
        await anyio.sleep(HOUR / 2)
        mark = len(world.registry.asked)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.schedule.ask, {one.key for one in questions})
            await anyio.sleep(10)
            began = anyio.current_time()
            await daemon.take(Settings(images=ImageSettings(interval=Seconds(0))))
        assert anyio.current_time() < began + 60
        assert set(world.registry.asked_since(mark)) == {one.image for one in questions}


async def test_a_person_does_not_wait_for_what_nobody_asks_any_more(world):
    questions, apps = images(world, 200, hosts=("docker.io",))
    async with world.running(*apps) as daemon:
        await anyio.sleep(HOUR / 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.schedule.ask, {one.key for one in questions})
            await anyio.sleep(10)
            began = anyio.current_time()
            await daemon.deploy(apps[0])
        assert anyio.current_time() < began + 5


async def test_what_was_asked_not_long_ago_is_not_asked_at_the_start(world):
    _, apps = images(world, 40)
    async with world.running(*apps):
        await anyio.sleep(10)
    mark = len(world.registry.asked)
    for _ in range(5):
        async with world.running(*apps):
            await anyio.sleep(60)
    assert len(world.registry.asked) == mark
    async with world.running(*apps) as daemon:
        rings = world.rings
        await anyio.sleep(HOUR)
        assert len(world.registry.asked) == mark + 40
        assert world.rings <= rings + 2, "together, as before"
        assert daemon.state.invalidated == 0, "they are as they were"


async def test_a_daemon_that_is_killed_again_and_again_does_not_ask_each_time(world):
    _, apps = images(world, 10)
    async with world.running(*apps):
        await anyio.sleep(5 * HOUR)
    world.is_killed = True
    for _ in range(3):
        async with world.running(*apps):
            await anyio.sleep(2 * HOUR)
    mark = len(world.registry.asked)
    for _ in range(5):
        async with world.running(*apps):
            await anyio.sleep(10)
    assert len(world.registry.asked) - mark <= 10


@pytest.mark.parametrize("years", [-1, 1])
async def test_a_clock_that_is_a_year_off(world, years):
    questions, apps = images(world, 3)
    async with world.running(*apps) as daemon:
        await anyio.sleep(60)
        world.clock.offset += years * 365 * DAY
        mark = len(world.registry.asked)
        await anyio.sleep(3 * HOUR + 700)
        assert len(world.registry.asked) - mark == 9
    async with world.running(*apps):
        world.clock.offset -= years * 365 * DAY
    mark = len(world.registry.asked)
    async with world.running(*apps) as daemon:
        await anyio.sleep(HOUR + 600)
        assert set(world.registry.asked[mark:]) == {one.image for one in questions}
        assert all(daemon.now_known(one).newest.seen_at <= world.clock.now() for one in questions)


class TestSettings:
    async def test_another_interval_counts_from_now_on(self, world):
        _, apps = images(world, 4)
        async with world.running(*apps) as daemon:
            await daemon.take(Settings(images=ImageSettings(interval=Seconds(600))))
            await anyio.sleep(HOUR + 60)
            assert len(world.registry.asked) >= 4 * 6
            await daemon.take(Settings(images=ImageSettings(interval=Seconds(DAY))))
            mark = len(world.registry.asked)
            await anyio.sleep(DAY - 2 * HOUR)
            assert len(world.registry.asked) == mark
            await anyio.sleep(3 * HOUR)
            assert len(world.registry.asked) == mark + 4

    async def test_never_is_only_when_somebody_says_so(self, world):
        world.interval(0)
        (question,), apps = images(world, 1)
        async with world.running(*apps) as daemon:
            assert len(world.registry.asked) == 1, "the first answer has to come from somewhere"
            await anyio.sleep(7 * DAY)
            assert len(world.registry.asked) == 1
            assert daemon.schedule.next_check_in(question.key) is None
            daemon.schedule.told([question.image])
            await daemon.rest()
            assert len(world.registry.asked) == 2


class TestTold:
    async def test_a_webhook_has_the_image_asked_about_at_once(self, world):
        (question,), apps = images(world, 1)
        async with world.running(*apps) as daemon:
            await anyio.sleep(60)
            world.registry.push(question.image, "two")
            assert daemon.schedule.told([question.image]) == (Kind.IMAGE_CHECK.key(question.key),)
            await anyio.sleep(world.registry.seconds + 0.01)
            assert daemon.known(question).newest.runs.endswith(digest_of("two"))

    @pytest.mark.parametrize("meanwhile", [None, Retry("500"), Stalled("no such tag")])
    async def test_one_that_comes_before_the_registry_itself_knows(self, world, meanwhile):
        question, tags = asks("quay.io/me/web:1"), asks("quay.io/me/web:1.0", policy=HIGHEST)
        for one in (question, tags):
            world.registry.push(one.image)
        async with world.running(deployed("web", question, tags)) as daemon:
            await anyio.sleep(60)
            if meanwhile:
                world.registry.failures["quay.io/me/web"] = meanwhile
            daemon.schedule.told(["quay.io/me/web"])
            await anyio.sleep(0.5)
            world.registry.failures.clear()
            world.registry.push(question.image, "two")
            world.registry.push("quay.io/me/web:2.0")
            await anyio.sleep(1.2)
            assert daemon.known(question).newest.runs.endswith(digest_of("two"))
            assert daemon.known(tags).newest.tag == "2.0"
            assert all(one.ok for one in daemon.events(EventKind.IMAGE)), "that is no trouble"

    async def test_one_that_tells_nothing_new_is_looked_into_three_times(self, world):
        (question,), apps = images(world, 1)
        async with world.running(*apps) as daemon:
            await anyio.sleep(60)
            mark = len(world.registry.asked)
            daemon.schedule.told([question.image])
            await anyio.sleep(60)
            assert len(world.registry.asked) - mark == 3
            daemon.schedule.ask_now([question.key])
            await anyio.sleep(60)
            assert len(world.registry.asked) - mark == 4, "a person knows what is there"

    async def test_only_what_it_names(self, world):
        one, other = asks("quay.io/me/web:1"), asks("quay.io/me/web:2")
        tags = asks("quay.io/me/web:1.0", policy=HIGHEST)
        for question in (one, other, tags):
            world.registry.push(question.image)
        async with world.running(deployed("web", one, other, tags)) as daemon:

            def keys(*names):
                return set(daemon.schedule.told(names))

            def named(*questions):
                return {Kind.IMAGE_CHECK.key(question.key) for question in questions}

            assert keys("quay.io/me/web:1") == named(one, tags)
            assert keys("quay.io/me/web:9") == named(tags)
            assert keys("quay.io/me/web", "quay.io/me/web:1") == named(one, other, tags)
            assert keys("me/web:2") == named(other, tags)
            assert keys("ghcr.io/me/web:1", "quay.io/me/web2:1", "", ":", "x@y", "/") == set()

    async def test_a_storm_is_few_questions(self, world):
        (question,), apps = images(world, 1)
        async with world.running(*apps) as daemon:
            await anyio.sleep(60)
            mark = len(world.registry.asked)
            for _ in range(10_000):
                daemon.schedule.told([question.image])
            await anyio.sleep(5)
            assert len(world.registry.asked) - mark <= 3
            world.registry.push(question.image, "the last word")
            for _ in range(100):
                daemon.schedule.told([question.image])
                await anyio.sleep(0.1)
            await anyio.sleep(3)
            assert len(world.registry.asked) - mark <= 14
            assert daemon.known(question).newest.runs.endswith(digest_of("the last word"))

    async def test_one_that_is_told_of_does_not_stand_in_line_with_a_round(self, world):
        world.registry.seconds = 1.0
        questions, apps = images(world, 60, hosts=("quay.io",))
        async with world.running() as daemon:
            daemon.state.deployments = {one.name: one for one in apps}
            daemon.queue.add(Kind.ALL_APPS)
            await anyio.sleep(1.5)
            mark = len(world.registry.asked)
            daemon.schedule.ask_now([questions[0].key])
            daemon.schedule.told([questions[1].image])
            await anyio.sleep(3.6)
            assert {one.image for one in questions[:2]} <= set(world.registry.asked[mark:])

    async def test_while_webhooks_tell_of_what_is_pushed_it_is_asked_seldom(self, world):
        (question,), apps = images(world, 1)
        world.listening = True
        async with world.running(*apps) as daemon:
            await anyio.sleep(HOUR / 2)
            world.registry.push(question.image, "two")
            daemon.schedule.told([question.image])
            await anyio.sleep(60)
            mark = len(world.registry.asked)
            await anyio.sleep(10 * HOUR)
            assert len(world.registry.asked) == mark
            await anyio.sleep(15 * HOUR)
            assert len(world.registry.asked) - mark == 2, "never never"
            world.registry.push(
                question.image, "another tag of what was there: Harbor tells nobody"
            )
            await anyio.sleep(12 * HOUR)
            assert daemon.known(question).newest.runs != f"quay.io/me/app0@{digest_of('two')}"
            mark = len(world.registry.asked)
            await anyio.sleep(10 * HOUR)
            assert len(world.registry.asked) - mark >= 9, "they are not relied on any more"

    async def test_one_that_tells_nothing_new_makes_no_round_rarer(self, world):
        """Whoever knows a path can send what came there once more."""
        (question,), apps = images(world, 1)
        world.listening = True
        async with world.running(*apps) as daemon:
            for _ in range(5):
                daemon.schedule.told([question.image])
                await anyio.sleep(60)
            mark = len(world.registry.asked)
            await anyio.sleep(10 * HOUR)
            assert len(world.registry.asked) >= mark + 9

    async def test_they_are_not_relied_on_while_nobody_hears_them(self, world):
        (question,), apps = images(world, 1)
        async with world.running(*apps) as daemon:
            daemon.schedule.told([question.image])
            await anyio.sleep(10 * HOUR)
            assert len(world.registry.asked) >= 10

    async def test_a_listener_that_shuts_has_them_asked_as_often_as_before(self, world):
        (question,), apps = images(world, 1)
        world.listening = True
        async with world.running(*apps) as daemon:
            daemon.schedule.told([question.image])
            await anyio.sleep(HOUR)
            world.listening = False
            daemon.queue.add(Kind.WEBHOOKS)
            mark = len(world.registry.asked)
            await anyio.sleep(HOUR + 600)
            assert len(world.registry.asked) > mark

    async def test_what_webhooks_are_worth_is_known_after_a_restart(self, world):
        (question,), apps = images(world, 1)
        world.listening = True
        async with world.running(*apps) as daemon:
            world.registry.push(question.image, "two")
            daemon.schedule.told([question.image])
            await anyio.sleep(1)
        mark = len(world.registry.asked)
        async with world.running(*apps):
            await anyio.sleep(10 * HOUR)
            assert len(world.registry.asked) == mark + 1, (
                "at the start: it could not be told before"
            )

    async def test_what_was_told_to_a_daemon_that_was_killed_is_found_at_the_start(self, world):
        """Its sender was answered, or gives up: it does not tell again."""
        (question,), apps = images(world, 1)
        world.listening = world.is_killed = True
        async with world.running(*apps):
            await anyio.sleep(60)
        world.registry.push(question.image, "two")
        async with world.running(*apps) as daemon:
            await anyio.sleep(1)
            assert daemon.known(question).newest.runs.endswith(digest_of("two"))


class TestFailures:
    async def test_too_many_requests_for_an_hour(self, world):
        """One host says 429 and no more; the others are asked as ever."""
        questions, apps = images(world, 40, hosts=("docker.io", "quay.io"))
        async with world.running(*apps) as daemon:
            await anyio.sleep(HOUR / 2)
            world.registry.failures["docker.io"] = Retry("docker.io: too many requests")
            mark = len(world.registry.asked)
            await anyio.sleep(2 * HOUR)
            hub = [one for one in world.registry.asked[mark:] if one.startswith("docker.io")]
            assert len(hub) <= 30, "not 40 of 20 images an hour, and each again"
            others = Counter(world.registry.asked[mark:]) - Counter(hub)
            assert set(others.values()) == {2}
            unknown = [one for one in questions if one.image.startswith("docker.io")]
            assert all(daemon.now_known(one).problem for one in unknown), "none is said to be well"
            assert 1 <= len(daemon.events(EventKind.IMAGE)) <= 6, "told once, not of each"
            world.registry.failures.clear()
            await anyio.sleep(2 * HOUR)
            assert not any(daemon.now_known(one).problem for one in questions)

    async def test_nobody_is_asked_before_the_time_that_it_said(self, world):
        questions, apps = images(world, 40, hosts=("docker.io",))
        async with world.running(*apps) as daemon:
            await anyio.sleep(HOUR / 2)
            again = Retry("docker.io: too many requests", after_seconds=6 * HOUR)
            world.registry.failures["docker.io"] = again
            await anyio.sleep(HOUR)
            mark = len(world.registry.asked)
            daemon.schedule.told([questions[0].image])
            daemon.hosts.network_changed()
            daemon.loop.expedite()
            daemon.queue.add(*daemon.loop.failures)
            await anyio.sleep(4 * HOUR)
            assert len(world.registry.asked) == mark
            world.registry.failures.clear()
            await anyio.sleep(3 * HOUR)
            assert set(world.registry.asked[mark:]) == {one.image for one in questions}

    async def test_a_network_that_is_back_has_them_asked_at_once(self, world):
        questions, apps = images(world, 9)
        for host in HOSTS:
            world.registry.failures[host] = Retry(f"cannot reach {host}")
        async with world.running(*apps) as daemon:
            await anyio.sleep(3 * HOUR)
            world.registry.failures.clear()
            daemon.hosts.network_changed()
            for key in daemon.loop.failures:
                daemon.queue.add(key)
            await anyio.sleep(5)
            assert all(daemon.known(one).newest for one in questions)

    async def test_one_repository_that_is_denied_keeps_no_other(self, world):
        questions, apps = images(world, 10, hosts=("quay.io",))
        world.registry.failures["quay.io/me/app0"] = Stalled("denied", hint="podman login quay.io")
        world.registry.failures["quay.io/me/app1"] = Retry("quay.io: internal server error")
        async with world.running(*apps) as daemon:
            assert all(daemon.known(one).newest for one in questions[2:])
            mark = len(world.registry.asked)
            await anyio.sleep(24 * HOUR)
            asked = Counter(world.registry.asked[mark:])
            assert asked[questions[0].image] <= 25, "a person is needed: once a round"
            assert asked[questions[1].image] <= 25 + 4
            assert {asked[one.image] for one in questions[2:]} <= {23, 24}

    async def test_a_webhook_shows_that_a_registry_is_back(self, world):
        questions, apps = images(world, 9, hosts=("quay.io",))
        async with world.running(*apps) as daemon:
            world.registry.failures["quay.io"] = Retry("cannot reach quay.io")
            await anyio.sleep(5 * HOUR)
            world.registry.failures.clear()
            world.registry.push(questions[0].image, "two")
            daemon.schedule.told([questions[0].image])
            await anyio.sleep(1)
            assert daemon.known(questions[0]).newest.runs.endswith(digest_of("two"))


def test_whatever_happens_what_is_known_is_what_was_answered(anyio_backend, tmp_path_factory):
    """Pushes, failures, webhooks, restarts, clocks: an answer is of the registry, or a problem."""
    step = st.sampled_from(["push", "fail", "mend", "told", "wait", "restart", "clock", "all"])

    @settings(max_examples=scaled(25), deadline=None)
    @given(st.lists(st.tuples(step, st.integers(0, 3)), max_size=12))
    def check(steps):
        anyio.run(_case, steps, tmp_path_factory.mktemp("case"), backend_options=anyio_backend[1])

    check()


async def _case(steps, folder):
    world = Checks(folder / "ledger.db")
    questions, apps = images(world, 4, hosts=("quay.io", "ghcr.io"))
    pushed = {one.image: {digest_of(one.image)} for one in questions}
    pending = list(steps)
    while True:
        async with world.running(*apps) as daemon:
            while pending and pending[0][0] != "restart":
                what, number = pending.pop(0)
                image = questions[number].image
                match what:
                    case "push":
                        pushed[image].add(world.registry.push(image, f"{len(pending)}"))
                    case "fail":
                        world.registry.failures[image] = Retry("down", after_seconds=number * 60.0)
                    case "mend":
                        world.registry.failures.clear()
                    case "told":
                        daemon.schedule.told([image])
                    case "clock":
                        world.clock.offset += (number - 1.5) * 365 * DAY
                    case "all":
                        daemon.schedule.ask_now([one.key for one in questions])
                    case "wait":
                        await anyio.sleep(10.0 ** (number + 1))
            if not pending:
                world.registry.failures.clear()
                await anyio.sleep(2 * HOUR)
                for one in questions:
                    known = daemon.now_known(one)
                    now = digest_of_now(world, one)
                    assert known.newest.runs.endswith(now), "in a round it is known what there is"
                    assert not known.problem
                    assert known.failures == 0
                    assert known.newest.seen_at <= world.clock.now()
                    assert daemon.schedule.next_check_in(one.key) < math.inf
                return
            pending.pop(0)
        for one in questions:
            stored = daemon.memory.of(one.key)
            assert (
                stored.newest is None or stored.newest.runs.partition("@")[2] in pushed[one.image]
            )


def digest_of_now(world, question):
    repository, _, tag = question.image.rpartition(":")
    return world.registry.repositories[repository][tag]
