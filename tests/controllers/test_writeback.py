"""Tags that a policy chose are written back into Git once they are good; the daemon on fakes."""

import anyio
import msgspec
import pytest

from supervisor.controllers.keys import Kind
from supervisor.core.images.words import version_in_words
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.image_status import PinRequest
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings, SourceSettings
from supervisor.model.status import AppState, SyncRequest

SETTLE = 10
REPOSITORY = "reg.example/web"
A, B, C = (f"{REPOSITORY}@sha256:{letter * 64}" for letter in "abc")
DIGESTS = {"1": A, "2": B, "3": C}
UNIT = "# by hand\nImage=reg.example/web:{}  \ntrack=newest\n"
PATH = "web/web.container"
OWN_BRANCH = "podvisor-updates"


@pytest.fixture
def world(world):
    home = SourceSettings(git=GitUrl("https://git.example/home"), writeback=True)
    world.settings = msgspec.structs.replace(
        world.settings,
        sources={"home": home},
        rollout=RolloutSettings(settle=SETTLE, gate_timeout=600),
    )
    world.podman.registry.update(DIGESTS.values())
    return world


async def settle(daemon):
    """Let gates decide, and what follows from that."""
    for _ in range(4):
        await anyio.sleep(SETTLE + 1)
        await daemon.queue.wait_idle()


def push_image(world, *tags):
    world.registry.repositories[REPOSITORY] = {tag: DIGESTS[tag].partition("@")[2] for tag in tags}


async def newer(world, daemon, *tags):
    """The registry has these tags now, and somebody says so."""
    push_image(world, *tags)
    daemon.queue.add(*Kind.IMAGE_CHECK.keys(world.ledger.all(ImageKnowledge)))
    await anyio.sleep(62)
    await settle(daemon)


async def at_first(world, daemon, files=None):
    push_image(world, "1")
    await world.push(daemon, files or {PATH: UNIT.format(1)})
    await settle(daemon)
    assert running(world) == A


def running(world, unit="web.service"):
    digest = world.machine.running.get(unit)
    return next(
        (one.images[0] for one in world.machine.catalogue.values() if one.digest == digest), ""
    )


def in_git(world, path=PATH):
    return world.reader.trees["home"][path]


async def updates(daemon):
    return (await daemon.desired_state.deployments())["web"].updates


async def nothing(_event):
    pass


