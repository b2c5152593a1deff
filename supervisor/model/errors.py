"""Findings, and the two ways in which something can fail, classified where they are raised.

`controllers.loop` interprets them: `Retry` goes back to the queue with a backoff, `Stalled` waits
for a person (or for the world to change).
"""

import msgspec

from supervisor.kit.failures import Failure, NotAllowed, OutOfReach, Retry, Stalled
from supervisor.model.incident import IncidentCode

__all__ = ("Failure", "Finding", "NotAllowed", "OutOfReach", "Retry", "Stalled")


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something wrong with an input, said so that it can be mended: what, where, what to do."""

    message: str
    source: str = ""
    app: str = ""
    path: str = ""
    """Of the file, relative to the source's root (or absolute, for a file outside a source)."""
    line: int = 0
    """Counted from 1; 0 where a line has no meaning."""
    hint: str = ""
    command: str = ""
    """What to type next."""
    absent: str = ""
    """What is missing, relative to the app's folder: all is well once a person put it there."""
    hides: bool = False
    """Whether it is a folder that cannot be looked into: there may be apps in it."""
    code: IncidentCode | None = None
    """What kind of thing is wrong; left out where that follows from where it is found."""
    subject: str = ""
    """With `code`: which one, in a word that stays the same however often it is said."""
    log: tuple[str, ...] = ()
    """The last lines of what failed, where `message` ends with them."""
    fatal: bool = True
    """Whether it keeps the app (or the whole source, if `app` is empty) from being deployed."""

    @classmethod
    def of(cls, failure: Failure, *, about: str = "", source: str = "", app: str = "") -> "Finding":
        """Make one of a failure; `about` what it is, goes before its words."""
        message = f"{about}: {failure}" if about else str(failure)
        return cls(message=message, source=source, app=app, hint=failure.hint)

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        text = ": ".join(part for part in (place, self.message) if part)
        more = "; ".join(filter(None, (self.hint, self.command)))
        return f"{text} ({more})" if more else text
