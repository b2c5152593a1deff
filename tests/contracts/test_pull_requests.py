"""The `PullRequests` port; the real adapter against a server that answers as each Git host does."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from msgspec.structs import replace

from supervisor.adapters.githost.pull_requests import PullRequestClient
from supervisor.controllers.ports import PullRequests
from supervisor.core.githost.api import Api, api_of
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.pull_request import Proposal, PullRequest, PullState
from tests.fakes.git_host_server import FORK, GitHostServer
from tests.fakes.pull_requests import FakePullRequests

pytestmark = pytest.mark.anyio
TOKEN = b"t0ken-of-this-test"
WANTED = Proposal(head="updates/pi", to="main", title="Run “web” 2", body="one\n\n    two\n")


class Side(Protocol):
    api: Api

    @property
    def pulls(self) -> PullRequests: ...

    def texts(self, number: int) -> tuple[str, str]:
        """Title and body."""

    def is_now(self, number: int, state: PullState) -> None:
        """A person merges or closes it."""

    def forks(self, head: str, to: str) -> None:
        """A stranger opens one from a branch of that name, in a repository of their own."""

    def is_gone(self) -> None: ...

    def may_not_write(self) -> None: ...

    def may_not_see(self) -> None:
        """The repository is private from now on, and the token's not."""

    def close(self) -> None: ...


class FakeSide:
    def __init__(self) -> None:
        self.pulls = self.fake = FakePullRequests()
        made = api_of("gitea", git=GitUrl("https://git.example/me/home"))
        assert made
        self.api = made

    def texts(self, number: int) -> tuple[str, str]:
        return self.fake.texts[number]

    def is_now(self, number: int, state: PullState) -> None:
        self.fake.is_now(number, state)

    def forks(self, head: str, to: str) -> None:
        one = PullRequest(number=99, url="", state=PullState.OPEN, head="", to=to)
        self.fake.pulls[99] = one

    def is_gone(self) -> None:
        self.fake.failure = Retry("cannot look: no route to host")

    def may_not_write(self) -> None:
        self.fake.failure = Stalled("cannot open: 403", hint="give the token that right")

    def may_not_see(self) -> None:
        self.fake.is_hidden = True

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self, kind: str) -> None:
        self.server = GitHostServer(kind, token=TOKEN.decode())
        self.pulls = PullRequestClient()
        made = api_of(kind, git=GitUrl(f"{self.server.url}/me/home.git"))
        assert made
        self.api = made

    def texts(self, number: int) -> tuple[str, str]:
        one = self.server.pulls[number - 1]
        return one["title"], one["body"]

    def is_now(self, number: int, state: PullState) -> None:
        self.server.pulls[number - 1]["state"] = state.value

    def forks(self, head: str, to: str) -> None:
        self.server.add(head, to, repo=FORK)

    def is_gone(self) -> None:
        self.server.close()

    def may_not_write(self) -> None:
        self.server.may_write = False

    def may_not_see(self) -> None:
        self.server.is_hidden = True

    def close(self) -> None:
        self.server.close()


@pytest.fixture(params=["fake", "github", "gitea", "forgejo", "gitlab"])
def side(request: Any) -> Iterator[Side]:
    made: Side = FakeSide() if request.param == "fake" else RealSide(request.param)
    yield made
    made.close()


async def find(side: Side) -> PullRequest | None:
    return await side.pulls.find(side.api, head=WANTED.head, to=WANTED.to, token=TOKEN)


async def test_one_that_was_opened_is_found_and_stands_open(side: Side) -> None:
    assert await find(side) is None
    opened = await side.pulls.open(side.api, WANTED, token=TOKEN)
    assert (opened.state, opened.head, opened.to) == (PullState.OPEN, "updates/pi", "main")
    assert side.texts(opened.number) == (WANTED.title, WANTED.body)
    assert await find(side) == opened
    assert await side.pulls.look(side.api, opened.number, token=TOKEN) == opened


async def test_it_says_what_it_is_told_last(side: Side) -> None:
    opened = await side.pulls.open(side.api, WANTED, token=TOKEN)
    other = replace(WANTED, title="Run web 3", body="three\n")
    await side.pulls.edit(side.api, opened.number, other, token=TOKEN)
    assert side.texts(opened.number) == ("Run web 3", "three\n")
    assert await find(side) == opened


@pytest.mark.parametrize("state", [PullState.MERGED, PullState.CLOSED])
async def test_what_a_person_did_is_seen(side: Side, state: PullState) -> None:
    opened = await side.pulls.open(side.api, WANTED, token=TOKEN)
    side.is_now(opened.number, state)
    assert await find(side) is None
    assert await side.pulls.look(side.api, opened.number, token=TOKEN) == replace(
        opened, state=state
    )
    again = await side.pulls.open(side.api, WANTED, token=TOKEN)
    assert again.number != opened.number


async def test_one_can_be_closed(side: Side) -> None:
    opened = await side.pulls.open(side.api, WANTED, token=TOKEN)
    await side.pulls.close(side.api, opened.number, token=TOKEN)
    seen = await side.pulls.look(side.api, opened.number, token=TOKEN)
    assert seen is not None
    assert seen.state is PullState.CLOSED


async def test_there_is_none_of_another_number(side: Side) -> None:
    assert await side.pulls.look(side.api, 5, token=TOKEN) is None


async def test_a_strangers_of_the_same_name_is_not_ours(side: Side) -> None:
    side.forks(WANTED.head, WANTED.to)
    assert await find(side) is None


async def test_a_second_one_is_not_opened(side: Side) -> None:
    await side.pulls.open(side.api, WANTED, token=TOKEN)
    with pytest.raises(Retry, match="already exists"):
        await side.pulls.open(side.api, WANTED, token=TOKEN)


async def test_who_may_not_is_told_what_to_do(side: Side) -> None:
    side.may_not_write()
    with pytest.raises(Stalled, match="403") as caught:
        await side.pulls.open(side.api, WANTED, token=TOKEN)
    assert caught.value.hint
    assert TOKEN.decode() not in f"{caught.value} {caught.value.hint}"


async def test_of_what_may_not_be_seen_only_one_is_gone(side: Side) -> None:
    """Whoever looks at a number has to look for one, too, before it counts as gone."""
    opened = await side.pulls.open(side.api, WANTED, token=TOKEN)
    side.may_not_see()
    assert await side.pulls.look(side.api, opened.number, token=TOKEN) is None
    with pytest.raises(Stalled, match="404") as caught:
        await find(side)
    assert caught.value.hint


async def test_who_is_gone_is_asked_again(side: Side) -> None:
    side.is_gone()
    with pytest.raises(Retry):
        await find(side)
    with pytest.raises(Retry):
        await side.pulls.look(side.api, 1, token=TOKEN)


@pytest.mark.parametrize("token", [b"\xff", b"two\nlines"])
async def test_a_token_that_cannot_be_one_is_for_a_person(side: Side, token: bytes) -> None:
    with pytest.raises(Stalled, match="odd characters"):
        await side.pulls.look(side.api, 1, token=token)
