"""Windows in time: `Sat,Sun 02:00..05:00`, `Mon..Fri 22:00..06:00`, `*-*-1..7 03:00..04:00`.

Days are written as in systemd.time(7), CALENDAR EVENTS; times are a `..` range, or several. What
crosses midnight belongs to the day on which it begins. Without times it is whole days, without
days every day.

Times are those of the host's clock. One that the clock passes over in spring is as much later as
the clock is put on; one that comes twice in autumn begins a window the first time, and ends it the
second.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.kit.texts import nearest, one_line

ALWAYS = "always"
EXAMPLES = "Sat,Sun 02:00..05:00, Mon..Fri 22:00..06:00, *-*-1..7 03:00..04:00 or 03:00..04:00"
_LONGEST = 200
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_OF = {name[:length]: at for at, name in enumerate(_DAYS) for length in (3, len(name))}
_YEARS, _MONTHS, _MONTH_DAYS = (1970, 2199), (1, 12), (1, 31)
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE = re.compile(r"(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)")
_ITEM = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?(?:/(\d{1,4}))?", re.ASCII)
_TIMES = re.compile(r"([\d:]+)\.\.([\d:]+)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)
_MOMENTS = frozenset(
    ("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly")
)
_DAY = 86_400
_WHOLE_DAY = ((0, _DAY),)
_LONGEST_OPEN = 62
"""So many spans that follow each other are taken to have no end."""
_FARTHEST_YEARS = 41
"""29 February falls on every day of the week within 40 years."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """On which days, and from when until when."""

    weekdays: frozenset[int] = frozenset(range(7))
    """Monday is 0."""
    years: frozenset[int] | None = None
    """None is every one, as for the others."""
    months: frozenset[int] | None = None
    days: frozenset[int] | None = None
    from_end: bool = False
    """Whether `days` are counted from the end of the month: 1 is its last."""
    times: tuple[tuple[int, int], ...] = _WHOLE_DAY
    """Begin and end, seconds of the clock after midnight; an end may be on the next day."""

    def begins_on(self, day: date) -> bool:
        """Whether it opens on this day."""
        if day.weekday() not in self.weekdays:
            return False
        if self.years is not None and day.year not in self.years:
            return False
        if self.months is not None and day.month not in self.months:
            return False
        if self.days is None:
            return True
        return (_days_left(day) if self.from_end else day.day) in self.days


def opens(text: str, now: float, *, zone: tzinfo | None = None) -> float:
    """Return when a window is open next, seconds since the epoch: `now` if it is, 0 if never.

    `zone` is that of the clock; None is this process's. Raises Refused as parse_window.
    """
    window = parse_window(text)
    if any(begin <= now < end for begin, end in _around(window, now, zone)):
        return now
    return begins(text, now, zone=zone)


def begins(text: str, now: float, *, zone: tzinfo | None = None) -> float:
    """Return when a window begins next, at `now` or later; 0 if never. Else as `opens`."""
    window = parse_window(text)
    for day in _days(window, _local(now, zone).date()):
        for begin, _ in _spans(window, day, zone):
            if begin >= now:
                return begin
    return 0.0


def closes(text: str, now: float, *, zone: tzinfo | None = None) -> float:
    """Return when a window that is open ends; 0 if it is not open, or never ends.

    `zone` and what is raised are as of `opens`.
    """
    window = parse_window(text)
    until = now
    for _ in range(_LONGEST_OPEN):
        ends = [end for begin, end in _around(window, until, zone) if begin <= until < end]
        if not ends:
            return until if until > now else 0.0
        until = max(ends)
    return 0.0


@lru_cache(maxsize=64)
def parse_window(text: str) -> Window:
    """Read `Sat,Sun 02:00..05:00`. Raises Refused, with what is meant, for what is no window."""
    if len(text) > _LONGEST:
        raise Refused(f"a window longer than {_LONGEST} letters is none", f"write {EXAMPLES}")
    words = text.split()
    if not words or words in ([ALWAYS], ["*"]):
        return Window()
    last = words[-1]
    times: tuple[tuple[int, int], ...] = _WHOLE_DAY
    if ":" in last:
        times = tuple(_span(one, text) for one in last.split(","))
        words.pop()
    weekdays = frozenset(range(7))
    if words and words[0][0].isalpha():
        weekdays = _weekdays(words.pop(0), text)
    if len(words) > 1:
        raise _refused(text, f"“{one_line(words[1], 40)}” is too much")
    return _on_dates(words[0] if words else "*-*-*", weekdays, times, text)


def _on_dates(
    dates: str, weekdays: frozenset[int], times: tuple[tuple[int, int], ...], text: str
) -> Window:
    found = _DATE.fullmatch(dates)
    if found is None:
        hint = f"write it as YEAR-MONTH-DAY, such as *-*-1..7; or write {EXAMPLES}"
        if ".." in dates or dates.isdigit():
            hint = f"times are written 02:00..05:00; write {EXAMPLES}"
        raise Refused(f"“{one_line(dates, 40)}” is neither day nor time", hint)
    window = Window(
        weekdays=weekdays,
        years=_numbers(found[1] or "*", _YEARS, "year", text),
        months=_numbers(found[2], _MONTHS, "month", text),
        days=_numbers(found[4], _MONTH_DAYS, "day of a month", text),
        from_end=found[3] == "~",
        times=times,
    )
    longest = max(_LONGEST_MONTHS[at - 1] for at in window.months or range(1, 13))
    if window.days and min(window.days) > longest:
        raise _refused(text, "no such month has so many days")
    return window


def _refused(text: str, why: str, hint: str = "") -> Refused:
    return Refused(f"“{one_line(text, 60)}” is no window: {why}", hint or f"write {EXAMPLES}")


def _weekdays(word: str, text: str) -> frozenset[int]:
    if word.lower() in _MOMENTS:
        raise _refused(text, f"{word} is a moment")
    days: set[int] = set()
    for part in filter(None, word.split(",")):
        # systemd takes Mon-Fri, too.
        names = part.split("..") if ".." in part else part.split("-")
        first, last = (_weekday(name, text) for name in (names[0], names[-1]))
        if len(names) > 2 or (len(names) == 2 and first > last):  # noqa: PLR2004
            short = [name[:3].capitalize() for name in _DAYS]
            hint = f"the week begins on Monday: write {short[first]}..Sun,Mon..{short[last]}"
            raise _refused(text, f"“{one_line(part, 40)}” goes backwards", hint)
        days.update(range(first, last + 1))
    return frozenset(days)


def _weekday(name: str, text: str) -> int:
    if name.lower() not in _DAY_OF:
        shown = one_line(name, 20)
        close = nearest(name, _DAY_OF).capitalize()
        hint = f"did you mean {close}?" if close else "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun"
        raise _refused(text, f"“{shown}” is no day of the week", hint)
    return _DAY_OF[name.lower()]


def _numbers(text: str, limits: tuple[int, int], what: str, whole: str) -> frozenset[int] | None:
    """Read `1,3..5,10/2`; None is `*`."""
    if text == "*":
        return None
    numbers: set[int] = set()
    low, high = limits
    for part in text.split(","):
        found = _ITEM.fullmatch(part)
        if found is None:
            raise _refused(whole, f"“{one_line(part, 40)}” is no {what}")
        first, step = int(found[1]), int(found[3] or 1)
        last = int(found[2]) if found[2] else high if found[3] else first
        if not low <= first <= last <= high or not step:
            raise _refused(whole, f"“{one_line(part, 40)}” is no {what} from {low} to {high}")
        numbers.update(range(first, last + 1, step))
    return frozenset(numbers)


def _span(text: str, whole: str) -> tuple[int, int]:
    found = _TIMES.fullmatch(text)
    if found is None:
        if _CLOCK.fullmatch(text):
            hint = f"write until when: {text}..05:00"
            raise _refused(whole, f"{text} is a moment", hint)
        raise _refused(whole, f"“{one_line(text, 40)}” is no time")
    begin, end = (_seconds(one, whole) for one in found.groups())
    if begin == end or begin >= _DAY:
        hint = f"write {EXAMPLES}; a whole day is 00:00..24:00"
        raise _refused(whole, f"{text} has no length", hint)
    return begin, end if end > begin else end + _DAY


def _seconds(text: str, whole: str) -> int:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise _refused(
            whole, f"“{one_line(text, 20)}” is no time", "times are written 02:00..05:00"
        )
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = 3_600 * hours + 60 * minutes + seconds
    if total > _DAY or minutes >= 60 or seconds >= 60:  # noqa: PLR2004
        raise _refused(whole, f"there is no {text}", "times are from 00:00 to 24:00")
    return total


def _days_left(day: date) -> int:
    """Return how many days the month has from this one on, itself included."""
    after = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (after - day).days


def _around(window: Window, now: float, zone: tzinfo | None) -> Iterator[tuple[float, float]]:
    """Yield the spans that could hold this moment."""
    today = _local(now, zone).date()
    for ago in (0, 1, 2):
        day = today - timedelta(days=ago)
        if window.begins_on(day):
            yield from _spans(window, day, zone)


def _spans(window: Window, day: date, zone: tzinfo | None) -> list[tuple[float, float]]:
    """Return when the window opens and closes that begins on a day, in order."""
    return sorted(_span_of(day, begin, end, zone) for begin, end in window.times)


def _span_of(day: date, begin: int, end: int, zone: tzinfo | None) -> tuple[float, float]:
    opens_at, _ = _moments(day, begin, zone)
    closes_at = max(_moments(day, end, zone))
    # The clock may pass over all of it.
    return opens_at, closes_at if closes_at > opens_at else opens_at + end - begin


def _moments(day: date, seconds: int, zone: tzinfo | None) -> tuple[float, float]:
    """Return when the clock shows this: mostly the same twice.

    If it does so twice, the first time and the second; if never (PEP 495), as much after the gap
    as is missing, and as much before.
    """
    clock = datetime.combine(day, time(), zone) + timedelta(seconds=seconds)
    return clock.replace(fold=0).timestamp(), clock.replace(fold=1).timestamp()


def _local(now: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(now, zone)


def _days(window: Window, first: date) -> Iterator[date]:
    """Yield the days on which it opens, from this one on, as far as anybody waits."""
    day = first
    last = min(first.year + _FARTHEST_YEARS, _YEARS[1])
    while day.year <= last:
        if window.begins_on(day):
            yield day
        day = _next_of(window, day)


def _next_of(window: Window, day: date) -> date:
    """Return the next day that is worth a look: months and years that do not count are left out."""
    is_there = (window.months is None or day.month in window.months) and (
        window.years is None or day.year in window.years
    )
    if is_there:
        return day + timedelta(days=1)
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
