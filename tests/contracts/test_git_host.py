"""The `GitHost` port; the real adapter against an HTTP server of our own."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from supervisor.adapters.githost import exchange
from supervisor.adapters.githost.commit_status import CommitStatusSender
from supervisor.controllers.ports import GitHost
from supervisor.core.githost.api import Api
from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.errors import Retry, Stalled
from tests.fakes.ports import FakeGitHost
from tests.fakes.web import Web

pytestmark = pytest.mark.anyio
STATUS = CommitStatus(revision="12" * 20, state=CommitState.SUCCESS, description="2 apps ready")
TOKEN = b"t0ken-of-this-test"


class FakeSide:
    def __init__(self) -> None:
        self.host = FakeGitHost()
        self.base = "https://git.example/api/v1"

    def told(self) -> int:
        return len(self.host.told)

    def is_gone(self) -> None:
        self.host.failure = Retry("cannot tell: no route to host")

    def hangs(self) -> None:
        self.host.failure = Retry("cannot tell: no answer")

    def is_overloaded(self) -> None:
        self.host.failure = Retry("cannot tell: the Git host answers 503")

    def refuses(self) -> None:
        self.host.failure = Stalled("cannot tell: the Git host answers 401", hint="check the token")

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self) -> None:
        self.web = Web()
        self.web.status = 201
        self.host = CommitStatusSender()
        self.base = f"{self.web.url}/api/v1"

    def told(self) -> int:
        return len(self.web.asked)

    def is_gone(self) -> None:
        self.web.close()

    def hangs(self) -> None:
        self.web.hang()

    def is_overloaded(self) -> None:
        self.web.status = 503

    def refuses(self) -> None:
        self.web.status = 401

    def close(self) -> None:
        self.web.close()


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSide | RealSide]:
    made = request.param()
    yield made
    made.close()


async def tell(side: FakeSide | RealSide, token: bytes = TOKEN) -> None:
    host: GitHost = side.host
    api = Api(kind="gitea", base=side.base, repository="me/home")
    with anyio.fail_after(60):
        await host.tell(api, STATUS, context="podvisor/pi", token=token)


async def test_each_status_is_told_once(side: FakeSide | RealSide) -> None:
    for number in (1, 2):
        await tell(side)
        assert side.told() == number


@pytest.mark.parametrize("token", [b"\xff", b"two\nlines"])
async def test_a_token_that_cannot_be_one_is_for_a_person(
    side: FakeSide | RealSide, token: bytes
) -> None:
    with pytest.raises(Stalled, match="odd characters") as caught:
        await tell(side, token)
    assert caught.value.hint
    assert side.told() == 0


async def test_what_is_refused_is_for_a_person(side: FakeSide | RealSide) -> None:
    side.refuses()
    with pytest.raises(Stalled, match="401") as caught:
        await tell(side)
    assert caught.value.hint
    assert TOKEN.decode() not in f"{caught.value} {caught.value.hint}"


async def test_who_is_gone_or_overloaded_is_asked_again(side: FakeSide | RealSide) -> None:
    side.is_overloaded()
    with pytest.raises(Retry, match="503"):
        await tell(side)
    side.is_gone()
    with pytest.raises(Retry, match="cannot tell"):
        await tell(side)


async def test_who_never_answers_is_asked_again(
    side: FakeSide | RealSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_TIMEOUT_SECONDS", 0.1)
    side.hangs()
    with pytest.raises(Retry, match="cannot tell"):
        await tell(side)
