"""Who has logged in, until they log out: in memory that outlives the process (`web.memory`)."""

import hashlib
import os
import secrets

import msgspec

SESSION_SECONDS = 7 * 86_400
LONGEST_NAME = 60
_MOST = 256
"""At once; for one more, that ends which began first."""
_LARGEST = 1 << 20
"""Bytes of what is read back."""


class _Session(msgspec.Struct, frozen=True):
    until: float
    name: str


class _Kept(msgspec.Struct, frozen=True):
    owner: str
    sessions: dict[str, _Session]


class Sessions:
    """All of them, by a hash of the cookie: none is there to be stolen.

    `owner` stands for the token: those of another one are over. `memory` is a file to keep them in.
    """

    def __init__(self, owner: str = "", memory: int | None = None) -> None:
        self._owner = owner
        self._memory = memory
        self._sessions = self._read()

    def begin(self, name: str, *, now: float) -> str:
        """Return the cookie of who has just logged in."""
        there = {key: one for key, one in self._sessions.items() if now < one.until}
        self._sessions = dict(list(there.items())[-_MOST + 1 :])
        cookie = secrets.token_urlsafe(32)
        self._sessions[_key(cookie)] = _Session(now + SESSION_SECONDS, name)
        self._write()
        return cookie

    def name(self, cookie: str, *, now: float) -> str | None:
        """Return who a session is of (may be empty); None if there is none, or it is over."""
        found = self._sessions.get(_key(cookie))
        return found.name if found and now < found.until else None

    def end(self, cookie: str) -> None:
        """End it, wherever else its cookie may be."""
        if self._sessions.pop(_key(cookie), None):
            self._write()

    def _read(self) -> dict[str, _Session]:
        if self._memory is None:
            return {}
        try:
            kept = msgspec.json.decode(os.pread(self._memory, _LARGEST, 0), type=_Kept)
        except (OSError, msgspec.DecodeError):  # new, or a write that was cut short
            return {}
        return kept.sessions if kept.owner == self._owner else {}

    def _write(self) -> None:
        if self._memory is None:
            return
        text = msgspec.json.encode(_Kept(self._owner, self._sessions))
        os.truncate(self._memory, 0)
        os.pwrite(self._memory, text, 0)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="surrogateescape")).hexdigest()
