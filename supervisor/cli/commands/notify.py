"""`podvisor notify`: how notifiers stand, and a test message."""

import json
import time

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import ask
from supervisor.cli.local.offers import offer
from supervisor.cli.show import notify_view, screen
from supervisor.cli.show.groups import HintingGroup


@click.group(
    cls=HintingGroup,
    invoke_without_command=True,
    short_help="Show what notifiers told, and test them.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c3="a notifier cannot send",
        examples=("podvisor notify",),
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/notify.py).")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int | None:
    """Show the notifiers of the settings: what each told last, what waits, and why.

    Notifiers are described below [notify.NAME] in the settings.
    """
    if ctx.invoked_subcommand != "root" and ctx.find_root().params.get("config"):
        from supervisor.cli.app import must_be_the_daemons

        must_be_the_daemons(ctx.obj)
    if ctx.invoked_subcommand:
        return None
    body = ask("/v1/notify")
    notifiers = json.loads(body)["notifiers"]
    if as_json:
        screen.write_json(body)
    else:
        notify_view.show(notifiers, now=time.time())
    return codes.NOT_WELL if any(one.get("failure") for one in notifiers) else codes.OK


@command.command(
    short_help="Send a test message.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        c0="it was sent; that it arrived, you see",
        c1="it could not be sent: the reason is said",
        examples=("podvisor notify test", "podvisor notify test phone"),
    ),
)
@click.argument("name", required=False, default="", shell_complete=offer("notifier"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/notify.py).")
def test(name: str, as_json: bool) -> int:
    """Send a test message by one notifier, or by all, and say what came of it.

    It is sent at once, whatever the hour. A notifier that failed before goes on with what waits.
    """
    screen.progress(("Sending…", "dim"))
    body = ask("/v1/notify/test", body={"name": name} if name else {})
    results = json.loads(body).get("results", [])
    if as_json:
        screen.write_json(body)
    else:
        notify_view.outcome(results)
    return codes.ERROR if any(one.get("failure") for one in results) else codes.OK
