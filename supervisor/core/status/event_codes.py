"""Codes that entries of the event log may have."""

from functools import cache
from typing import get_args

from supervisor.kit.texts import meant
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind, OwnCode, code_of
from supervisor.model.plan import Step


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
        hint = meant(code, event_codes(), "podvisor events --code, then the Tab key, lists them")
        raise Stalled(f"no event has the code “{code}”", hint=hint)
