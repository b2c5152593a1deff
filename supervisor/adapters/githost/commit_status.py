"""Tell a Git host of a commit's status: one POST. The `GitHost` port.

What is sent and where is `core.githost.commit_status_api`'s; here is what comes of it.
"""

from supervisor.adapters.githost.exchange import Hints, Refused, ask
from supervisor.core.githost.api import Api
from supervisor.core.githost.commit_status_api import is_said_already, request
from supervisor.kit.texts import short_id
from supervisor.model.commit_status import CommitStatus

_ANSWER_LIMIT = 1 << 20
_HINTS = Hints(
    denied="check the token that `status_token` leads to: it must be allowed to set statuses",
    not_found="check `status_url`, and whether the token may see the repository",
    else_="check `status` and `status_url`",
)


class CommitStatusSender:
    """Sends over HTTP(S), on a connection of its own each time."""

    async def tell(self, api: Api, status: CommitStatus, *, context: str, token: bytes) -> None:
        """Post the status. Raises Retry (unreachable, overloaded) or Stalled (token, URL)."""
        doing = f"tell {api.base} how {short_id(status.revision)} fares"
        asked = request(api, status, context=context)
        try:
            await ask(api, asked, token=token, doing=doing, hints=_HINTS, limit=_ANSWER_LIMIT)
        except Refused as refused:
            if not is_said_already(api.kind, refused.words):
                raise refused.failure from None
