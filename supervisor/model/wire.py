"""What the fields of requests may hold: told to msgspec, which refuses the rest as it reads."""

from typing import Annotated

import msgspec

# In these patterns `(?!\n)` is for Python, whose `$` is also before a line break at the end.
Name = Annotated[
    str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")
]
"""Of an app, a source, a secret or a unit."""

Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=1_000)]

Revision = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[0-9A-Za-z-]*$(?!\n)")]

Remark = Annotated[str, msgspec.Meta(max_length=1_000)]
"""A person's own words."""

Span = Annotated[float, msgspec.Meta(ge=0, le=100 * 366 * 86_400)]
"""Seconds; a hundred years at most."""

Moment = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
"""Seconds since 1970."""

Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""One that SQLite can hold."""

PageSize = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
"""Entries of a list; 0 where nobody counts."""


class NoRequest(msgspec.Struct, frozen=True):
    """Where nothing is said; whatever is said goes unread."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something was not done: problem details (RFC 9457), with what to do as `hint`."""

    title: str
    """Of the status, as HTTP has it."""
    status: int
    detail: str
    hint: str = ""
