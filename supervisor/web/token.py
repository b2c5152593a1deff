"""The token by which people log in and programs ask, and the sessions that come of it.

Neither is kept anywhere: of the token there is a keyed hash in memory, by which sessions are
signed, so that they outlive the process, and end when the token is another one.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from supervisor.model.errors import Stalled

SHORTEST = 20
LONGEST = 4_096
"""In bytes."""
SESSION_SECONDS = 7 * 86_400
LONGEST_NAME = 60
_PURPOSE = b"podvisor's page: who knows the token"
_LONGEST_COOKIE = 512


class Token:
    """Tells whether a text is the token, and signs sessions. Raises Stalled if it is too short."""

    def __init__(self, content: bytes) -> None:
        if len(content) < SHORTEST:
            raise Stalled(
                f"cannot use the page's token: it is shorter than {SHORTEST} characters",
                hint="head -c 24 /dev/urandom | base64 makes a good one",
            )
        self._mark = hmac.digest(content, _PURPOSE, "sha256")

    def is_it(self, given: str) -> bool:
        """Whether that is the token; takes as long, however much of it is right."""
        mark = hmac.digest(given.encode(errors="surrogateescape"), _PURPOSE, "sha256")
        return hmac.compare_digest(mark, self._mark)

    def session(self, name: str, *, now: float) -> str:
        """Return the cookie of who has just logged in."""
        shown = urlsafe_b64encode(name.encode()).decode()
        said = f"{int(now + SESSION_SECONDS)}.{secrets.token_urlsafe(12)}.{shown}"
        return f"{said}.{self._signature(said)}"

    def session_name(self, cookie: str, *, now: float) -> str | None:
        """Return who a session is of (may be empty); None if it is none, or is over."""
        said, _, signature = cookie.rpartition(".")
        if not cookie.isascii() or len(cookie) > _LONGEST_COOKIE:
            return None
        if not hmac.compare_digest(signature, self._signature(said)):
            return None
        until, _, name = said.split(".")
        return urlsafe_b64decode(name).decode() if now < int(until) else None

    def _signature(self, said: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._mark, said.encode(), "sha256")).decode()


def form_proof(cookie: str) -> str:
    """Return what a form must hold that belongs to this session."""
    return hmac.digest(cookie.encode(), b"podvisor's page: a form", "sha256").hex()
