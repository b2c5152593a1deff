"""Tell of the daemon's start, and whether the one before it ended as it should."""

from supervisor.controllers.ports import Events
from supervisor.kit.texts import minute
from supervisor.model.events import EventKind, EventQuery, OwnCode

_WELL, _FAILED = "stopped", "stopped-failed"
_CODES = (EventKind.STARTED, OwnCode.STARTED_CRASHED, OwnCode.STARTED_POWER_LOST, _WELL, _FAILED)


def tell_start(ledger: Events, *, version: str, booted_at: float) -> None:
    """Log it, with a code that says how the last one ended; `booted_at` is the machine's start.

    What is not in the event log any more ended well.
    """
    newest = (one for code in _CODES for one in ledger.events(EventQuery(code=code, limit=1)))
    last = max(newest, key=lambda one: one.id, default=None)
    code, why = str(EventKind.STARTED), ""
    if last and last.code == _FAILED:
        code, why = OwnCode.STARTED_CRASHED, f"the one before ended with an error: {last.reason}"
    elif last and last.code != _WELL:
        seen = f"the one that started at {minute(last.time)} did not stop as it should"
        was_down = last.time < booted_at
        code = OwnCode.STARTED_POWER_LOST if was_down else OwnCode.STARTED_CRASHED
        end = "the machine went down with it" if was_down else "it was killed"
        why = f"{seen}: {end}"
    reason = f"podvisor {version}" + (f"; {why}" if why else "")
    ledger.log(EventKind.STARTED, ok=not why, code=str(code), reason=reason)
