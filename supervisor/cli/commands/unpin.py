"""`podvisor unpin`: have a pinned image follow what is newer again."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.image_order import give
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Have a pinned image follow newer versions again.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="it follows again",
        examples=("podvisor unpin web nginx",),
    ),
)
@click.argument("app", shell_complete=offer("app"))
@click.argument("image", required=False, default="", shell_complete=offer("image"))
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, image: str, reason: str, as_json: bool) -> int:
    """End `podvisor pin` for an image of an app, for all of them if none is named.

    What is newer by then is run as if it came now: cooldown and window count.
    """
    words = [image] if image else []
    return give("unpin", apps=[app], as_json=as_json, app=app, words=words, reason=reason)
