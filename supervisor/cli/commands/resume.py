"""`podvisor resume`: apps that were suspended, held or taken back go on."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.overrides import give


@click.command(
    short_help="Have apps go on that were suspended, held or taken back.",
    epilog=codes.epilog(codes.NOT_RUNNING, c0="they go on"),
)
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: Status).")
def command(apps: tuple[str, ...], as_json: bool) -> int:
    """Bring these apps to what their source says again.

    Ends `podvisor suspend` and `podvisor rollback`, for all apps if none is named. Of an app that
    is named, a revision that failed and was taken back is tried again.
    """
    return give("resume", apps, as_json=as_json)