async def test_what_passed_its_gate_is_committed_and_restarts_nothing(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        assert not world.reader.commits
        push_image(world, "1", "2")
        daemon.queue.add(*Kind.IMAGE_CHECK.keys(world.ledger.all(ImageKnowledge)))
        await anyio.sleep(62)
        assert running(world) == B
        jobs = list(world.systemd.jobs)
        assert not world.reader.commits, "its gate has not decided"
        await settle(daemon)
        (commit,) = world.reader.commits
        assert in_git(world) == UNIT.format(2)
        assert commit.message.startswith("Run reg.example/web 2\n\n")
        assert f"reg.example/web: 1 -> 2\n  web, {PATH}, by newest\n" in commit.message
        daemon.queue.add("source:home")  # as its own webhook does
        await settle(daemon)
        assert world.systemd.jobs == jobs
        assert len(world.reader.commits) == 1
        board = daemon.board.apps["web"]
        assert (board.state, board.revision) == (
            AppState.READY,
            daemon.board.sources["home"].revision,
        )
        assert any("names 2, not 1" in one.reason for one in world.events(EventKind.IMAGE))
    async with world.running() as daemon:
        await settle(daemon)
        assert world.systemd.jobs == jobs
        assert len(world.reader.commits) == 1


async def test_what_fails_its_gate_is_never_committed(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        push_image(world, "1", "2")
        world.machine.broken.add("web.service")
        await newer(world, daemon, "1", "2")
        assert world.ledger.rollouts("web")[-1].outcome is not Outcome.GOOD
        assert not world.reader.commits
        assert in_git(world) == UNIT.format(1)


async def test_several_apps_are_one_commit(world):
    other = "db/db.container"
    async with world.running() as daemon:
        await at_first(world, daemon, {PATH: UNIT.format(1), other: UNIT.format(1)})
        await newer(world, daemon, "1", "2")
        (commit,) = world.reader.commits
        assert commit.files.keys() == {PATH, other}
        assert in_git(world, other) == UNIT.format(2)


async def test_a_push_in_between_is_taken_in_first(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        world.reader.trees["home"] = {PATH: UNIT.format(1), "README": "r2"}
        await newer(world, daemon, "1", "2")
        await anyio.sleep(60)
        await settle(daemon)
        assert world.reader.trees["home"] == {PATH: UNIT.format(2), "README": "r2"}
        assert running(world) == B


async def test_a_push_that_is_refused_is_said_and_changes_nothing_here(world):
    refused = Stalled("the server refuses it for branch main", hint="let podvisor push")
    world.reader.push_failures["home"] = refused
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        problem = daemon.board.problems["writeback:home"]
        assert problem.message.endswith(str(refused))
        assert problem.hint == refused.hint
        assert running(world) == B
        assert daemon.board.apps["web"].state is AppState.READY
        world.reader.push_failures.clear()
        await anyio.sleep(3700)
        await settle(daemon)
        assert in_git(world) == UNIT.format(2)
        assert "writeback:home" not in daemon.board.problems


async def test_a_push_that_is_refused_is_no_problem_where_nobody_asks_for_it_any_more(world):
    world.reader.push_failures["home"] = Stalled("the server refuses it")
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        assert "writeback:home" in daemon.board.problems
        home = msgspec.structs.replace(world.settings.sources["home"], writeback=False)
        settings = msgspec.structs.replace(world.settings, sources={"home": home})
        await daemon.lifecycle.take_settings(settings)
        await daemon.queue.wait_idle()
        assert "writeback:home" not in daemon.board.problems


async def test_a_line_that_is_not_as_expected_is_refused_with_its_place(world):
    text = "track=newest image=reg.example/web:1\n"
    async with world.running() as daemon:
        await at_first(world, daemon, {PATH: text})
        await newer(world, daemon, "1", "2")
        assert not world.reader.commits
        assert PATH in daemon.board.problems["writeback:home"].message
        assert running(world) == B


async def test_a_commit_that_a_person_takes_back_pins_the_image_until_it_is_unpinned(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        assert running(world) == A
        assert in_git(world) == UNIT.format(1)
        (order,) = world.ledger.all(ImageOrder).values()
        assert (order.pinned.runs, order.reason) == (A, "a person took 2 back in Git")
        (held,) = await updates(daemon)
        assert held.version.runs == B
        assert held.why == f"pinned to {version_in_words(A, '1')}: {order.reason}"
        await newer(world, daemon, "1", "2", "3")
        assert (running(world), in_git(world)) == (A, UNIT.format(1))
        assert len(world.reader.commits) == 1
        await daemon.service.unpin(PinRequest(app="web"), nothing)
        await settle(daemon)
        assert (running(world), in_git(world)) == (C, UNIT.format(3))


async def test_what_a_person_takes_back_is_heard_at_once(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(1)})
        await anyio.sleep(1)
        await daemon.queue.wait_idle()
        (order,) = world.ledger.all(ImageOrder).values()
        assert order.pinned.runs == A


def slowly(real, seconds):
    async def late(*args, **words):
        await anyio.sleep(seconds)
        return await real(*args, **words)

    return late


@pytest.mark.parametrize("apps", [(), ("web",)])
@pytest.mark.parametrize("registry", [0, 1, 20])
@pytest.mark.parametrize("generator", [0, 3])
@pytest.mark.parametrize("systemd", [0, 2, 5])
async def test_a_sync_ends_when_what_was_taken_back_runs_though_it_has_to_be_pulled(
    world, apps, registry, generator, systemd
):
    async with world.running() as daemon:
        push_image(world, "2")
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        await newer(world, daemon, "1", "2", "3")
        assert A not in world.machine.images
        world.registry.digest = slowly(world.registry.digest, registry)
        world.generator.generate = slowly(world.generator.generate, generator)
        world.systemd.reload = slowly(world.systemd.reload, systemd)
        world.reader.put("home", {PATH: UNIT.format(1)})
        await daemon.service.sync(SyncRequest(apps=apps), nothing)
        assert running(world) == A
        assert daemon.board.apps["web"].state is AppState.READY
        assert world.ledger.rollouts("web")[-1].outcome is Outcome.GOOD


async def test_a_sync_of_another_source_waits_for_no_writing_back(world):
    home = world.settings.sources["home"]
    other = msgspec.structs.replace(home, git=GitUrl("https://git.example/other"), writeback=False)
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home, "other": other})
    world.reader.put("other", {"plain/plain.container": "v=1"})
    async with world.running() as daemon:
        push_image(world, "2")
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        await newer(world, daemon, "1", "2", "3")
        world.registry.digest = slowly(world.registry.digest, 1_000)
        world.reader.put("home", {PATH: UNIT.format(1)})
        before = anyio.current_time()
        await daemon.service.sync(SyncRequest(apps=("plain",)), nothing)
        assert anyio.current_time() - before < 100


async def test_what_was_taken_back_goes_on_when_git_names_something_newer(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        assert running(world) == B
        assert not world.ledger.all(ImageOrder)
        assert in_git(world) == UNIT.format(2)


async def test_one_that_is_taken_back_before_it_was_read_counts_too(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        real = world.reader.commit

        async def commit(*args):
            oid = await real(*args)
            world.reader.put("home", {PATH: UNIT.format(1), "README": "taken back"})
            return oid

        world.reader.commit = commit
        await newer(world, daemon, "1", "2")
        assert (running(world), in_git(world)) == (A, UNIT.format(1))


async def test_one_that_is_taken_back_to_what_never_ran_here_is_as_the_registry_tells(world):
    world.registry.pushed_at[f"{REPOSITORY}:1"] = 5.0
    async with world.running() as daemon:
        push_image(world, "2")
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        await newer(world, daemon, "1", "2", "3")
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        (order,) = world.ledger.all(ImageOrder).values()
        assert (order.pinned.runs, order.pinned.tag, order.pinned.pushed_at) == (A, "1", 5.0)


async def test_a_second_step_back_stays_there_too(world):
    async with world.running() as daemon:
        push_image(world, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        await newer(world, daemon, "1", "2", "3")
        assert in_git(world) == UNIT.format(3)
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        (order,) = world.ledger.all(ImageOrder).values()
        assert (order.pinned.runs, order.reason) == (A, "a person took 3 back in Git")
        assert (running(world), in_git(world)) == (A, UNIT.format(1))


async def test_a_host_that_is_behind_writes_nothing_older(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await world.push(daemon, {PATH: UNIT.format(3)})  # by another host
        await settle(daemon)
        assert running(world) == A
        assert not world.reader.commits


async def test_a_version_that_a_person_pinned_is_this_hosts_own_affair(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await daemon.service.pin(PinRequest(app="web"), nothing)
        await newer(world, daemon, "1", "2")
        assert not world.reader.commits


async def test_an_image_that_follows_its_tag_is_never_written(world):
    text = UNIT.replace("newest", "digest").format(1)
    async with world.running() as daemon:
        await at_first(world, daemon, {PATH: text})
        world.registry.repositories[REPOSITORY] = {"1": B.partition("@")[2]}
        daemon.queue.add(*Kind.IMAGE_CHECK.keys(world.ledger.all(ImageKnowledge)))
        await anyio.sleep(62)
        await settle(daemon)
        assert running(world) == B
        assert not world.reader.commits


async def test_a_branch_of_its_own_is_pushed_once_for_each_change(world):
    home = msgspec.structs.replace(world.settings.sources["home"], writeback_branch=OWN_BRANCH)
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home})
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(1), "README": "r2"})
        await settle(daemon)
        assert len(world.reader.commits) == 1
        assert (running(world), in_git(world)) == (B, UNIT.format(1))
        await newer(world, daemon, "1", "2", "3")
        assert len(world.reader.commits) == 2
        assert world.reader.commits[-1].files == {PATH: UNIT.format(3).encode()}
        await world.push(daemon, {PATH: UNIT.format(3)})  # merged
        await settle(daemon)
        await world.push(daemon, {PATH: UNIT.format(1)})  # and taken back
        await settle(daemon)
        assert running(world) == A
        assert len(world.reader.commits) == 2


async def test_what_was_merged_and_unpinned_again_is_pushed_anew(world):
    home = msgspec.structs.replace(world.settings.sources["home"], writeback_branch=OWN_BRANCH)
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home})
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(2)})  # merged
        await settle(daemon)
        await world.push(daemon, {PATH: UNIT.format(1)})  # and taken back
        await settle(daemon)
        assert len(world.reader.commits) == 1
        await daemon.service.unpin(PinRequest(app="web"), nothing)
        await settle(daemon)
        assert running(world) == B
        assert len(world.reader.commits) == 2
        assert world.reader.commits[-1].files == {PATH: UNIT.format(2).encode()}


