"""Durations, sizes and moments as people write and read them, and the word that was meant."""

import re
import time
from collections.abc import Collection, Iterable, Mapping

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_THOUSAND = 1_000
_SHORT_ID = 8
_ROUND = 10
"""What is smaller is said with one place behind the point."""
_SECONDS = {"ms": 0.001, "s": 1, "m": _MINUTE, "min": _MINUTE, "h": _HOUR, "d": _DAY, "w": 7 * _DAY}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)\s*", re.ASCII)
_WRITTEN = (("d", _DAY), ("h", _HOUR), ("m", _MINUTE), ("s", 1))

_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)

DURATION_EXAMPLES = "90s, 5m, 1h30m or 7d"
SIZE_EXAMPLES = "512K, 16M or 1G"


def parse_number(text: str, *, least: int, most: int) -> int:
    """Read a whole number. Raises ValueError, with a sentence, if it is none of these."""
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise ValueError(f"it must be a number from {least} to {most}")
    return int(text)


def parse_duration(text: str) -> float:
    """Seconds of a text such as `1h30m`; ValueError, with a sentence, if it is none."""
    rest = text.strip().lower()
    if rest == "0":
        return 0.0
    if re.fullmatch(r"\d{1,12}", rest, re.ASCII):
        raise ValueError(f"“{text}” has no unit; write it as {rest}s, for seconds")
    seconds = 0.0
    at = 0
    while at < len(rest) or not at:
        part = _DURATION.match(rest, at)
        if part is None or part[2] not in _SECONDS:
            raise ValueError(f"“{text}” is not a duration; write it as {DURATION_EXAMPLES}")
        seconds += float(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return round(seconds, 6)


def format_duration(seconds: float) -> str:
    """Write it exactly: `1h30m`, `90d`, `0s`, `1.5s`."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    parts = []
    for unit, size in _WRITTEN:
        count, whole = divmod(whole, size) if unit != "s" else (whole, 0)
        if unit == "s" and fraction:
            parts.append(f"{count}.{fraction:06d}".rstrip("0") + "s")
        elif count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rough_duration(seconds: float) -> str:
    """Write how long something took: `12m3s`, below ten seconds with a decimal, `1.5s`."""
    return format_duration(round(seconds, 1 if abs(seconds) < _ROUND else None))


def parse_size(text: str) -> int:
    """Bytes of a text such as `16M` (powers of 1024); ValueError, with a sentence, if none."""
    part = _SIZE.fullmatch(text.strip())
    if part is None:
        raise ValueError(f"“{text}” is not a size; write it as {SIZE_EXAMPLES}")
    number = float(part[1]) if "." in part[1] else int(part[1])
    return int(number * _FACTORS[part[2].upper()])


def format_size(size: int) -> str:
    """Write it exactly, in the largest unit that divides it: `16M`, `1536K`, `1000`."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _FACTORS[unit] == 0:
            return f"{size // _FACTORS[unit]}{unit}"
    return str(size)


def rough_size(size: int) -> str:
    """Say how many bytes at a glance: `950 B`, `12 MB`, `1.5 GB` (powers of ten)."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < _THOUSAND:
            break
        value, unit = value / _THOUSAND, larger
    return f"{value:.1f} {unit}" if value < _ROUND and unit != "B" else f"{value:.0f} {unit}"


def rough_sizes(sizes: Mapping[str, int]) -> str:
    """Say at a glance how large each is: `db (12 MB), media (1.5 GB)`."""
    return ", ".join(f"{name} ({rough_size(size)})" for name, size in sizes.items())


def _span(seconds: float) -> str:
    """Say a length of time at a glance, in its largest unit."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}min"
    if whole < _DAY:
        return f"{whole // _HOUR}h"
    return count(whole // _DAY, "day")


def relative(moment: float, *, now: float) -> str:
    """Say when it was or will be, seen from `now`: `3min ago`, `in 20s`, `now`, `never` for 0."""
    if not moment:
        return "never"
    distance = moment - now
    if abs(distance) < 1:
        return "now"
    if distance > _MINUTE:  # to the nearest: what was put off by 2h just now comes in 2h
        distance += _MINUTE / 2
    return f"in {_span(distance)}" if distance > 0 else f"{_span(-distance)} ago"


def lasting(began: float, *, now: float) -> str:
    """Say how long something has been so: `for 22s`, `for 3min`."""
    return f"for {_span(max(now - began, 1.0))}"


def day(moment: float) -> str:
    """Return the day of a moment in UTC: `2026-03-01`."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def minute(moment: float) -> str:
    """Return a moment in UTC to the minute: `2026-03-01 07:05 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def local_time(moment: float) -> str:
    """Return a moment by this machine's clock, with its zone: `2026-03-01 07:05:10 CET`.

    For what is kept or told: it stays true.
    """
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that was probably meant, empty if none is near."""
    best, best_distance = "", 1 + max(1, len(word) // 3)
    for choice in sorted(choices):
        distance = _distance(word.lower(), choice.lower(), most=best_distance)
        if distance < best_distance:
            best, best_distance = choice, distance
    return best


def meant(word: str, choices: Collection[str], otherwise: str = "", *, form: str = "“{}”") -> str:
    """Ask whether the nearest choice was meant; say `otherwise`, or what there is, if none is."""
    if close := nearest(word, choices):
        return f"did you mean {form.format(close)}?"
    return otherwise or f"there are {', '.join(map(form.strip('“”').format, choices))}"


def _distance(one: str, other: str, *, most: int) -> int:
    """Count the edits between two words (a swap of neighbours is one); `most` if there are more."""
    if abs(len(one) - len(other)) >= most:
        return most
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return min(last[-1], most)


def short_id(whole: str) -> str:
    """Shorten the id of a commit or a release as people do."""
    return whole[:_SHORT_ID]


def one_line(text: str, longest: int = 100) -> str:
    """Write a foreign text in one line, without control characters, and not too long."""
    plain = text if text.isprintable() else ascii(text)[1:-1]
    return plain if len(plain) <= longest else plain[:longest] + "…"


def joined(text: str) -> str:
    """Write lines as one, in which they are still told apart."""
    return " / ".join(filter(None, (" ".join(line.split()) for line in text.splitlines())))


def count(number: int, one: str, many: str = "") -> str:
    """Say how many: `1 step`, `3 steps`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def quoted(text: str) -> str:
    """Write a foreign text so that it cannot pass for the words around it; empty if it is."""
    inner = text.replace("“", '"').replace("”", '"')
    return f"“{inner}”" if text else ""


def with_why(text: str, why: str) -> str:
    """Say a text with its reason, if there is one."""
    return f"{text}: {why}" if why else text
