"""`podvisor rollback`: back to an older revision of an app, and stay there."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.follow import follow
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Bring an app back to an older revision.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="the older revision runs well",
        examples=("podvisor rollback web", 'podvisor rollback web 3f2a91c0 --reason "logins fail"'),
    ),
)
@click.argument("app", shell_complete=offer("app"))
@click.argument("revision", required=False, default="", shell_complete=offer("revision"))
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, revision: str, reason: str, as_json: bool) -> int:
    """Bring an app back to a revision that ran here before, the last good one if none is named.

    It is held there until `podvisor resume APP`, or until a revision is pushed that is newer than
    the one that it left. `podvisor history APP` shows the revisions.
    """
    body = {"apps": [app], "revision": revision, "reason": reason}
    return follow("/v1/rollback", body, apps=[app], as_json=as_json)
