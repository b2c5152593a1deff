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
        c0="all apps are ready, or on the way",
        examples=("podvisor status", "podvisor status web"),
    ),
)
@click.argument("app", required=False, default="", shell_complete=offer("app"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: Status).")
def command(app: str, as_json: bool) -> int:
    """Show sources, apps and units, what waits, and when it is tried again.

    Without a daemon it says what the ledger knows: what was applied last, not how it is now.
    """
    return report(app, as_json=as_json)
