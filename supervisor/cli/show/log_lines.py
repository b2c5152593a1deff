"""One entry of the event log as one line: when, what, to what, why.

It takes the plain JSON of `model.events.Event`, from `events` and `sync`.
"""

import re
import time
from typing import Any

from supervisor.cli.show.screen import Cell, is_terminal, say
from supervisor.core.status.in_words import event_name
from supervisor.kit.texts import quoted, short_id

_WHAT_WIDTH = 12
_SUBJECT_WIDTH = 28
_STYLES = {
    "applied": "good",
    "recovered": "good",
    "removed": "warn",
    "refused": "bad",
    "reverted": "bad",
    "held": "warn",
    "restoring": "warn",
    "pinned": "warn",
    "scaled": "warn",
    "suspended": "warn",
    "ordered": "strong",
    "resumed": "good",
    "error": "bad",
    "waiting": "warn",
}


_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def show_event(event: dict[str, Any], *, with_time: bool) -> None:
    """Write the line, and below it the error's own words, if there are any."""
    ok = event.get("ok", True)
    kind = event["kind"]
    what = event_name(event)
    style = _STYLES.get(kind, "") if ok else "bad"
    # What a long step's name takes is the subject's loss: the reason stays in its column.
    width = _SUBJECT_WIDTH - max(0, len(what) - _WHAT_WIDTH)
    subject = _fit(_short(_subject(event)), width)
    cells: list[Cell] = []
    if with_time:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["time"]))
        cells.append((f"{moment}  ", "dim"))
    cells += [
        "  " if ok else ("✗ ", "bad"),
        (what.ljust(_WHAT_WIDTH), style),
        " ",
        (subject.ljust(width), "strong" if kind != "step" else ""),
        " ",
        _short(event.get("reason", "")),
    ]
    if event.get("revision") and kind != "step":
        cells.append((f"  {short_id(event['revision'])}", "dim"))
    if event.get("author"):
        cells.append((f"  author {quoted(event['author'])}", "dim"))
    if event.get("by"):
        cells.append((f"  by {event['by']}", "dim"))
    column = 23 if with_time else 2
    say(*cells, hang=column)
    indent = " " * column
    for line in event.get("detail", "").splitlines():
        say(indent, (line, "dim" if ok else "bad"))


def _fit(subject: str, width: int) -> str:
    """Leave out the middle of a long one on a terminal: what follows stays in its column."""
    if len(subject) <= width or not is_terminal():
        return subject
    end = width // 2
    return f"{subject[: width - end - 1]}…{subject[-end:]}"


def _short(text: str) -> str:
    """Cut digests and ids to what tells them apart: `sha256:3f2a91c0d4e5`."""
    return _DIGEST.sub(r"\1", text)


def _subject(event: dict[str, Any]) -> str:
    """What the entry is about: the app with its unit or file, or else the source."""
    app, thing = event.get("app", ""), event.get("unit") or event.get("subject", "")
    if app and thing:
        # A refused file is named by its path in the source, which says more than the app's name.
        return thing if f"{app}/" in thing else f"{app}/{thing}"
    return str(app or thing or event.get("source", ""))
