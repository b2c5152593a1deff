"""The pull request for a branch of podvisor's own, through the whole daemon on fakes."""

import os

import anyio
import msgspec
import pytest

from supervisor.controllers.keys import Kind
from supervisor.core.githost.api import api_of
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.image_status import PinRequest
from supervisor.model.pull_request import Proposal, PullState
from supervisor.model.settings import RolloutSettings, SecretRef, SourceSettings
from tests.controllers.test_writeback import (
    DIGESTS,
    OWN_BRANCH,
    PATH,
    SETTLE,
    UNIT,
    B,
    C,
    at_first,
    newer,
    nothing,
    running,
    settle,
)

pytestmark = pytest.mark.anyio
TOKEN = SecretRef("file:~/token")
HOME = SourceSettings(
    git=GitUrl("https://git.example/me/home"),
    writeback=True,
    writeback_branch=OWN_BRANCH,
    status="gitea",
    status_token=TOKEN,
)


@pytest.fixture
def world(world):
    world.settings = msgspec.structs.replace(
        world.settings,
        sources={"home": HOME},
        rollout=RolloutSettings(settle=SETTLE, gate_timeout=600),
    )
    world.secrets.known[TOKEN] = b"t0ken"
    world.podman.registry.update(DIGESTS.values())
    return world


def shown(daemon):
    (source,) = daemon.service.status().sources
    return source.proposal


def told(world):
    return [one.reason for one in world.events(EventKind.PULL_REQUEST)]


def changes(world):
    """What was asked of the Git host besides how something stands."""
    return [one for one in world.pull_requests.asked if one not in {"look", "find"}]


async def proposed(world, daemon):
    await at_first(world, daemon)
    await newer(world, daemon, "1", "2")
    assert world.pull_requests.pulls[1].state is PullState.OPEN


