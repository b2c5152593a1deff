"""Codes that entries of the event log may have."""

from functools import cache
from typing import get_args

from supervisor.kit.texts import meant
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind, OwnCode, code_of
from supervisor.model.plan import Step

_MOST = 6
"""Codes that begin alike, of which an error names so many."""


@cache
def event_codes() -> tuple[str, ...]:
    """Return all of them, in order."""
    steps = [str(one.__struct_config__.tag) for one in get_args(Step)]
    named = [(EventKind.STEP, step) for step in steps]
    named += [(kind, "") for kind in EventKind if kind is not EventKind.STEP]
    both = {code_of(kind, step, ok=ok) for kind, step in named for ok in (True, False)}
    return tuple(sorted(both.union(map(str, OwnCode))))


def check_code(code: str) -> None:
    """Raise Stalled if no entry can have it."""
    if code and code not in event_codes():
        longer = [one for one in event_codes() if one.startswith(f"{code}-")]
        listed = "podvisor events --code, then the Tab key, lists them"
        if longer:
            listed = f"there are {', '.join(longer[:_MOST])}{', …' if longer[_MOST:] else ''}"
        hint = meant(code, event_codes(), listed)
        raise Stalled(f"no event has the code “{code}”", hint=hint)
