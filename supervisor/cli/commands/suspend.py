"""`podvisor suspend`: leave apps alone for a while."""

import json

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import ask
from supervisor.cli.local.offers import offer
from supervisor.cli.local.replicas import apps_with_replicas
from supervisor.cli.local.times import seconds
from supervisor.cli.show import screen
from supervisor.model.incident import IncidentCode


@click.command(
    short_help="Have apps left alone for a while.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        c0="they are left alone",
        examples=('podvisor suspend web --for 2h --reason "moving disks"',),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option(
    "--for",
    "length",
    type=seconds,
    metavar="TIME",
    help="As 30m or 2h; else until `podvisor resume`.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why; shown in status and event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: Status).")
def command(apps: tuple[str, ...], length: float | None, reason: str, as_json: bool) -> int:
    """Leave these apps (all, if none is named) alone: nothing is deployed, repaired or removed.

    They are still looked at: `podvisor status` shows what would be done. systemd starts them at a
    boot as ever, but for replicas, which podvisor starts.
    """
    if length == 0:
        raise click.BadParameter("it must be more than 0", param_hint="--for")
    body = {"apps": apps, "seconds": length or 0.0, "reason": reason}
    answer = ask("/v1/suspend", body=body)
    if as_json:
        screen.write_json(answer)
        return codes.OK
    from supervisor.cli.show.status_view import show_apps

    status = json.loads(answer)
    names = [one["name"] for one in status["apps"] if not apps or one["name"] in apps]
    show_apps([one for one in status["apps"] if one["name"] in names])
    down = [one for one in apps_with_replicas(places.quadlet_folder()) if one in names]
    if down:
        text = f"after a boot no replica of {', '.join(down)} runs until podvisor resume"
        screen.say(("! ", "warn"), text, ": systemd starts none of them")
    for one in status.get("problems", ()):
        if one.get("code") == IncidentCode.LEDGER_UNWRITABLE:
            hint = "it holds until the daemon ends, or there is room before: order it again then"
            screen.complain(f"this could not be written down: {one['message']}", hint)
    return codes.OK
