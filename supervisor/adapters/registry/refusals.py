"""What a registry's refusals mean: what a person must do, or when to ask again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from supervisor.kit.http.pool import Reply
from supervisor.kit.json_reading import read_json
from supervisor.model.errors import Failure, Retry, Stalled

_LONGEST_WAIT = 86_400.0
_LOOKED_AT = 64 << 10
"""Of a body, for what it says of waiting."""
_WAIT = 60.0
"""Where a registry that has enough does not say for how long."""
_WINDOW_PART = 24
"""Of a long window of which nothing is left, and no end is told."""
_MOVED = range(300, 400)
_DENIED, _FORBIDDEN, _NOT_FOUND, _OTHER_METHOD = 401, 403, 404, 405
_ENOUGH = 429
_BUSY = (_ENOUGH, 503)
_SOON = (408, 425)
_SERVER = 500
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_IN_WORDS = re.compile(r"retry-after:\s*(\d{1,12}(?:\.\d{1,9})?)\s*(µs|us|ms|s|m|h)\b")
_UNITS = {"µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}
_EPOCH = 1_000_000_000.0
"""A larger number is no count of seconds from now, but a moment."""


class NotThere(Stalled):
    """It has no such image, tag or blob."""


class _Error(msgspec.Struct):
    code: object = ""
    message: object = ""


class _Errors(msgspec.Struct):
    errors: list[_Error] = []
    message: object = ""
    details: object = ""


def is_busy(reply: Reply) -> bool:
    """Whether it has had enough of questions for now."""
    return reply.status in _BUSY


def failure_of(doing: str, host: str, reply: Reply, said: str, *, after: float) -> Failure:
    """Say what a refusal means. `said` are the registry's words, `after` when to ask again."""
    status = reply.status
    answers = "has no such image or tag" if status == _NOT_FOUND else f"answers {status}"
    message = f"{doing}: {host} {answers}{': ' if said else ''}{said}"
    if status in _BUSY:
        return Retry(message, after_seconds=after)
    if status in _SOON or status >= _SERVER:
        return Retry(message)
    if status == _NOT_FOUND:
        return NotThere(message, hint="check the image's name and tag")
    if status == _FORBIDDEN:
        hint = f"this login may not read it: podman login {host} as somebody who may"
    elif status in _MOVED:
        hint = "write the image's name with the host that it is at now"
    else:
        hint = "check the image's name, and whether this host is a registry"
    return Stalled(message, hint=hint)


def denied(doing: str, host: str, said: str, *, has_login: bool) -> Stalled:
    """Say that it wants another login, or one at all."""
    words = f"{host} refuses the login" if has_login else f"{host} wants a login"
    return Stalled(
        f"{doing}: {words}{': ' if said else ''}{said}",
        hint=(
            f"podman login {host}, with --authfile ~/.config/containers/auth.json if it is to"
            " outlast a reboot ($XDG_RUNTIME_DIR/containers/auth.json does not); or check the"
            " image's name: registries hide what they do not have"
        ),
    )


def words_of(body: bytes) -> str:
    """Return what an error says for people, as registries write it; empty if nothing.

    It is as long as they made it, and may hold what they were shown.
    """
    found = read_json(body, _Errors)
    if found is None:
        return ""
    parts = [one.message or one.code for one in found.errors[:3]]
    parts = parts or [found.message or found.details]
    return "; ".join(part for part in parts if isinstance(part, str))


def wait_of(reply: Reply, *, now: float) -> float:
    """Return in how many seconds a host that has enough wants to be asked again, a day at most.

    `now` is the time since the epoch, for hosts that do not tell theirs.
    """
    headers = reply.headers
    now = _moment(headers.get("date", "")) or now
    for name in ("retry-after", "x-retry-after", "ratelimit-reset", "x-ratelimit-reset"):
        wait = _seconds(headers.get(name, ""), now)
        if wait is not None:
            return min(max(wait, 0.0), _LONGEST_WAIT)
    if told := _IN_WORDS.search(reply.body[:_LOOKED_AT].decode(errors="replace").lower()):
        return min(float(told[1]) * _UNITS[told[2]], _LONGEST_WAIT)
    return max(_WAIT, _window(headers) / _WINDOW_PART) if reply.status == _ENOUGH else 0.0


def _seconds(text: str, now: float) -> float | None:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number - now if number > _EPOCH else number
    moment = _moment(text)
    return moment - now if moment else None


def _moment(text: str) -> float:
    """Read a date of HTTP's, as seconds since the epoch; 0 if it is none."""
    found = _DATE.fullmatch(text.strip())
    if not found or found[2] not in _MONTHS:
        return 0.0
    day, year, hours, minutes, seconds = (int(found[at]) for at in (1, 3, 4, 5, 6))
    try:
        midnight = datetime(year, _MONTHS.index(found[2]) + 1, day, tzinfo=UTC)
        # A leap second is no time of a day for `datetime`.
        return (midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _window(headers: Mapping[str, str]) -> float:
    """Return for how many seconds `ratelimit-limit: 100;w=21600` counts; 0 if it is not told."""
    found = re.search(r";\s*w=(\d{1,7})", headers.get("ratelimit-limit", ""))
    return min(float(found[1]), _LONGEST_WAIT) if found else 0.0
