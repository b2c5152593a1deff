"""The token by which people log in and programs ask."""

import hmac

from supervisor.model.errors import Stalled

SHORTEST = 20
LONGEST = 4_096
"""In bytes."""
_PURPOSE = b"podvisor's page: who knows the token"


class Token:
    """Tells whether a text is the token, of which only a keyed hash is kept.

    Raises Stalled if it is too short.
    """

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

    @property
    def owner(self) -> str:
        """What sessions are known by that began with it."""
        return hmac.digest(self._mark, b"podvisor's page: its sessions", "sha256").hex()


def form_proof(cookie: str) -> str:
    """Return what a form must hold that belongs to this session."""
    return hmac.digest(cookie.encode(), b"podvisor's page: a form", "sha256").hex()
