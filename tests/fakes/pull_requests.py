"""The `PullRequests` port, of a Git host that is a dictionary."""

import asyncio

from msgspec.structs import replace

from supervisor.core.githost.api import Api
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.pull_request import Proposal, PullRequest, PullState


class FakePullRequests:
    def __init__(self) -> None:
        self.pulls: dict[int, PullRequest] = {}
        self.texts: dict[int, tuple[str, str]] = {}
        """Title and body of each."""
        self.asked: list[str] = []
        self.tokens: set[bytes] = set()
        self.failure: Failure | None = None
        self.is_hidden = False
        """Whether the repository is there for others only."""
        self.page = "https://git.example"

    def is_now(self, number: int, state: PullState) -> None:
        """Somebody merges, closes or opens it."""
        self.pulls[number] = replace(self.pulls[number], state=state)

    async def find(self, api: Api, *, head: str, to: str, token: bytes) -> PullRequest | None:
        await self._work("find", token)
        self._must_be_seen()
        wanted = (PullState.OPEN, head, to)
        return next((p for p in self.pulls.values() if (p.state, p.head, p.to) == wanted), None)

    async def look(self, api: Api, number: int, *, token: bytes) -> PullRequest | None:
        await self._work("look", token)
        return None if self.is_hidden else self.pulls.get(number)

    async def open(self, api: Api, proposal: Proposal, *, token: bytes) -> PullRequest:
        await self._work("open", token)
        self._must_be_seen()
        for one in self.pulls.values():
            if (one.state, one.head, one.to) == (PullState.OPEN, proposal.head, proposal.to):
                raise Retry("cannot open a pull request: it already exists")
        number = len(self.texts) + 1
        self.pulls[number] = PullRequest(
            number=number,
            url=f"{self.page}/{api.repository}/pulls/{number}",
            state=PullState.OPEN,
            head=proposal.head,
            to=proposal.to,
        )
        self.texts[number] = (proposal.title, proposal.body)
        return self.pulls[number]

    async def edit(self, api: Api, number: int, proposal: Proposal, *, token: bytes) -> None:
        await self._work("edit", token)
        self._must_be_seen()
        self.texts[number] = (proposal.title, proposal.body)

    async def close(self, api: Api, number: int, *, token: bytes) -> None:
        await self._work("close", token)
        self._must_be_seen()
        self.is_now(number, PullState.CLOSED)

    def _must_be_seen(self) -> None:
        if self.is_hidden:
            raise Stalled("cannot ask: the Git host answers 404", hint="may the token see it?")

    async def _work(self, what: str, token: bytes) -> None:
        self.asked.append(what)
        await asyncio.sleep(0.1)
        if not token.isascii() or not token.decode().isprintable():
            raise Stalled("cannot look: the token has odd characters", hint="put it alone there")
        if self.failure:
            raise self.failure
        self.tokens.add(token)
