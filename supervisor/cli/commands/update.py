"""`podvisor update`: ask for newer versions of images now, and run what may be run."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.image_order import give
from supervisor.cli.local.offers import offer
from supervisor.cli.show import image_view


@click.command(
    short_help="Look for newer versions of images now, and run them.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="what is newer runs well, or is said to wait",
        c3="an app is refused, failing or taken back, a newer version of an image failed here, or"
        " of an image the newest version is not known",
        examples=("podvisor update web --now", "podvisor update nginx --dry-run"),
    ),
)
@click.argument(
    "name", required=False, default="", metavar="[APP|IMAGE]", shell_complete=offer("app or image")
)
@click.option(
    "--now",
    is_flag=True,
    help="Let it wait for no cooldown, window, `Update=` or registry that wants to be let alone.",
)
@click.option("--dry-run", is_flag=True, help="Ask, and only say what would come of it.")
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(name: str, now: bool, dry_run: bool, reason: str, as_json: bool) -> int:
    """Ask for newer versions of the images of an app, or of one image wherever it is used, or all.

    What may be run is run, and goes through the gate of its app; what waits (for its cooldown or
    its window, since it is only to be shown or pulled, or is pinned) is said, with the reason.
    `--now` runs it all the same, unless it is pinned, or its app is held or suspended, or it failed
    here before; and asks a registry at once that wants to be let alone for a while.
    """
    return give(
        "update",
        as_json=as_json,
        is_of_newer=True,
        show=image_view.would_be if dry_run else image_view.outcome,
        name=name,
        now=now,
        dry_run=dry_run,
        reason=reason,
    )
