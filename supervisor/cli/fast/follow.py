"""Has the daemon do something and shows each step as it is done: `sync`, `update` and others."""

from collections.abc import Sequence
from typing import Any

from supervisor.cli import codes
from supervisor.cli.daemon.client import Refused, refused, stream
from supervisor.cli.fast.status_report import is_well
from supervisor.cli.show import screen
from supervisor.cli.show.log_lines import show_event


def follow(target: str, body: object, *, apps: Sequence[str], as_json: bool) -> int:
    """Ask, show the events and the end; returns the exit code. Raises Refused or NotRunning."""
    reply = told(target, body, apps=apps, as_json=as_json)
    if not as_json:
        from supervisor.cli.show.status_view import show

        show({"running": True, **reply}, named=apps)
    return codes.OK if is_well(reply) else codes.NOT_WELL


def told(
    target: str, body: object, *, apps: Sequence[str], as_json: bool, quiet: bool = False
) -> dict[str, Any]:
    """Ask, show the events (unless `quiet`), and return the reply. Raises Refused or NotRunning.

    Refused, too, where nothing is said of one of `apps`: there is none such.
    """
    reply: dict[str, Any] | None = None
    has_shown = False
    told_of = set()  # also an app that is removed by this very sync
    for line in stream(target, body=body):
        reply = line.get("reply", reply)
        told_of.add(line.get("event", {}).get("app"))
        if as_json:
            screen.write_json(line)
        elif quiet and "error" not in line:
            continue
        elif "event" in line:
            show_event(line["event"], with_time=False)
            has_shown = True
        elif "waiting" in line:
            _show_waiting(line["waiting"])
        elif "problem" in line:
            raise refused(line["problem"])
    if reply is None:
        raise Refused(
            "the daemon hung up before it was done",
            hint="what it began is finished when it starts again; podvisor status shows it",
        )
    unknown = set(apps) - told_of - {app["name"] for app in reply.get("apps", ())}
    if unknown:
        names = ", ".join(f"“{name}”" for name in sorted(unknown))
        raise Refused(f"no app named {names}", hint="podvisor status lists them all")
    if has_shown:
        screen.say()
    return reply


def _show_waiting(app: dict[str, Any]) -> None:
    """Say how far the images are that it waits for, or else at what its trial is, or whose turn."""
    pulls = [one for one in app.get("waiting", ()) if one["kind"] == "image" and one.get("detail")]
    for one in pulls:
        screen.say("  ", ("… ", "warn"), f"{app['name']} waits for {one['text']}: {one['detail']}")
    if not pulls and app.get("gate"):
        screen.say("  ", ("… ", "warn"), f"{app['name']} is on trial: {app['gate']}")
    elif not pulls:
        for one in app.get("waiting", ()):
            text = f"{app['name']} waits for {one['text']}: {one.get('detail', '')}"
            screen.say("  ", ("… ", "warn"), text)
