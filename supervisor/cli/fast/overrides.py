"""Gives the daemon an order for apps, and shows how they stand; for `suspend` and `resume`."""

import json
import sys
from collections.abc import Sequence

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import ask


def give(order: str, apps: Sequence[str], *, as_json: bool, **more: object) -> int:
    """Ask, and show the apps; returns the exit code. Raises Refused or NotRunning."""
    answer = ask(places.control_socket(), f"/v1/{order}", body={"apps": apps, **more})
    if as_json:
        sys.stdout.write(answer.decode().rstrip() + "\n")
        return codes.OK
    from supervisor.cli.show.status_view import show_apps

    status = json.loads(answer)
    chosen = [one for one in status.get("apps", ()) if not apps or one["name"] in apps]
    show_apps(chosen)
    return codes.OK
