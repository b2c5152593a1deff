"""Draws notifiers: what each told last, and what waits. Takes the plain JSON of `model.notify`."""

from collections.abc import Sequence
from typing import Any

from supervisor.cli.show import screen
from supervisor.cli.show.screen import say
from supervisor.kit.texts import count, relative

_MOST_WAITING = 5


def show(notifiers: Sequence[dict[str, Any]], *, now: float) -> None:
    """Write a line for each notifier, and below what waits and what failed."""
    if not notifiers:
        say("No notifier: the settings have none. Add [notify.NAME], with its url.")
        return
    header = ("NOTIFIER", "LAST SENT", "NEXT", "WAITING", "MESSAGE")
    rows = [
        (
            (one["name"], "strong"),
            relative(one.get("sent_at", 0.0), now=now),
            relative(one["next_at"], now=now) if one.get("next_at") else "-",
            str(len(one.get("waiting", ()))),
            (one.get("sent") or "-", "dim"),
        )
        for one in notifiers
    ]
    screen.table(rows, header=header, cut=("MESSAGE",))
    for one in notifiers:
        _below(one, now)


def outcome(results: Sequence[dict[str, Any]]) -> None:
    """Write what came of test messages."""
    for one in results:
        if one.get("failure"):
            say(("✗ ", "bad"), f"{one['name']}: {one['failure']}")
            if one.get("hint"):
                say("  ", (one["hint"], "dim"))
        else:
            say(("✓ ", "good"), f"{one['name']}: sent")


def _below(one: dict[str, Any], now: float) -> None:
    waiting = one.get("waiting", ())
    if not waiting and not one.get("failure"):
        return
    say()
    say((f"{one['name']}:", "strong"))
    if one.get("failure"):
        began = one.get("failing_since")
        since = f" (since {relative(began, now=now)})" if began else ""
        say("  ", ("✗ ", "bad"), f"cannot send{since}: {one['failure']}")
        if one.get("hint"):
            say("    ", (one["hint"], "dim"))
    for news in waiting[:_MOST_WAITING]:
        kind = "recovered" if news.get("is_end") else news["kind"]
        say("  ", (f"{kind}: ", "warn"), news["text"])
    if (more := len(waiting) - _MOST_WAITING) > 0:
        say("  ", (f"and {count(more, 'more', 'more')}", "dim"))
