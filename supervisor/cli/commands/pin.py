"""`podvisor pin`: have an image of an app stay at a version."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.image_order import give
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Have an image of an app stay at a version.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="it stays there, and runs well",
        examples=('podvisor pin web nginx 1.27 --reason "1.28 is slow"',),
    ),
)
@click.argument("app", shell_complete=offer("app"))
@click.argument("image", required=False, default="", shell_complete=offer("image"))
@click.argument("version", required=False, default="")
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, image: str, version: str, reason: str, as_json: bool) -> int:
    """Have an image of an app stay at a version, whatever is newer, until `podvisor unpin`.

    VERSION is a tag (what it stands for now), a digest, or how one begins that ran here; without
    it, what runs now stays. IMAGE is its name, or how that ends; an app that has one image needs
    none, and without both, all images of the app stay.
    """
    words = [word for word in (image, version) if word]
    return give("pin", apps=[app], as_json=as_json, app=app, words=words, reason=reason)
