"""OIDC tokens of GitHub Actions: what they claim, and whether that is enough.

Only claims are looked at here, for all can be written by anybody: `adapters.oidc` verifies the
signature afterwards, of tokens that say the right things.
"""

import base64
import math
from collections.abc import Collection

import msgspec

from supervisor.core.githost.payloads import repository_path
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import Change, Message

LEEWAY_SECONDS = 60.0
LARGEST = 8 << 10
_LONGEST_KEY_NAME = 128


class _Header(msgspec.Struct):
    alg: str = ""
    kid: str = ""


class Claims(msgspec.Struct):
    """Of the payload, what counts here."""

    iss: str = ""
    aud: str | tuple[str, ...] = ""
    exp: float = 0.0
    nbf: float = 0.0
    repository: str = ""
    ref: str = ""
    sha: str = ""
    event_name: str = ""
    jti: str = ""


class Token(msgspec.Struct, frozen=True):
    """A token, taken apart; nothing of it is proven."""

    text: str
    key_name: str
    claims: Claims


def parse(text: str) -> Token:
    """Take a token apart. Raises ValueError, with words that are safe to show."""
    if len(text) > LARGEST:
        raise ValueError("the token is too large")
    try:
        head, body, _ = map(_decoded, text.split("."))
        header = msgspec.json.decode(head, type=_Header)
        claims = msgspec.json.decode(body, type=Claims)
    except (ValueError, RecursionError):
        raise ValueError("that is no token") from None
    if not (math.isfinite(claims.exp) and math.isfinite(claims.nbf)):
        raise ValueError("that is no token")
    if header.alg != "RS256":
        raise ValueError("the token is not signed with RS256")
    if not header.kid or len(header.kid) > _LONGEST_KEY_NAME:
        raise ValueError("the token does not name its key")
    return Token(text, header.kid, claims)


def fault(
    claims: Claims, settings: SourceSettings, *, issuer: str, times: Collection[float]
) -> str:
    """Why a token is not one for this source, if it is genuine at all; empty if it is.

    `times` are what the clocks say: it must be valid by one of them.
    """
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if claims.iss != issuer:
        return "the token is of another issuer"
    if settings.webhook_audience not in audiences or not settings.webhook_audience:
        return "the token is for another audience"
    ours = repository_path(settings.webhook_repository)
    if not ours or repository_path(claims.repository) != ours:
        return "the token is of another repository"
    if all(not claims.nbf - LEEWAY_SECONDS <= now < claims.exp + LEEWAY_SECONDS for now in times):
        return "the token has expired, or this machine's time is wrong"
    return ""


def message(claims: Claims) -> Message:
    """Return what a token tells, as a payload would."""
    return Message(
        changes=(Change(claims.ref, claims.sha),) if claims.ref else (),
        event=claims.event_name,
        delivery=claims.jti[:64] if claims.jti.isprintable() else "",
    )


def _decoded(part: str) -> bytes:
    """Decode URL-safe Base64 without its padding. Raises ValueError."""
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
