"""`podvisor images`: which versions of images run, which there are, and what holds them back."""

import json
import time

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, ask
from supervisor.cli.local.offers import offer
from supervisor.cli.show import image_view, screen


@click.command(
    short_help="Show which versions of images run, and what is newer.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c3="of an image the newest version is not known, or failed here",
        examples=("podvisor images web",),
    ),
)
@click.argument("app", required=False, default="", shell_complete=offer("app"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/image_status.py).")
def command(app: str, as_json: bool) -> int:
    """Show the images of all apps, or of one: which version runs, which there is, what holds it.

    A version is a tag and the beginning of its digest. Newer ones are looked for where a unit says
    AutoUpdate= or `ImagePolicy=`, unless `Update=` is off. Without a daemon it says what the ledger
    knows.
    """
    try:
        body = ask("/v1/images", query={"app": app})
    except NotRunning:
        from supervisor.cli.daemon.offline import images_from_ledger

        body = images_from_ledger(places.ledger_file(), app)
    found = json.loads(body)
    if as_json:
        screen.write_json(body)
    else:
        if not found["running"]:
            from supervisor.cli.daemon.absent import way_out

            screen.say(("The daemon is not running", "warn"), f": {way_out()}.")
            screen.say("This is what it knew last:")
            screen.say()
        image_view.show(found.get("images", ()), app=app, now=time.time())
    if not found["running"]:
        return codes.NOT_RUNNING
    return codes.OK if image_view.is_well(found.get("images", ())) else codes.NOT_WELL
