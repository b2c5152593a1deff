"""`podvisor retry`: try what failed once more."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.follow import follow


@click.command(
    short_help="Try once more what failed in an app and was taken back.",
    epilog=codes.epilog(codes.NOT_WELL, codes.NOT_RUNNING, c0="it runs well now"),
)
@click.argument("app")
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, reason: str, as_json: bool) -> int:
    """Try the newest revision of an app, or the newest version of its images, that failed its gate.

    A hold or suspension stays: `podvisor resume` ends these, too.
    """
    body = {"apps": [app], "reason": reason}
    return follow("/v1/retry", body, apps=[app], as_json=as_json)
