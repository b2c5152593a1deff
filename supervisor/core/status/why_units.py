"""What was done to a unit last, and what had come before it. Part of `core.status.why`."""

from collections.abc import Iterator, Sequence

from supervisor.kit.texts import with_why
from supervisor.model.events import Event, EventKind
from supervisor.model.why import Cause

_DONE = {
    "start": "was started",
    "restart": "was restarted",
    "stop": "was stopped",
    "reload-unit": "took up what changed",
    "run": "was run",
}
_TRIED = {
    "start": "could not be started",
    "restart": "could not be restarted",
    "stop": "could not be stopped",
    "reload-unit": "could not take up what changed",
    "run": "failed",
}
_SIGNS = (EventKind.HEALTH, EventKind.FAILED)
"""Of what a step may come."""


def last_steps(events: Sequence[Event], unit: str) -> list[Event]:
    """Return the newest step of each unit (or of one), in the order in which they were done."""
    found: dict[str, Event] = {}
    for one in events:
        is_step = one.kind is EventKind.STEP and one.step in _DONE and one.unit
        if is_step and unit in ("", one.unit):
            found.pop(one.unit, None)
            found[one.unit] = one
    return list(found.values())


def step_in_words(step: Event) -> str:
    """Say what was done, and why: `web.service was restarted: its file changed`."""
    done = (_DONE if step.ok else _TRIED)[step.step]
    why = f": {step.reason}" if step.reason else ""
    failed = f"; {step.detail}" if step.detail and not step.ok else ""
    return f"{step.unit} {done}{why}{failed}"


def what_came_before(events: Sequence[Event], step: Event) -> Iterator[Cause]:
    """Say what was seen of the unit since the step before, and this step may have come of."""
    at = next((at for at, one in enumerate(events) if one is step), 0)
    for one in reversed(events[:at]):
        if one.unit != step.unit:
            continue
        if one.kind is EventKind.STEP and one.step in _DONE:
            return
        if one.kind in _SIGNS and not one.ok:
            was = "was " if one.kind is EventKind.HEALTH else ""
            text = with_why(f"it {was}{one.reason}", one.detail)
            yield Cause(text=text, at=one.time, event=one.id)
            return
