"""`podvisor why`: the chain of causes that made an app or a unit what it is."""

import json
import time
from typing import Any

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, ask
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell
from supervisor.kit.texts import relative


@click.command(
    short_help="Say why an app or a unit is as it is.",
    epilog=codes.epilog(
        c0="said, also where no daemon runs",
        examples=("podvisor why web", "podvisor why web.service"),
    ),
)
@click.argument("name", metavar="APP|UNIT", shell_complete=offer("app or unit"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/why.py: Why).")
def command(name: str, as_json: bool) -> int:
    """Say what brought an app or a unit to what it is: from the last release on, each with why.

    Below each sentence stands what it comes of, back to the commit, the newer image or the person
    that had it done: podvisor why web. Without a daemon it says what the ledger knows, and not how
    it is now.
    """
    try:
        body = ask("/v1/why", query={"name": name}, timeout_seconds=10)
    except NotRunning:
        from supervisor.cli.daemon.offline import why_from_ledger

        body = why_from_ledger(places.ledger_file(), name)
    if as_json:
        screen.write_json(body)
    else:
        _show(json.loads(body), now=time.time())
    return codes.OK


def _show(why: dict[str, Any], *, now: float) -> None:
    for fact in why["facts"]:
        screen.say((fact["text"], "strong"), *_when(fact, now))
        for depth, cause in enumerate(fact.get("causes", ()), 1):
            indent = "  " * depth
            text = f"{indent}because {cause['text']}"
            screen.say((text, ""), *_when(cause, now), hang=len(indent) + 2)
        if fact.get("command"):
            screen.say("  ", (fact["command"], "dim"))


def _when(one: dict[str, Any], now: float) -> list[Cell]:
    """Say when it was, as far as that is known."""
    at = one.get("at", 0.0)
    try:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""
    except (OverflowError, ValueError, OSError):  # no moment that a clock has
        clock = ""
    return [(f"  {clock}, {relative(at, now=now)}", "dim")] if clock else []
