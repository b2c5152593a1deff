"""Open pull requests at a Git host, and keep them up to date. The `PullRequests` port.

What is sent and where is `core.githost.pull_request_api`'s; here is what comes of it.
"""

from supervisor.adapters.githost.exchange import Hints, Refused, ask
from supervisor.core.githost import pull_request_api
from supervisor.core.githost.api import Api, Request
from supervisor.model.errors import Retry
from supervisor.model.pull_request import Proposal, PullRequest

_ANSWER_LIMIT = 4 << 20
"""Each of a list comes with two whole repositories."""
_NOT_FOUND = 404
_CONFLICT = 409
_ALREADY = "already exists"


class PullRequestClient:
    """Asks over HTTP(S), on a connection of its own each time."""

    async def find(self, api: Api, *, head: str, to: str, token: bytes) -> PullRequest | None:
        """Find the one that is open from a branch of the repository to another."""
        request = pull_request_api.finding(api, head=head, to=to)
        doing = f"look for a pull request from {head} at {api.base}"
        try:
            pulls = await _ask(api, request, token=token, doing=doing)
        except Refused as refused:
            raise refused.failure from None
        return pull_request_api.found(pulls, head=head, to=to)

    async def look(self, api: Api, number: int, *, token: bytes) -> PullRequest | None:
        """Return how one stands; None if there is none of that number that the token may see."""
        doing = f"look at {_name(api, number)}"
        try:
            return await _one(api, pull_request_api.looking(api, number), token=token, doing=doing)
        except Refused as refused:
            if refused.number == _NOT_FOUND:
                return None
            raise refused.failure from None

    async def open(self, api: Api, proposal: Proposal, *, token: bytes) -> PullRequest:
        """Open one."""
        doing = f"open a pull request from {proposal.head} at {api.base}"
        request = pull_request_api.opening(api, proposal)
        try:
            return await _one(api, request, token=token, doing=doing)
        except Refused as refused:
            if refused.number == _CONFLICT or _ALREADY in refused.words:
                raise Retry(str(refused.failure)) from None  # it is found the next time
            raise refused.failure from None

    async def edit(self, api: Api, number: int, proposal: Proposal, *, token: bytes) -> None:
        """Have it say that."""
        request = pull_request_api.editing(api, number, proposal)
        await _change(api, request, token=token, doing=f"bring {_name(api, number)} up to date")

    async def close(self, api: Api, number: int, *, token: bytes) -> None:
        """Close it, without a merge."""
        request = pull_request_api.closing(api, number)
        await _change(api, request, token=token, doing=f"close {_name(api, number)}")


def _name(api: Api, number: int) -> str:
    return f"{pull_request_api.name_of(api, number)} of {api.repository} at {api.base}"


async def _change(api: Api, request: Request, *, token: bytes, doing: str) -> None:
    try:
        await _ask(api, request, token=token, doing=doing)
    except Refused as refused:
        raise refused.failure from None


async def _one(api: Api, request: Request, *, token: bytes, doing: str) -> PullRequest:
    pulls = await _ask(api, request, token=token, doing=doing)
    if len(pulls) != 1:
        raise _unreadable(doing)
    return pulls[0]


async def _ask(api: Api, request: Request, *, token: bytes, doing: str) -> tuple[PullRequest, ...]:
    right = pull_request_api.right_of(api.kind)
    hints = Hints(
        denied=f"check the token that `status_token` leads to: it needs {right};"
        " or have no pull requests opened: writeback_pull_request = false",
        not_found="check `status_url`, whether the repository takes pull requests,"
        f" and whether the token may see it: it needs {right}",
        else_="look at the branch on the Git host's page;"
        " or have no pull requests opened: writeback_pull_request = false",
    )
    content = await ask(api, request, token=token, doing=doing, hints=hints, limit=_ANSWER_LIMIT)
    try:
        return pull_request_api.read(api, content)
    except (ValueError, RecursionError):
        raise _unreadable(doing) from None


def _unreadable(doing: str) -> Retry:
    return Retry(f"cannot {doing}: the Git host's answer says nothing of a pull request")
