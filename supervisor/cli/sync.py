"""`podvisor sync`: read the sources now, and bring the apps to what they say."""

import json

import click

from supervisor.cli import codes, places, screen
from supervisor.cli.client import Refused, stream
from supervisor.cli.log_lines import show_event
from supervisor.cli.status_report import is_well


@click.command(
    short_help="Do it now: bring the apps to what the sources say.",
    epilog=codes.epilog(codes.NOT_WELL, codes.NOT_RUNNING, c0="all is as the sources say"),
)
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option(
    "--prune-all", is_flag=True, help="Allow it to remove every app of a source that holds none."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(apps: tuple[str, ...], prune_all: bool, as_json: bool) -> int:
    """Read the sources now and bring these apps (all, if none is named) to what they say.

    Shows each step with its reason as it is done. What waits for its next try is tried now.
    """
    reply = None
    told_of = set()  # also an app that is removed by this very sync
    body = {"apps": apps, "prune_all": prune_all}
    for line in stream(places.control_socket(), "/v1/sync", body=body):
        reply = line.get("reply", reply)
        told_of.add(line.get("event", {}).get("app"))
        if as_json:
            print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)
        elif "event" in line:
            show_event(line["event"], with_time=False)
        elif "error" in line:
            raise Refused(str(line["error"]), hint=str(line.get("hint") or ""))
    if reply is None:
        raise Refused(
            "the daemon hung up before it was done",
            hint="what it began is finished when it starts again; podvisor status shows it",
        )
    unknown = set(apps) - told_of - {app["name"] for app in reply.get("apps", ())}
    if unknown:
        names = ", ".join(f"“{name}”" for name in sorted(unknown))
        raise Refused(f"no app named {names}", hint="podvisor status lists them all")
    if not as_json:
        from supervisor.cli.status_view import show

        screen.say()
        show({"running": True, **reply}, app=apps[0] if len(apps) == 1 else "")
    return codes.OK if is_well(reply) else codes.NOT_WELL
