"""`podvisor events`: what was done, to what, when and why."""

from collections.abc import Iterable
from typing import Any

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, stream
from supervisor.cli.local.offers import offer
from supervisor.cli.local.times import moment
from supervisor.cli.show import screen
from supervisor.cli.show.log_lines import show_event

_USUAL_LIMIT = 50


@click.command(
    short_help="Show what was done, to what, when and why.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        codes.INTERRUPTED,
        c4="--follow needs the daemon",
        examples=("podvisor events web --since 2h", "podvisor events --follow --json"),
    ),
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--since", type=moment, metavar="WHEN", help="As 2h or 7d ago, or an ISO date.")
@click.argument("app", default="", metavar="[APP]", shell_complete=offer("app"))
@click.option("--until", type=moment, metavar="WHEN", help="And before then.")
@click.option("--failed", is_flag=True, help="Only what failed, or is bad news.")
@click.option(
    "--code",
    default="",
    metavar="CODE",
    shell_complete=offer("event code"),
    help="Only of this code, as reverted or step-restart.",
)
@click.option(
    "--unit",
    default="",
    metavar="NAME",
    shell_complete=offer("unit"),
    help="Only of this unit (.service is added).",
)
@click.option(
    "-n",
    "--limit",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    help=f"The newest so many; 0 is all.  [default: {_USUAL_LIMIT}, or all with --since]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line (Event).")
def command(  # noqa: PLR0917 - click names them
    app: str,
    follow: bool,
    since: float | None,
    until: float | None,
    failed: bool,
    code: str,
    unit: str,
    limit: int | None,
    as_json: bool,
) -> int:
    """Show the event log (of one app, if it is named), oldest first; also of one that has left.

    Without a daemon it is read from the ledger.
    """
    if limit is None:
        limit = 0 if since else _USUAL_LIMIT
    if unit and "." not in unit:
        unit = f"{unit}.service"
    query: dict[str, Any] = {
        "since": since or 0.0,
        "until": until,
        "app": app,
        "unit": unit,
        "code": code,
        "failed": int(failed),
        "limit": limit,
    }
    try:
        entries = stream("/v1/events", query={**query, "follow": int(follow)})
        some = _write_all(entries, as_json=as_json)
    except NotRunning:
        if follow:
            raise
        some = _write_all(_from_ledger(query), as_json=as_json)
    if not some:
        screen.progress(("No events.", "dim"))
    return codes.OK


def _from_ledger(query: dict[str, Any]) -> Iterable[dict[str, object]]:
    import msgspec

    from supervisor.cli.daemon.offline import events_from_ledger
    from supervisor.model.events import EventQuery

    found = events_from_ledger(places.ledger_file(), EventQuery(**query))
    return map(msgspec.to_builtins, found)


def _write_all(entries: Iterable[dict[str, object]], *, as_json: bool) -> bool:
    """Write them as they come; returns whether there was one."""
    some = False
    for entry in entries:
        some = True
        if as_json:
            screen.write_json(entry)
        else:
            show_event(entry, with_time=True)
    return some
