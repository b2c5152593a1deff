"""`podvisor resume`: apps that were suspended, held or taken back go on."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.follow import follow
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Have apps go on that were suspended, held or taken back.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="they run well as their source says",
        examples=("podvisor resume web",),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(apps: tuple[str, ...], as_json: bool) -> int:
    """Bring these apps to what their source says again, and wait until they are there.

    Ends `podvisor suspend` and `podvisor rollback`, for all apps if none is named. Of an app that
    is named, a revision that failed and was taken back is tried again.
    """
    return follow("/v1/resume", {"apps": apps}, apps=apps, as_json=as_json)
