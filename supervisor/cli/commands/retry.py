"""`podvisor retry`: try what failed once more."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.follow import told
from supervisor.cli.fast.status_report import is_well
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Try once more what failed in an app and was taken back.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="it runs well now",
        c3="it failed again, or the app is refused or failing",
        examples=("podvisor retry web",),
    ),
)
@click.argument("app", shell_complete=offer("app"))
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, reason: str, as_json: bool) -> int:
    """Try the newest revision of an app, or the newest version of its images, that failed its gate.

    What it waits for and could not be pulled is pulled again at once.

    A hold or suspension stays: `podvisor resume` ends these, and has a revision that failed tried
    again, too, but no version of an image.
    """
    reply = told("/v1/retry", {"apps": [app], "reason": reason}, apps=[app], as_json=as_json)
    if not as_json:
        from supervisor.cli.show.status_view import show

        show({"running": True, **reply}, named=[app])
    updates = [update for one in reply.get("apps", ()) for update in one.get("updates", ())]
    has_failed = any(update.get("failed") for update in updates)
    return codes.OK if is_well(reply) and not has_failed else codes.NOT_WELL
