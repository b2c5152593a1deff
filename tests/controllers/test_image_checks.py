"""What is known of the apps' images: what is asked for it, what is told of it, what is kept."""

import anyio
import pytest

from supervisor.controllers.keys import Kind
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageKnowledge, ImagePolicy, PolicyKind, UpdateMode
from supervisor.model.podman import PodmanEvent
from supervisor.model.settings import ImageSettings, Settings
from tests.fakes.checks import HIGHEST, Checks, asks, deployed
from tests.fakes.machine import deploy
from tests.fakes.registry import digest_of

pytestmark = pytest.mark.anyio
WEB = "quay.io/me/web:1"
QUESTION = asks(WEB)
VERSIONS = asks("quay.io/me/web:1.0.0", policy=HIGHEST)
LOCAL = asks("localhost/dev:1", is_local=True)
DOWN = Retry("cannot ask quay.io: connection refused")


@pytest.fixture
def world(tmp_path):
    made = Checks(tmp_path / "ledger.db")
    made.registry.push(WEB, "one")
    return made


async def test_a_question_without_an_answer_is_asked_at_once_and_names_who_waits(world):
    async with world.running(deployed("web", QUESTION)) as daemon:
        known = daemon.known(QUESTION)
        assert known.newest.runs == f"quay.io/me/web@{digest_of('one')}"
        assert known.newest.tag == "1"
        assert known.newest.seen_at == known.answered_at == known.asked_at > 0
        assert (known.problem, known.failures) == ("", 0)
        assert daemon.state.invalidated == 1
        assert Kind.CHANGED_APPS in world.named


async def test_however_many_units_ask_it_is_asked_once(world):
    apps = [deployed(f"app{number}", QUESTION, QUESTION) for number in range(50)]
    async with world.running(*apps):
        assert world.registry.asked == [WEB]


async def test_the_same_answer_is_no_news_and_another_one_is(world):
    async with world.running(deployed("web", QUESTION)) as daemon:
        first = daemon.known(QUESTION)
        await anyio.sleep(4_000)
        assert len(world.registry.asked) == 2
        assert daemon.state.invalidated == 1
        assert daemon.now_known(QUESTION).asked_at > first.asked_at
        world.registry.push(WEB, "two")
        await anyio.sleep(4_000)
        second = daemon.known(QUESTION).newest
        assert second.runs.endswith(digest_of("two"))
        assert second.seen_at > first.newest.seen_at
        assert daemon.state.invalidated == 2
        assert world.named.count(Kind.CHANGED_APPS) == 2
        (event,) = daemon.events(EventKind.IMAGE)
        assert (event.app, event.subject, event.ok) == ("web", WEB, True)
        assert digest_of("two").partition(":")[2][:12] in event.reason


async def test_an_index_that_changed_for_other_platforms_alone_is_no_news(world):
    first = world.registry.push_index(WEB, "mine", "another's")
    async with world.running(deployed("web", QUESTION)) as daemon:
        runs = f"quay.io/me/web@{first}"
        assert daemon.known(QUESTION).newest.runs == runs
        world.podman.digests[runs] = (runs, f"quay.io/me/web@{digest_of('mine')}")
        mark, second = len(world.registry.asked), world.registry.push_index(WEB, "mine", "newer")
        await anyio.sleep(3_600 * 5 + 60)
        assert daemon.now_known(QUESTION).newest.runs == runs
        assert daemon.state.invalidated == 1
        assert not daemon.events(EventKind.IMAGE)
        asked = world.registry.asked_since(mark)
        assert asked.count(f"quay.io/me/web@{second}") == 1, "what it has is read once"
        assert asked.count(WEB) > 2
        third = world.registry.push_index(WEB, "my own, newer", "newer")
        await anyio.sleep(7_200)
        assert daemon.now_known(QUESTION).newest.runs.endswith(third)


async def test_a_tag_that_comes_to_name_what_its_index_had_for_this_host_is_no_news(world):
    first = world.registry.push_index(WEB, "mine", "another's")
    async with world.running(deployed("web", QUESTION)) as daemon:
        runs = f"quay.io/me/web@{first}"
        world.podman.digests[runs] = (runs, f"quay.io/me/web@{world.registry.push(WEB, 'mine')}")
        mark = len(world.registry.asked)
        await anyio.sleep(7_200)
        assert daemon.now_known(QUESTION).newest.runs == runs
        assert set(world.registry.asked_since(mark)) == {WEB}


