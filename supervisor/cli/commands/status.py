"""`podvisor status`: how everything stands; from the ledger where no daemon runs."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.status_report import report
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Show how everything stands.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        codes.INTERRUPTED,
        c0="all apps are ready, or on the way",
        examples=("podvisor status", "podvisor status web", "podvisor status -w"),
    ),
)
@click.argument("app", required=False, default="", shell_complete=offer("app"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: Status).")
@click.option("-w", "--watch", is_flag=True, help="Go on, and show what changes as it changes.")
def command(app: str, as_json: bool, watch: bool) -> int:
    """Show sources, apps and units, what waits, and when it is tried again.

    Of an app that is named: its units with images and ports, and what those that are not well wrote
    last. With --watch a terminal is drawn anew at each change; in a pipe each is a block of lines,
    with --json a line.

    Without a daemon it says what the ledger knows: what was applied last, not how it is now.
    """
    if watch:
        from supervisor.cli.fast import status_watch

        return status_watch.watch(app, as_json=as_json)
    return report(app, as_json=as_json)