async def test_one_is_opened_for_what_was_pushed(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        assert not world.pull_requests.asked
        await newer(world, daemon, "1", "2")
        (one,) = world.pull_requests.pulls.values()
        assert (one.head, one.to) == (OWN_BRANCH, "main")
        title, body = world.pull_requests.texts[1]
        assert title == "Run reg.example/web 2"
        assert f"It runs on {os.uname().nodename}, and is well." in body
        assert f"    reg.example/web: 1 -> 2\n      web, {PATH}, by newest\n" in body
        assert world.pull_requests.tokens == {b"t0ken"}
        assert shown(daemon).name == "pull request #1"
        assert shown(daemon).url == "https://git.example/me/home/pulls/1"
        assert told(world) == ["pull request #1 was opened: Run reg.example/web 2"]


async def test_it_is_kept_up_to_date_and_there_is_one(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        await newer(world, daemon, "1", "2", "3")
        assert running(world) == C
        assert world.pull_requests.texts.keys() == {1}
        assert world.pull_requests.texts[1][0] == "Run reg.example/web 3"
        await world.push(daemon, {PATH: UNIT.format(1), "README": "r2"})
        await settle(daemon)
        assert changes(world) == ["open", "edit"]
    async with world.running() as daemon:
        await settle(daemon)
        assert changes(world) == ["open", "edit"]
        assert shown(daemon).state is PullState.OPEN


async def test_one_that_is_open_already_is_taken_up(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        by_hand = Proposal(head=OWN_BRANCH, to="main", title="by hand", body="")
        await world.pull_requests.open(api_of("gitea", git=HOME.git), by_hand, token=b"t0ken")
        await newer(world, daemon, "1", "2")
        assert world.pull_requests.texts.keys() == {1}
        assert world.pull_requests.texts[1][0] == "Run reg.example/web 2"
        assert shown(daemon).name == "pull request #1"


async def test_after_a_merge_the_next_one_is_new(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        world.pull_requests.is_now(1, PullState.MERGED)
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        assert told(world)[-1] == "pull request #1 was merged"
        assert shown(daemon) is None
        before = list(world.pull_requests.asked)
        daemon.queue.add(Kind.PULL_REQUEST.key("home"))
        await settle(daemon)
        assert world.pull_requests.asked == before, "there is nothing to look at"
        await newer(world, daemon, "1", "2", "3")
        assert changes(world) == ["open", "open"]
        assert world.pull_requests.texts[2][0] == "Run reg.example/web 3"


async def test_one_that_was_closed_is_not_opened_again_for_the_same(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        world.pull_requests.is_now(1, PullState.CLOSED)
        await anyio.sleep(3700)
        await settle(daemon)
        assert told(world)[-1].startswith("pull request #1 was closed without a merge: none is")
        assert shown(daemon).state is PullState.CLOSED
        await world.push(daemon, {PATH: "# another line\n" + UNIT.format(1)})
        await settle(daemon)
        assert len(world.reader.commits) == 2, "the branch follows all the same"
        assert changes(world) == ["open"]
        assert running(world) == B
    async with world.running() as daemon:
        await settle(daemon)
        assert shown(daemon).state is PullState.CLOSED
        await newer(world, daemon, "1", "2", "3")
        assert changes(world) == ["open", "open"]
        assert shown(daemon).name == "pull request #2"


async def test_one_of_which_nothing_is_left_is_closed(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        await world.push(daemon, {PATH: UNIT.format(2)})  # by hand
        await settle(daemon)
        assert world.pull_requests.pulls[1].state is PullState.CLOSED
        assert told(world)[-1] == "pull request #1 was closed: main says all that"
        assert shown(daemon) is None
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        await daemon.service.unpin(PinRequest(app="web"), nothing)
        await settle(daemon)
        assert changes(world) == ["open", "close", "open"], "podvisor closed it, nobody else"


async def test_a_git_host_that_is_down_keeps_nothing_waiting(world, caplog):
    async with world.running() as daemon:
        await at_first(world, daemon)
        world.pull_requests.failure = Retry("cannot open a pull request: no route to host")
        await newer(world, daemon, "1", "2")
        assert running(world) == B
        assert len(world.reader.commits) == 1
        assert "no route to host" in str(daemon.board.problems["pull-request:home"])
        tries = len(world.pull_requests.asked)
        await anyio.sleep(3600)
        assert len(world.pull_requests.asked) - tries <= 6
        world.pull_requests.failure = None
        daemon.loop.expedite()
        await daemon.queue.wait_idle()
        assert world.pull_requests.texts[1][0] == "Run reg.example/web 2"
        assert "pull-request:home" not in daemon.board.problems
    assert caplog.text.count("no route to host") == 1


async def test_a_token_that_may_not_is_said_with_what_to_do(world):
    world.pull_requests.failure = Stalled("cannot open: 403", hint="give the token more")
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        (problem,) = daemon.service.status().problems
        assert "403" in problem.message
        assert problem.hint == "give the token more"
        off = msgspec.structs.replace(HOME, writeback_pull_request=False)
        settings = msgspec.structs.replace(world.settings, sources={"home": off})
        await daemon.lifecycle.take_settings(settings)
        await settle(daemon)
        assert not daemon.service.status().problems


@pytest.mark.parametrize(
    "without", [{"writeback_pull_request": False}, {"status": ""}, {"writeback_branch": ""}]
)
async def test_without_the_settings_nobody_is_asked(world, without):
    home = msgspec.structs.replace(HOME, **without)
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home})
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        assert len(world.reader.commits) == 1
        assert not world.pull_requests.asked
        where = f"branch {OWN_BRANCH}" if home.writeback_branch else ""
        assert (shown(daemon).name if shown(daemon) else "") == where
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        assert shown(daemon) is None


async def test_when_the_settings_end_it_is_shown_no_more_and_left_alone(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        home = msgspec.structs.replace(HOME, writeback=False)
        settings = msgspec.structs.replace(world.settings, sources={"home": home})
        await daemon.lifecycle.take_settings(settings)
        await settle(daemon)
        assert shown(daemon) is None
        assert world.pull_requests.pulls[1].state is PullState.OPEN


async def test_a_page_at_another_host_is_not_shown(world):
    world.pull_requests.page = "https://evil.example"
    async with world.running() as daemon:
        await proposed(world, daemon)
        assert shown(daemon).url == ""
        assert shown(daemon).name == "pull request #1"


async def test_one_that_is_gone_counts_as_closed(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        del world.pull_requests.pulls[1]
        await anyio.sleep(3700)
        await settle(daemon)
        assert shown(daemon).state is PullState.CLOSED
        assert changes(world) == ["open"]


async def seen_again(world, daemon):
    world.pull_requests.is_hidden = False
    daemon.loop.expedite()
    await settle(daemon)
    assert "pull-request:home" not in daemon.board.problems


async def test_one_that_the_token_may_not_see_is_not_gone(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        world.pull_requests.is_hidden = True
        await anyio.sleep(3700)
        await settle(daemon)
        assert "404" in str(daemon.board.problems["pull-request:home"])
        assert shown(daemon).state is PullState.OPEN
        await seen_again(world, daemon)
        assert changes(world) == ["open"]
        assert len(told(world)) == 1


async def test_one_of_which_nothing_is_left_is_not_gone_because_it_may_not_be_seen(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        world.pull_requests.is_hidden = True
        await world.push(daemon, {PATH: UNIT.format(2)})  # by hand
        await settle(daemon)
        assert "404" in str(daemon.board.problems["pull-request:home"])
        assert len(told(world)) == 1, "not that somebody closed it"
        await seen_again(world, daemon)
        assert told(world)[-1] == "pull request #1 was closed: main says all that"
        assert world.pull_requests.pulls[1].state is PullState.CLOSED


async def test_with_nothing_left_a_persons_own_is_left_to_them(world):
    async with world.running() as daemon:
        await proposed(world, daemon)
        by_hand = Proposal(head=OWN_BRANCH, to="main", title="by hand", body="")
        del world.pull_requests.pulls[1]
        await world.pull_requests.open(api_of("gitea", git=HOME.git), by_hand, token=b"t0ken")
        await world.push(daemon, {PATH: UNIT.format(2)})
        await settle(daemon)
        assert "closed without a merge" in told(world)[-1]
        assert world.pull_requests.pulls[2].state is PullState.OPEN
        assert changes(world) == ["open", "open"]
        assert shown(daemon) is None


async def test_a_server_that_does_not_tell_its_default_branch(world):
    home = msgspec.structs.replace(HOME, ref="")
    world.settings = msgspec.structs.replace(world.settings, sources={"home": home})
    real = world.reader.commit

    async def commit(*args):
        return msgspec.structs.replace(await real(*args), branch="")

    world.reader.commit = commit
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        assert "`ref`" in daemon.board.problems["pull-request:home"].hint
