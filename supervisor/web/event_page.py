"""Which entries of the event log a page shows, and where its neighbours are."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlencode

import msgspec

from supervisor.core.status.event_codes import event_codes
from supervisor.kit.texts import one_line, parse_duration

_ENTRIES = 100
_LONGEST, _SHOWN = 256, 40
_FILTERS = ("app", "unit", "code", "since", "failed", "before", "after")
_SWITCHES = ("", "0", "1", "false", "true")
SPANS = {"1h": "hour", "1d": "day", "7d": "week", "30d": "month"}
"""How far back one may look, as durations are written, and in words."""


class ShownEntries(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of a page, the newest first."""

    entries: Sequence[dict[str, Any]]
    older: str = ""
    """Address of the page with older ones; empty if there are none."""
    newer: str = ""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the log, as its address says it."""

    app: str = ""
    unit: str = ""
    code: str = ""
    since: str = ""
    """One of `SPANS`; empty is from the beginning."""
    failed: bool = False
    before: int = 0
    """Only older ones than this entry."""
    after: int = 0
    """Only newer ones, those nearest to it."""
    problems: Sequence[str] = ()
    """What the address asks for that there is not; it is shown as without that."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read an address; what means nothing in it is left out, and said."""
        words = {name: query.get(name, "")[:_LONGEST].strip() for name in ("app", "unit", "code")}
        since = query.get("since", "")
        return cls(
            **words,
            since=since if since in SPANS else "",
            failed=query.get("failed", "") not in ("", "0", "false"),
            before=_number(query.get("before", "")),
            after=_number(query.get("after", "")),
            problems=tuple(_problems(query)),
        )

    @property
    def is_newest(self) -> bool:
        """Whether new entries belong on it."""
        return not (self.before or self.after)

    @property
    def codes(self) -> Sequence[str]:
        """Codes that entries may have."""
        return event_codes()

    def query(self) -> dict[str, str]:
        """Return what the daemon is asked: one entry more than is shown, to see if there are."""
        said = {"app": self.app, "unit": self.unit, "code": self.code}
        said["limit"] = str(_ENTRIES + 1)
        if self.failed:
            said["failed"] = "true"
        if self.since:
            said["since"] = f"{time.time() - parse_duration(self.since):.0f}"
        if self.after:
            said["after_id"] = str(self.after)
        elif self.before:
            said["before_id"] = str(self.before)
        return said

    def shown(self, found: Sequence[dict[str, Any]]) -> ShownEntries:
        """Make a page of what the daemon answered, in its order."""
        if self.after:
            chosen = [*found[:_ENTRIES]]
            has_older, has_newer = True, len(found) > _ENTRIES
        else:
            chosen = [*found[-_ENTRIES:]]
            has_older, has_newer = len(found) > _ENTRIES, bool(self.before)
        if not chosen:
            return ShownEntries(entries=(), newer=self._at() if self.before else "")
        return ShownEntries(
            entries=chosen[::-1],
            older=self._at(before=chosen[0]["id"]) if has_older else "",
            newer=self._at(after=chosen[-1]["id"]) if has_newer else "",
        )

    def _at(self, **place: int) -> str:
        said: dict[str, str | int] = {"app": self.app, "unit": self.unit, "code": self.code}
        said |= {"since": self.since, "failed": "1" if self.failed else "", **place}
        return "/events?" + urlencode({key: value for key, value in said.items() if value})


def _problems(query: Mapping[str, str]) -> Iterator[str]:
    for name, value in query.items():
        text = f"“{one_line(value, _SHOWN)}”"
        if name not in _FILTERS:
            yield f"there is no “{one_line(name, _SHOWN)}” to choose by: {', '.join(_FILTERS)}"
        elif name == "since" and value and value not in SPANS:
            yield f"since: {text} is none of {', '.join(SPANS)}"
        elif name in ("before", "after") and value and not _number(value):
            yield f"{name}: {text} is no number of an entry"
        elif name == "failed" and value not in _SWITCHES:
            yield f"failed: {text} is neither 1 nor 0"


def _number(text: str) -> int:
    """Read the number of an entry; 0 for what is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004
    return int(text) if is_number else 0