async def test_what_is_proposed_stays_so_while_a_newer_version_is_on_trial(world):
    home = msgspec.structs.replace(world.settings.sources["home"], writeback_branch=OWN_BRANCH)
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home})
    other, files = "db/db.container", {PATH: UNIT.format(1)}
    files[other] = UNIT.format(1).replace("/web", "/db")
    digests = {"1": f"sha256:{'d' * 64}", "2": f"sha256:{'e' * 64}"}
    world.podman.registry.update(f"reg.example/db@{one}" for one in digests.values())
    world.registry.repositories["reg.example/db"] = {"1": digests["1"]}
    async with world.running() as daemon:
        await at_first(world, daemon, files)
        world.registry.repositories["reg.example/db"] = digests
        await newer(world, daemon, "1", "2")
        assert [one.files.keys() for one in world.reader.commits] == [{PATH, other}]
        push_image(world, "1", "2", "3")
        daemon.queue.add(*Kind.IMAGE_CHECK.keys(world.ledger.all(ImageKnowledge)))
        await anyio.sleep(SETTLE - 2)  # no gate has decided, and what is gathered is over
        await daemon.queue.wait_idle()
        assert running(world) == C
        assert len(world.reader.commits) == 1
        await settle(daemon)
        assert len(world.reader.commits) == 2
        names = {path: text.decode() for path, text in world.reader.commits[-1].files.items()}
        assert names == {PATH: UNIT.format(3), other: UNIT.format(2).replace("/web", "/db")}