@pytest.mark.parametrize("policy", [ImagePolicy(), HIGHEST], ids=["digest", "newest"])
async def test_what_is_not_here_cannot_be_the_same(world, policy):
    question = asks(WEB, policy=policy)
    world.registry.push_index(WEB, "mine", "another's")
    async with world.running(deployed("web", question)) as daemon:
        second = world.registry.push_index(WEB, "mine", "newer")
        await anyio.sleep(7_200)
        assert daemon.now_known(question).newest.runs.endswith(second)


async def test_another_tag_is_another_version_though_it_is_the_same_for_this_host(world):
    first = world.registry.push_index("quay.io/me/web:1.0.0", "mine", "another's")
    async with world.running(deployed("web", VERSIONS)) as daemon:
        runs = f"quay.io/me/web@{first}"
        world.podman.digests[runs] = (runs, f"quay.io/me/web@{digest_of('mine')}")
        second = world.registry.push_index("quay.io/me/web:1.0.1", "mine", "newer")
        await anyio.sleep(7_200)
        known = daemon.now_known(VERSIONS).newest
        assert (known.tag, known.runs) == ("1.0.1", f"quay.io/me/web@{second}")


async def test_a_version_is_seen_first_when_it_was_seen_first(world):
    world.registry.pushed_at[WEB] = 5.0
    async with world.running(deployed("web", QUESTION)) as daemon:
        seen_at = daemon.known(QUESTION).newest.seen_at
        world.clock.offset -= 365 * 86_400
        daemon.schedule.ask_now([QUESTION.key])
        await daemon.rest()
        known = daemon.known(QUESTION).newest
        assert known.seen_at <= world.clock.now() < seen_at, "never in the future"
        assert known.pushed_at == 5.0


async def test_who_asks_how_all_stands_hears_of_a_registry_that_does_not_answer(world):
    async with world.running(deployed("web", QUESTION), deployed("api", QUESTION)) as daemon:
        assert daemon.checker.unknown() == ()
        answered_at = daemon.known(QUESTION).answered_at
        world.registry.failures["quay.io"] = DOWN
        await anyio.sleep(4_000)
        (one,) = daemon.checker.unknown()
        assert (one.registry, one.images, one.since) == ("quay.io", 1, answered_at)
        assert "connection refused" in one.problem
        world.registry.failures.clear()
        await anyio.sleep(4_000)
        assert daemon.checker.unknown() == ()


async def test_a_failure_is_no_answer(world):
    async with world.running(deployed("web", QUESTION)) as daemon:
        good = daemon.known(QUESTION)
        world.registry.failures["quay.io"] = DOWN
        await anyio.sleep(3 * 3_600)
        known = daemon.now_known(QUESTION)
        assert known.newest == good.newest
        assert known.problem == str(DOWN)
        assert known.failures > 2
        assert known.answered_at == good.answered_at < known.asked_at
        assert daemon.state.invalidated == 1, "of what runs nothing changes"
        assert [one.reason for one in daemon.events(EventKind.IMAGE)] == [str(DOWN)]
        world.registry.failures.clear()
        await anyio.sleep(2 * 3_600)
        known = daemon.known(QUESTION)
        assert (known.problem, known.failures) == ("", 0)
        assert known.answered_at == known.asked_at
        assert len(daemon.events(EventKind.RECOVERED)) == 1


async def test_each_kind_of_failure_is_told_once_after_a_restart_too(world):
    world.registry.failures["quay.io"] = DOWN
    async with world.running(deployed("web", QUESTION)):
        await anyio.sleep(7_200)
    async with world.running(deployed("web", QUESTION)) as daemon:
        await anyio.sleep(7_200)
        denied = Stalled("quay.io denies it", hint="podman login quay.io")
        world.registry.failures["quay.io"] = denied
        daemon.schedule.ask_now([QUESTION.key])
        await anyio.sleep(7_200)
        said = [(one.reason, one.detail) for one in daemon.events(EventKind.IMAGE)]
        assert said == [(str(DOWN), ""), (str(denied), "podman login quay.io")]
        assert daemon.known(QUESTION).hint == "podman login quay.io"


async def test_who_waits_for_the_first_answer_hears_why_there_is_none(world):
    world.registry.failures["quay.io"] = DOWN
    async with world.running(deployed("web", QUESTION)) as daemon:
        assert daemon.known(QUESTION).newest is None
        assert daemon.state.invalidated == 1
        assert "app:web" in world.named


