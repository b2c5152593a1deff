"""Draws how images stand: versions that run, newer ones, and what holds them back.

It takes the plain JSON of `model.image_status.ImageStatus`.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.core.images.words import (
    in_turn,
    is_unknown,
    policy_words,
    short_name,
    unknown_in_words,
    update_in_words,
    version_in_words,
)
from supervisor.kit.texts import count, relative
from supervisor.model.image import ImagePolicy, ImageVersion

_SHORT = 8
_NOTHING: Cell = ("-", "dim")


def show(images: Sequence[dict[str, Any]], *, app: str = "", now: float) -> None:
    """Write a line for each image, and below what a person should know of it.

    With `app`, also what is followed of each, and where that stands.
    """
    if not images:
        say("No images yet.")
        return
    header = ("APP", "IMAGE", "RUNNING", "NEWEST", "ASKED", "NEXT")
    screen.table(
        [_row(one, now) for one in images], header=header, cut=header[1:4], drop=("NEXT", "ASKED")
    )
    lines = [line for one in images for line in _lines(one, now, whole=bool(app))]
    if lines:
        say()
    for line in lines:
        say(*line)


def outcome(reply: dict[str, Any]) -> None:
    """Write how apps and images stand after an order."""
    from supervisor.cli.show.status_view import show_apps

    # What waits, or failed, is told with its image.
    show_apps([{**app, "updates": []} for app in reply.get("apps", ())])
    say()
    show(reply.get("images", ()), now=time.time())


def would_be(reply: dict[str, Any]) -> None:
    """Write what an update would come to: from what to what, by which policy, what keeps it."""
    now = time.time()
    images = reply.get("images", ())
    moving = [one for one in images if one.get("moves_to") or one.get("held")]
    for one in moving:
        to = one.get("moves_to") or one["held"]["version"]
        image, running = short_name(one["image"]), version(one.get("running"))
        style = "good" if one.get("moves_to") else "warn"
        name = f"{one['app']}: "
        say((name, "strong"), f"{image} ", running, " → ", (version(to), style))
        say("    ", (policy(one["known"]["question"]), "dim"))
        if one.get("moves_to") and one.get("passes"):
            say("    ", (f"though {one['passes']}", "warn"))
        if held := one.get("held"):
            say("    ", update_in_words(one["image"], held, now=now))
    for one in filter(is_unknown, images):
        for line in _lines(one, now, whole=False):
            say(*line)
    if not moving:
        say(f"Nothing would be updated ({count(len(images), 'image')} followed).")


def is_well(images: Sequence[dict[str, Any]]) -> bool:
    """Whether of all images the newest version is known, and none failed here."""
    failed = (one.get("held") or {} for one in images)
    return not (any(map(is_unknown, images)) or any(one.get("failed") for one in failed))


def version(one: dict[str, Any] | None) -> str:
    """Say which version it is; a dash for none."""
    return version_in_words(one["runs"], one.get("tag", "")) if one else "-"


def _row(one: dict[str, Any], now: float) -> list[Cell]:
    known = one.get("known")
    due = one.get("next_check_at", 0.0)
    running = _shortly(one.get("running"))
    return [
        (one["app"], "strong"),
        short_name(one["image"]),
        (running, "warn") if one.get("on_trial") else running,
        _newest(one),
        relative(known.get("asked_at", 0.0), now=now) if known and not one.get("off") else _NOTHING,
        relative(max(due, now), now=now) if due else _NOTHING,
    ]


def _shortly(one: dict[str, Any] | None) -> str:
    """Say which version it is where there is little room."""
    if one is None:
        return "-"
    return ImageVersion(runs=one["runs"], tag=one.get("tag", "")).in_words(digits=_SHORT)


def _newest(one: dict[str, Any]) -> Cell:
    known, running = one.get("known"), one.get("running")
    if known is None:
        return ("not followed", "dim")
    if one.get("off"):
        return ("off", "dim")
    if is_unknown(one):
        return ("unknown", "bad")
    newest = known.get("newest")
    if newest is None:
        return ("not asked yet", "dim")
    is_here = running and running["runs"] == newest["runs"]
    return ("runs", "good") if is_here else (_shortly(newest), "warn")


def _lines(one: dict[str, Any], now: float, *, whole: bool) -> Iterator[list[Cell]]:
    """Yield what is to be said of an image below the table."""
    name, known = f"{one['app']}: ", one.get("known") or {}
    image = short_name(one["image"])
    if is_unknown(one):
        yield [("✗ ", "bad"), (name, "strong"), unknown_in_words(one, now=now)]
        if known.get("hint"):
            yield ["    ", (known["hint"], "dim")]
    if one.get("on_trial"):
        text = f"{image} {version(one.get('running'))} is on trial{in_turn(one)}"
        yield [("… ", "warn"), (name, "strong"), text]
    if held := one.get("held"):
        mark: Cell = ("✗ ", "bad") if held.get("failed") else ("… ", "warn")
        yield [mark, (name, "strong"), update_in_words(one["image"], held, now=now)]
        if way_out := _way_out(one, held):
            yield ["    ", (way_out, "dim")]
    elif pinned := one.get("pinned"):
        by = f" by {one['pinned_by']}" if one.get("pinned_by") else ""
        runs = one.get("running") or pinned
        instead = f"; {version(runs)} runs" if runs["runs"] != pinned["runs"] else ""
        text = f"{image} is pinned at {version(pinned)}{by}{instead}"
        yield [("· ", "dim"), (name, "strong"), text]
    if whole and known:
        places = ", ".join(one.get("paths", ()))
        what = "its updates are off" if one.get("off") else policy(known["question"])
        yield [("· ", "dim"), (name, "strong"), f"{image}: {what}"]
        if places:
            yield ["    ", (places, "dim")]


def _way_out(one: dict[str, Any], held: dict[str, Any]) -> str:
    """Say what a person can do about a version that is held back, if its reason does not."""
    if one.get("pinned"):
        return f"podvisor unpin {one['app']} {short_name(one['image'])} has it follow again"
    if held.get("failed"):
        return f"podvisor retry {one['app']} tries it again"
    return f"podvisor update {one['app']} --now runs it now" if held.get("early") else ""


def policy(question: dict[str, Any]) -> str:
    """Say what is followed, in words."""
    if question.get("is_local"):
        return f"follows this host's own {question['image']}"
    said = question.get("policy", {})
    kind = said.get("kind", "digest")
    if kind == "digest":
        return f"follows the tag of {question['image']}"
    return f"follows {policy_words(msgspec.convert(said, ImagePolicy))}"
