"""What should be seen first of a status: what is wrong, what waits, what changes; what is well.

Takes the plain JSON of `model.status.Status`, as `core.status.in_words` does.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from supervisor.core.images.words import update_in_words
from supervisor.core.status.in_words import (
    certificate_in_words,
    health_in_words,
    need_in_words,
    orders_in_words,
    own_problems,
    trouble_in_words,
    unknown_in_words,
)

_BAD = ("refused", "failing", "reverted")


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


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All of a status, each thing in the first of these that it belongs to."""

    troubles: tuple[Line, ...] = ()
    waiting: tuple[Line, ...] = ()
    """What comes by itself, or when a person says so: with why, and until when."""
    changing: tuple[Line, ...] = ()
    well: tuple[str, ...] = ()
    """Apps of which there is nothing to say."""


def overview(status: dict[str, Any], now: float) -> Overview:
    """Divide it."""
    apps = status.get("apps", ())
    troubles = [*_of_podvisor(status), *_of_sources(status)]
    waiting: list[Line] = []
    changing: list[Line] = []
    for app in apps:
        bad = [*_troubles(app, now)]
        troubles += bad
        moving = [] if bad else [*_changes(app)]
        changing += moving
        waiting += _waits(app, now, is_changing=bool(moving or bad))
    for one in status.get("unknown_images", ()):
        waiting.append(Line(text=unknown_in_words(one, now), command="podvisor images"))
    said = {line.app for line in (*troubles, *waiting, *changing)}
    return Overview(
        troubles=tuple(troubles),
        waiting=tuple(waiting),
        changing=tuple(changing),
        well=tuple(app["name"] for app in apps if app["name"] not in said),
    )


def _of_podvisor(status: dict[str, Any]) -> Iterator[Line]:
    for one in own_problems(status):
        yield _finding(one)


def _of_sources(status: dict[str, Any]) -> Iterator[Line]:
    for source in status.get("sources", ()):
        name = source["name"]
        if source.get("error"):
            text = f"source {name} cannot be read: {source['error']}"
            yield Line(text=text, hint="what runs goes on running", command="podvisor sync")
        for one in source.get("findings", ()):
            if one.get("fatal", True):
                yield _finding(one)


def _troubles(app: dict[str, Any], now: float) -> Iterator[Line]:
    name = app["name"]
    if app["state"] in _BAD:
        lines = [*_findings(app), *_failing_needs(app), *_bad_units(app, now)]
        yield from lines or [Line(app=name, text=app["state"], command=f"podvisor status {name}")]
    for one in app.get("certificates", ()):
        text = f"certificate {one['name']}: {certificate_in_words(one, now)}"
        hint, at_once = one.get("hint", ""), one.get("at_once", "")
        yield Line(app=name, text=text, hint=hint, command=at_once)


def _findings(app: dict[str, Any]) -> Iterator[Line]:
    for one in app.get("findings", ()):
        if one.get("fatal", True):
            yield _finding({**one, "app": app["name"]})


def _finding(one: dict[str, Any]) -> Line:
    place = f"{one['path']}:{one['line']}" if one.get("line") else one.get("path", "")
    text = ": ".join(filter(None, (place, one["message"])))
    return Line(app=one.get("app", ""), text=text, hint=one.get("hint", ""))


def _failing_needs(app: dict[str, Any]) -> Iterator[Line]:
    for one in app.get("waiting", ()):
        if one.get("failing"):
            command = f"podvisor retry {app['name']}"
            yield Line(app=app["name"], text=need_in_words(one), command=command)


def _bad_units(app: dict[str, Any], now: float) -> Iterator[Line]:
    for unit in app.get("units", ()):
        down = unit.get("wanted") and not (unit.get("up") or unit.get("ended_well"))
        if not down and unit.get("health") != "unhealthy" and unit["active"] != "failed":
            continue
        how = unit.get("result") or unit["active"] or "unknown"
        parts = (health_in_words(unit, now), trouble_in_words(unit, now))
        text = ", ".join(filter(None, (f"{unit['name']} is down ({how})" if down else "", *parts)))
        command = f"podvisor logs {unit['name']} -n 30"
        yield Line(app=app["name"], text=text or f"{unit['name']}: {how}", command=command)


def _changes(app: dict[str, Any]) -> Iterator[Line]:
    if app["state"] != "changing":
        return
    name = app["name"]
    if app.get("gate"):
        yield Line(app=name, text=f"on trial: {app['gate']}")
    for one in app.get("waiting", ()):
        yield Line(app=name, text=need_in_words(one))
    if app.get("rolling"):
        yield Line(app=name, text=f"in their turn: {', '.join(app['rolling'])}")
    if not (app.get("gate") or app.get("waiting") or app.get("rolling")):
        yield Line(app=name, text="a pass is under way")


def _waits(app: dict[str, Any], now: float, *, is_changing: bool) -> Iterator[Line]:
    name = app["name"]
    for text in orders_in_words({**app, "gate": ""}, now):
        yield Line(app=name, text=text, command=f"podvisor resume {name}")
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
        failed = one.get("failed", False)
        command = f"podvisor retry {name}" if failed else f"podvisor update {name} --now"
        text = update_in_words(one["image"], one, now=now)
        yield Line(app=name, text=text, command=command if failed or one.get("early") else "")
