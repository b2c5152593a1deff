"""Tokens for a registry: distribution's "Token Authentication", and its OAuth2 variant.

Where to get one is an address of the registry's choice: it has to be encrypted, and a registry on
the public Internet can send nobody into a private network.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from supervisor.adapters.registry.challenges import Challenge
from supervisor.adapters.registry.credentials import Login
from supervisor.kit.http.pool import Reply
from supervisor.kit.json_reading import read_json
from supervisor.model.errors import Stalled

_SHORTEST, _LONGEST = 60.0, 86_400.0
_SHARE = 0.9
"""Of a token's time: clocks differ, and answers take theirs."""
_OK = 200
_NO_POST = (404, 405)
_LONGEST_TOKEN = 24 << 10
"""More does not go into the head of a request."""
_CLIENT = "podvisor"

Ask = Callable[[str, str, dict[str, str], bytes], Awaitable[Reply]]
"""Method, URL, headers and body to the answer; no redirect is followed."""


class _Answer(msgspec.Struct):
    token: object = ""
    access_token: object = ""
    expires_in: object = 0

    def __repr__(self) -> str:
        return "_Answer(…)"


def realm_of(challenge: Challenge, *, doing: str, host: str, allows_plain: bool) -> SplitResult:
    """Return where tokens are. Raises Stalled if nothing may be asked there."""
    realm = challenge.words.get("realm", "")
    hint = f"tell who runs {host}; it says so itself in WWW-Authenticate"
    try:
        parts = urlsplit(realm)
        port = parts.port
    except ValueError:
        raise Stalled(f"{doing}: {host} has tokens at no proper address", hint=hint) from None
    schemes = ("https", "http") if allows_plain else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise Stalled(f"{doing}: {host} has tokens at an address without encryption", hint=hint)
    if parts.username is not None:
        raise Stalled(f"{doing}: {host} has tokens at an address with a user in it", hint=hint)
    return parts


async def token_reply(
    ask: Ask, realm: SplitResult, challenge: Challenge, *, scope: str, login: Login | None
) -> Reply:
    """Ask for a token; the answer may be a refusal. Raises what `ask` raises."""
    words = {"service": challenge.words.get("service", ""), "scope": scope}
    words = {name: value for name, value in words.items() if value}
    place = realm._replace(fragment="")
    if login and login.identity_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "refresh_token": login.identity_token,
            **words,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await ask("POST", place.geturl(), headers, urlencode(form).encode())
        if reply.status not in _NO_POST:
            return reply
    if login and login.user:
        words["account"] = login.user
    query = "&".join(filter(None, (place.query, urlencode(words))))
    headers = {"Authorization": login.basic} if login else {}
    return await ask("GET", place._replace(query=query).geturl(), headers, b"")


def read_token(reply: Reply) -> tuple[str, float]:
    """Return a token, and for how many seconds it is good. Raises ValueError if there is none."""
    if reply.status != _OK:
        raise ValueError("it gives no token")
    answer = read_json(reply.body, _Answer) or _Answer()
    text = answer.token or answer.access_token
    # What it says otherwise may hold a token.
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_TOKEN:
        raise ValueError("it gives no token")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it gives a token with odd characters")
    told = answer.expires_in
    seconds = told if isinstance(told, int | float) else 0.0
    return text, min(max(seconds, _SHORTEST), _LONGEST) * _SHARE
