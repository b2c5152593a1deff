"""Draws what came of `certs test`: the plain JSON of `model.rehearsal.RehearsalReport`."""

from collections.abc import Iterable
from typing import Any

from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import count

_MARKS: dict[str, Cell] = {
    "ok": ("✓ ", "good"),
    "unsure": ("! ", "warn"),
    "untried": ("- ", "dim"),
    "wrong": ("✗ ", "bad"),
}


def show(report: dict[str, Any]) -> None:
    """Write a line for each check, with what to do, and what it comes to."""
    checks = report["checks"]
    width = max((len(one["what"]) for one in checks), default=0)
    for one in checks:
        about = one.get("about", "")
        said = one["message"]
        if about and not ("/" in about and about in said):  # a place that is in it already
            said = f"{about}: {said}"
        say(_MARKS[one.get("state", "ok")], (one["what"].ljust(width), "strong"), "  ", said)
        if one.get("hint"):
            say(" " * (width + 4), (one["hint"], "dim"))
    _show_records(report.get("records", ()))
    say()
    wrong = sum(one.get("state") == "wrong" for one in checks)
    if wrong:
        what = f"{count(wrong, 'thing')} {'is' if wrong == 1 else 'are'} wrong"
        say(("✗ ", "bad"), (f"certificate {report['name']}: ", "strong"), what)
    elif _is_tried(checks):
        all_is_well = f"all is well, as an order at {report['tried_at']} shows"
        say(("✓ ", "good"), (f"certificate {report['name']}: ", "strong"), all_is_well)
    else:
        said = "nothing is wrong, as far as it can be seen from here"
        say(("✓ ", "good"), (f"certificate {report['name']}: ", "strong"), said)
    say(
        "  ",
        ("nothing was installed or kept, and nothing counts against its issuer's limits", "dim"),
    )


def _is_tried(checks: Iterable[dict[str, Any]]) -> bool:
    return any(one["what"] == "order" and one.get("state", "ok") == "ok" for one in checks)


def _show_records(records: Iterable[dict[str, Any]]) -> None:
    for number, one in enumerate(records):
        if number == 0:
            say()
            say("Records for dns-persist-01, which you write:")
        say(f'  {one["name"]}. IN TXT "{one["value"]}"')
