"""What should be seen first of a status: what is wrong, what waits, what changes; what is well.

Takes the plain JSON of `model.status.Status`, as `core.status.in_words` does.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from supervisor.core.images.words import update_in_words
from supervisor.core.status.in_words import (
    as_it_stands,
    need_in_words,
    next_of,
    orders_in_words,
    trial_in_words,
    trouble_in_words,
    unknown_in_words,
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be seen."""

    app: str = ""
    """Empty for what is podvisor's own, or a source's."""
    text: str
    """What, and why."""
    hint: str = ""
    """What to do, in words."""
    command: str = ""
    """What to type next."""
    since: float = 0.0
    """Of what is wrong, when it was first seen; 0 where that does not matter, or is not known."""
    lines: tuple[str, ...] = ()
    """What its programs wrote last."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All of a status, each thing in the first of these that it belongs to."""

    troubles: tuple[Line, ...] = ()
    waiting: tuple[Line, ...] = ()
    """What comes by itself, or when a person says so: with why, and until when."""
    changing: tuple[Line, ...] = ()


def overview(status: dict[str, Any], now: float) -> Overview:
    """Divide it."""
    apps = status.get("apps", ())
    incidents = status.get("incidents", ())
    troubles = [_as_line(one) for one in incidents if not one.get("meanwhile")]
    ailing = {line.app for line in troubles}
    waiting: list[Line] = []
    changing = [_as_line(one) for one in incidents if one.get("meanwhile")]
    for app in apps:
        bad = app["name"] in ailing
        moving = [] if bad else [*_changes(app)]
        changing += moving
        waiting += _waits(app, now, is_changing=bad or bool(moving))
    for one in status.get("unknown_images", ()):
        waiting.append(Line(text=unknown_in_words(one, now), command="podvisor images"))
    return Overview(
        troubles=tuple(troubles),
        waiting=tuple(waiting),
        changing=tuple(changing),
    )


def _as_line(one: dict[str, Any]) -> Line:
    hint, command = next_of(one)
    return Line(
        app=one.get("app", ""),
        text=as_it_stands(one),
        hint=hint,
        command=command,
        since=one.get("opened_at", 0.0),
        lines=tuple(one.get("log", ())),
    )


def _changes(app: dict[str, Any]) -> Iterator[Line]:
    if app["state"] != "changing":
        return
    name = app["name"]
    if trial := trial_in_words(app):
        yield Line(app=name, text=trial)
    for one in app.get("waiting", ()):
        yield Line(app=name, text=need_in_words(one))
    if app.get("rolling"):
        yield Line(app=name, text=f"in their turn: {', '.join(app['rolling'])}")
    if not (app.get("gate") or app.get("waiting") or app.get("rolling")):
        yield Line(app=name, text="a pass is under way")


def _waits(app: dict[str, Any], now: float, *, is_changing: bool) -> Iterator[Line]:
    name = app["name"]
    for text, command in orders_in_words(app, now):
        yield Line(app=name, text=text, command=command)
    for one in () if is_changing else app.get("waiting", ()):
        yield Line(app=name, text=need_in_words(one))
    if app["state"] == "kept":
        text = "its source does not hold it any more; it is kept until you say that it goes"
        yield Line(app=name, text=text, command="podvisor sync --prune-all")
    if app["state"] == "inactive":
        for unit in app.get("units", ()):
            if why := trouble_in_words(unit, now):
                yield Line(app=name, text=f"{unit['name']}: {why}")
    for one in app.get("updates", ()):
        if not one.get("failed"):  # that is an incident
            command = f"podvisor update {name} --now" if one.get("early") else ""
            text = update_in_words(one["image"], one, now=now)
            yield Line(app=name, text=text, command=command)
