"""When a notifier sends: digests and quiet hours."""

import re
from datetime import tzinfo

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.calendar import begins, closes, parse_window
from supervisor.kit.texts import DURATION_EXAMPLES, one_line, parse_duration

_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_HINT = f"write how long it gathers, {DURATION_EXAMPLES}, or when: 08:00,20:00 or Mon..Fri 08:00"


def next_digest(text: str, since: float, *, zone: tzinfo | None = None) -> float:
    """Return when a digest is due that something waits for since that moment; 0 if never.

    Raises Refused for what is no digest.
    """
    if ":" not in text:
        return since + _gathering(text)
    # What the clock shows twice in autumn is meant once: no second of it is open till the other.
    return begins(_moments(text), since, zone=zone)


def check_digest(text: str) -> None:
    """Raise Refused, with what is meant, for what is no digest."""
    if ":" not in text:
        _gathering(text)
    else:
        parse_window(_moments(text))


def check_quiet(text: str) -> None:
    """Raise Refused for what is no window, or one that never ends."""
    # Two weeks without an end, whenever they begin, are no night.
    if parse_window(text) == parse_window("always"):
        hint = "write such as 22:00..07:00; to be told nothing, leave out the notifier"
        raise Refused(f"“{one_line(text, 60)}” never ends", hint)


def quiet_until(text: str, at: float, *, zone: tzinfo | None = None) -> float:
    """Return the end of the quiet hours that a moment falls into; the moment itself, if in none."""
    return closes(text, at, zone=zone) or at


def _gathering(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise Refused(f"“{one_line(text, 60)}” is no digest", _HINT)
    return seconds


def _moments(text: str) -> str:
    """Write moments as windows of a second: `Mon 08:00` as `Mon 08:00:00..08:00:01`."""
    *days, times = text.split()
    spans = []
    for one in times.split(","):
        if not (found := _TIME.fullmatch(one)):
            raise Refused(f"“{one_line(text, 60)}” is no digest", _HINT)
        spans.append("{0}:{1}:00..{0}:{1}:01".format(*found.groups()))
    return " ".join([*days, ",".join(spans)])
