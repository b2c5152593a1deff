"""Draws notifiers: what each told last, and what waits. Takes the plain JSON of `model.notify`."""

from collections.abc import Sequence
from typing import Any

from supervisor.cli.show import screen
from supervisor.cli.show.screen import say
from supervisor.kit.texts import count, lasting, relative

_MOST_WAITING = 10


def show(notifiers: Sequence[dict[str, Any]], *, now: float) -> None:
    """Write a line for each notifier, and below what failed, and what waits."""
    if not notifiers:
        say("No notifier: the settings have none. Add [notify.NAME], with its url.")
        return
    header = ("NOTIFIER", "LAST SENT", "NEXT", "WAITING", "MESSAGE")
    rows = [
        (
            (one["name"], "strong"),
            relative(one.get("sent_at", 0.0), now=now),
            _due(one, now),
            str(len(one.get("waiting", ()))),
            (one.get("sent") or "-", "dim"),
        )
        for one in notifiers
    ]
    screen.table(rows, header=header, cut=("MESSAGE",))
    for one in notifiers:
        if one.get("failure"):
            _failure(one, now)
    waiting = _waiting(notifiers)
    if waiting:
        say()
        say(("Waits to be told:", "strong"))
    for text, names in list(waiting.items())[:_MOST_WAITING]:
        say("  ", text, (f" ({', '.join(names)})", "dim"))
    if (more := len(waiting) - _MOST_WAITING) > 0:
        say("  ", (f"and {count(more, 'more', 'more')}", "dim"))


def outcome(results: Sequence[dict[str, Any]]) -> None:
    """Write what came of test messages."""
    for one in results:
        if one.get("failure"):
            say(("✗ ", "bad"), f"{one['name']}: {one['failure']}")
            if one.get("hint"):
                say("  ", (one["hint"], "dim"))
        else:
            say(("✓ ", "good"), f"{one['name']}: sent")


def _due(one: dict[str, Any], now: float) -> str:
    """Say when it sends next: what is late goes at the next opportunity."""
    moment = one.get("next_at", 0.0)
    return relative(max(moment, now), now=now) if moment else "-"


def _failure(one: dict[str, Any], now: float) -> None:
    began = one.get("failing_since")
    age = f" ({lasting(began, now=now)})" if began else ""
    say()
    say(
        ("✗ ", "bad"), (f"{one['name']} ", "strong"), f"cannot send: {one['failure']}", (age, "dim")
    )
    if one.get("hint"):
        say("  ", (one["hint"], "dim"))


def _waiting(notifiers: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what waits to be told, each once, with the notifiers that are to tell it."""
    found: dict[str, list[str]] = {}
    for one in notifiers:
        for news in one.get("waiting", ()):
            kind = "recovered" if news.get("is_end") else news["kind"]
            found.setdefault(f"{kind}: {news['text']}", []).append(one["name"])
    return found
