"""Tell a Git host of a commit's status: one POST. The `GitHost` port.

What is sent and where is `core.githost.commit_status_api`'s; here is what comes of it.
"""

import msgspec

from supervisor import __version__
from supervisor.core.githost.commit_status_api import Api, is_said_already, plain, request
from supervisor.kit.http import client as http
from supervisor.model.commit_status import CommitStatus
from supervisor.model.errors import Failure, Retry, Stalled

_TIMEOUT_SECONDS = 30.0
_ANSWER_LIMIT = 64 << 10
_LONGEST_WORDS = 200
_DENIED = (401, 403)
_BUSY = (408, 425, 429)
_NOT_FOUND = 404
_MOVED = range(300, 400)
_SERVER = 500


class _Words(msgspec.Struct):
    """How Git hosts say what is wrong."""

    message: object = ""


class CommitStatusSender:
    """Sends over HTTP(S), on a connection of its own each time."""

    async def tell(self, api: Api, status: CommitStatus, *, context: str, token: bytes) -> None:
        """Post the status. Raises Retry (unreachable, overloaded) or Stalled (token, URL)."""
        doing = f"tell {api.base} how {status.revision[:12]} fares"
        secret = token.decode("ascii", errors="replace")
        if not secret.isascii() or not secret.isprintable():
            raise Stalled(
                f"cannot {doing}: the token has odd characters",
                hint="put the token alone where `status_token` leads to, in one line",
            )
        url, proof, body = request(api, status, context=context, token=secret)
        headers = proof | {
            "User-Agent": f"podvisor/{__version__}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        try:
            async with http.ask(
                "POST", url, headers=headers, body=body, timeout_seconds=_TIMEOUT_SECONDS
            ) as answer:
                if answer.status in range(200, 300):
                    return
                said = await answer.read(limit=_ANSWER_LIMIT)
                number, limited = answer.status, _is_limited(answer)
        except http.HttpError as error:
            raise Retry(f"cannot {doing}: {_without(secret, str(error))}") from error
        words = _without(secret, _words(said))
        if is_said_already(api.kind, words):
            return
        raise _failure(f"cannot {doing}", number, words, limited=limited)


def _is_limited(answer: http.Answer) -> bool:
    """Whether a refusal is for having asked too often, which some say with 403."""
    return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"


def _words(body: bytes) -> str:
    try:
        message = msgspec.json.decode(body, type=_Words).message
    except msgspec.MsgspecError:
        return ""
    return plain(message if isinstance(message, str) else str(message), _LONGEST_WORDS)


def _without(secret: str, text: str) -> str:
    """Cut the token out of what a server may have echoed."""
    return text.replace(secret, "***") if secret else text


def _failure(what: str, number: int, words: str, *, limited: bool) -> Failure:
    said = f"{what}: the Git host answers {number}{': ' if words else ''}{words}"
    if limited or number in _BUSY or number >= _SERVER:
        return Retry(said)
    if number in _DENIED:
        hint = "check the token that `status_token` leads to: it must be allowed to set statuses"
    elif number == _NOT_FOUND:
        hint = "check `status_url`, and whether the token may see the repository"
    elif number in _MOVED:
        hint = "the API is elsewhere: set `status_url`"
    else:
        hint = "check `status` and `status_url`"
    return Stalled(said, hint=hint)
