"""One request to a Git host's API, and what comes of it."""

import msgspec

from supervisor import __version__
from supervisor.core.githost.api import Api, Request, plain, proof
from supervisor.kit.http import client as http
from supervisor.kit.json_reading import read_json
from supervisor.model.errors import Failure, Retry, Stalled

_TIMEOUT_SECONDS = 30.0
_REFUSAL_LIMIT = 64 << 10
_LONGEST_WORDS = 200
_DENIED = (401, 403)
_BUSY = (408, 425, 429)
_NOT_FOUND = 404
_MOVED = range(300, 400)
_SERVER = 500


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about a refusal, where that depends on what was asked for."""

    denied: str
    not_found: str
    else_: str


class Refused(Exception):
    """The Git host answered that it will not; `failure` is that for whoever knows no better."""

    def __init__(self, number: int, words: str, failure: Failure) -> None:
        super().__init__(words)
        self.number, self.words, self.failure = number, words, failure


class _Words(msgspec.Struct):
    """How Git hosts say what is wrong; GitHub says it of each field."""

    message: object = ""
    errors: object = None
    """A list of texts, or of objects with a message, if it is to be told."""


async def ask(
    api: Api, request: Request, *, token: bytes, doing: str, hints: Hints, limit: int
) -> bytes:
    """Send it, on a connection of its own; returns the body of the answer.

    `doing` is for people: "tell HOST how it fares". Raises Retry (unreachable, an answer of more
    than `limit` bytes), Stalled (an odd token), Refused.
    """
    secret = token.decode("ascii", errors="replace")
    if not secret.isascii() or not secret.isprintable():
        raise Stalled(
            f"cannot {doing}: the token has odd characters",
            hint="put the token alone where `status_token` leads to, in one line",
        )
    headers = proof(api, secret) | {
        "User-Agent": f"podvisor/{__version__}",
        "Accept": "application/json",
        **({"Content-Type": "application/json"} if request.body else {}),
    }
    body = msgspec.json.encode(request.body) if request.body else b""
    try:
        async with http.ask(
            request.method,
            request.url,
            headers=headers,
            body=body,
            timeout_seconds=_TIMEOUT_SECONDS,
        ) as answer:
            is_well = answer.status in range(200, 300)
            said = await answer.read(limit=limit if is_well else _REFUSAL_LIMIT)
            number, limited = answer.status, _is_limited(answer)
    except http.HttpError as error:
        raise Retry(f"cannot {doing}: {_without(secret, str(error))}") from error
    if is_well:
        return said
    words = _words(said, secret)
    failure = _failure(f"cannot {doing}", number, words, limited=limited, hints=hints)
    raise Refused(number, words, failure)


def _is_limited(answer: http.Answer) -> bool:
    """Whether a refusal is for having asked too often, which some say with 403."""
    return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"


def _words(body: bytes, secret: str) -> str:
    said = read_json(body, _Words) or _Words()
    errors = said.errors if isinstance(said.errors, list) else []
    faults = [one.get("message") if isinstance(one, dict) else one for one in errors]
    words = ": ".join(str(one) for one in (said.message, *faults) if one)
    return plain(_without(secret, words), _LONGEST_WORDS)  # what is cut is not recognized


def _without(secret: str, text: str) -> str:
    """Cut the token out of what a server may have echoed."""
    return text.replace(secret, "***") if secret else text


def _failure(what: str, number: int, words: str, *, limited: bool, hints: Hints) -> Failure:
    said = f"{what}: the Git host answers {number}{': ' if words else ''}{words}"
    if limited or number in _BUSY or number >= _SERVER:
        return Retry(said)
    if number in _DENIED:
        hint = hints.denied
    elif number == _NOT_FOUND:
        hint = hints.not_found
    elif number in _MOVED:
        hint = "the API is elsewhere: set `status_url`"
    else:
        hint = hints.else_
    return Stalled(said, hint=hint)
