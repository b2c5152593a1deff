"""What a unit's programs wrote last: the body of `GET /v1/logs`."""

from typing import Annotated

import msgspec

from supervisor.model.wire import Name


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/logs`."""

    unit: Name
    """Of an app, with its type."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    """The newest so many entries of the journal."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    time: float
    """Seconds since the epoch."""
    by: str = ""
    """Who wrote it, as the journal has it."""
    text: str
    """Plain, cut where it is very long, without the values of the app's secrets."""


class UnitLog(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest lines, the oldest of them first."""

    unit: str
    lines: tuple[LogLine, ...] = ()