async def test_what_is_here_by_the_tag_counts_until_the_registry_answers(world):
    world.registry.failures["quay.io"] = DOWN
    world.podman.digests[WEB] = (
        f"other.org/x@{digest_of('x')}",
        f"quay.io/me/web@{digest_of('0')}",
    )
    async with world.running(deployed("web", QUESTION)) as daemon:
        known = daemon.known(QUESTION)
        assert known.newest.runs == f"quay.io/me/web@{digest_of('0')}"
        assert known.problem == str(DOWN), "nobody knows whether it is the newest"
        assert known.answered_at == 0.0
        assert Kind.CHANGED_APPS in world.named
        world.registry.failures.clear()
        await anyio.sleep(3_700)
        assert daemon.known(QUESTION).newest.runs.endswith(digest_of("one"))


async def test_an_image_that_comes_while_its_registry_is_down_counts_at_once(world):
    world.registry.failures["quay.io"] = DOWN
    async with world.running(deployed("web", QUESTION)) as daemon:
        await anyio.sleep(10)
        world.podman.digests[WEB] = (f"quay.io/me/web@{digest_of('0')}",)
        daemon.schedule.seen_here(PodmanEvent(type="image", name=WEB))
        await daemon.rest()
        assert daemon.known(QUESTION).newest.runs.endswith(digest_of("0"))


async def test_podman_that_does_not_answer_either_leaves_it_unknown(world):
    world.registry.failures["quay.io"] = DOWN
    world.podman.down = True
    async with world.running(deployed("web", QUESTION)) as daemon:
        known = daemon.known(QUESTION)
        assert (known.newest, known.problem) == (None, str(DOWN))


class TestLocal:
    async def test_an_image_that_is_built_is_taken_up_by_podmans_sign(self, world):
        world.machine.images.add("localhost/dev:1")
        async with world.running(deployed("dev", LOCAL)) as daemon:
            assert daemon.known(LOCAL).newest.runs == "id of localhost/dev:1"
            assert not world.registry.asked
            world.machine.pulled_anew["localhost/dev:1"] = "another id"
            daemon.schedule.seen_here(PodmanEvent(type="image", name="localhost/other:1"))
            daemon.schedule.seen_here(PodmanEvent(type="volume", name="localhost/dev:1"))
            await anyio.sleep(1)
            assert daemon.known(LOCAL).newest.runs == "id of localhost/dev:1"
            daemon.schedule.seen_here(PodmanEvent(type="image", name="localhost/dev:1"))
            await anyio.sleep(0.01)
            assert daemon.known(LOCAL).newest.runs == "another id"
            assert daemon.state.invalidated == 2

    async def test_one_that_is_gone_is_told_and_what_runs_stays(self, world):
        world.machine.images.add("localhost/dev:1")
        async with world.running(deployed("dev", LOCAL)) as daemon:
            world.machine.images.clear()
            daemon.schedule.seen_here(PodmanEvent(type="image"))
            await daemon.rest()
            known = daemon.known(LOCAL)
            assert known.newest.runs == "id of localhost/dev:1"
            assert known.problem == "no image localhost/dev:1 is here"

    async def test_what_was_built_while_no_daemon_ran_is_taken_up_at_the_start(self, world):
        world.machine.images.add("localhost/dev:1")
        async with world.running(deployed("dev", LOCAL)):
            pass
        world.machine.pulled_anew["localhost/dev:1"] = "another id"
        async with world.running(deployed("dev", LOCAL)) as daemon:
            assert daemon.known(LOCAL).newest.runs == "another id"


class TestTags:
    async def test_the_tag_that_the_policy_chooses_is_asked_for_its_digest(self, world):
        for tag in ("1.0.0", "1.2.0", "1.10.0"):
            world.registry.push(f"quay.io/me/web:{tag}")
        async with world.running(deployed("web", VERSIONS)) as daemon:
            assert world.registry.asked == ["quay.io/me/web", "quay.io/me/web:1.10.0"]
            newest = daemon.known(VERSIONS).newest
            assert (newest.tag, newest.runs) == (
                "1.10.0",
                f"quay.io/me/web@{digest_of('quay.io/me/web:1.10.0')}",
            )

    async def test_a_tag_for_a_whole_version_is_asked_once_and_once_a_day(self, world):
        world.registry.push("quay.io/me/web:1.10.0")
        async with world.running(deployed("web", VERSIONS)) as daemon:
            await anyio.sleep(20 * 3_600)
            assert world.registry.asked.count("quay.io/me/web:1.10.0") == 1
            assert world.registry.asked.count("quay.io/me/web") >= 20
            world.registry.push("quay.io/me/web:1.10.0", "once more")
            await anyio.sleep(6 * 3_600)
            assert daemon.known(VERSIONS).newest.runs.endswith(digest_of("once more"))
            assert world.registry.asked.count("quay.io/me/web:1.10.0") == 2

    async def test_a_tag_that_moves_is_asked_in_each_round(self, world):
        world.registry.push("quay.io/me/web:1.10")
        async with world.running(deployed("web", VERSIONS)):
            await anyio.sleep(4 * 3_600 + 600)
            assert world.registry.asked.count("quay.io/me/web:1.10") == 5

    async def test_the_tags_of_a_repository_are_read_once_for_all_who_ask(self, world):
        for tag in ("1.0.0", "2.0.0", "2.1.0"):
            world.registry.push(f"quay.io/me/web:{tag}")
        others = [
            asks(
                f"quay.io/me/web:{major}.0.0",
                policy=ImagePolicy(kind=PolicyKind.SEMVER, pattern=f"^{major}"),
            )
            for major in (1, 2)
        ]
        async with world.running(deployed("web", VERSIONS, *others)) as daemon:
            assert world.registry.asked.count("quay.io/me/web") == 1
            assert [daemon.known(one).newest.tag for one in others] == ["1.0.0", "2.1.0"]
            await anyio.sleep(3_900)
            assert world.registry.asked.count("quay.io/me/web") == 2

    async def test_what_a_webhook_tells_of_is_not_looked_up_in_an_older_list(self, world):
        world.registry.push("quay.io/me/web:1.0.0")
        async with world.running(deployed("web", VERSIONS)) as daemon:
            world.registry.push("quay.io/me/web:1.1.0")
            daemon.schedule.told(["quay.io/me/web:1.1.0"])
            await anyio.sleep(1)
            assert daemon.known(VERSIONS).newest.tag == "1.1.0"

    async def test_a_policy_that_nothing_fits_is_told_with_the_nearest(self, world):
        nine = asks("quay.io/me/web:9", policy=ImagePolicy(kind=PolicyKind.SEMVER, pattern="^9"))
        async with world.running(deployed("web", nine)) as daemon:
            known = daemon.known(nine)
            assert known.problem == "no tag of quay.io/me/web fits semver:^9"
            assert known.hint == "the nearest are 1"
            assert known.failures == 0
            assert known.answered_at > 0


class TestWhatIsAsked:
    async def test_nothing_where_updates_are_off(self, world):
        world.settings = Settings(images=ImageSettings(update=UpdateMode.OFF))
        apps = [deployed("web", QUESTION), deployed("db", LOCAL, update=UpdateMode.OFF)]
        async with world.running(*apps) as daemon:
            assert not world.registry.asked
            await daemon.take(Settings())
            assert world.registry.asked == [WEB]

    async def test_the_way_back_is_asked_for_too(self, world):
        other = asks("quay.io/me/web:0")
        old, new = deployed("web", other), deployed("web", QUESTION)
        world.registry.push("quay.io/me/web:0")
        async with world.running(deploy(new.wanted, old.wanted)):
            assert sorted(world.registry.asked) == ["quay.io/me/web:0", WEB]

    async def test_what_nobody_asks_any_more_is_forgotten(self, world):
        async with world.running(deployed("web", QUESTION), deployed("db", LOCAL)) as daemon:
            await daemon.deploy(deployed("db", LOCAL))
            assert daemon.ledger.all(ImageKnowledge).keys() == {LOCAL.key}
            assert daemon.schedule.next_check_in(QUESTION.key) is None
            await anyio.sleep(10_000)
            assert world.registry.asked == [WEB]
        async with world.running(deployed("other")) as daemon:
            assert not daemon.ledger.all(ImageKnowledge), "what another daemon has left, too"

    async def test_what_cannot_be_worked_out_makes_nothing_be_forgotten(self, world):
        async with world.running(deployed("web", QUESTION)) as daemon:
            broken = deployed("web", failure=Retry("the generator is gone"))
            await daemon.deploy(broken)
            assert daemon.known(QUESTION)
            await daemon.deploy(deployed("web"))
            assert not daemon.ledger.all(ImageKnowledge)

    async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(self, world):
        world.registry.seconds = 10.0
        async with world.running() as daemon:
            daemon.state.deployments = {"web": deployed("web", QUESTION)}
            daemon.queue.add(Kind.ALL_APPS)
            await anyio.sleep(1)
            await daemon.deploy(deployed("web"))
            assert not daemon.ledger.all(ImageKnowledge)
            assert daemon.state.invalidated == 0
