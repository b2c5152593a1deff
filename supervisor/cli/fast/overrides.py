"""Gives the daemon an order for apps, and shows how they stand; for `suspend` and `resume`."""

import json
from collections.abc import Sequence

from supervisor.cli import codes
from supervisor.cli.daemon.client import ask
from supervisor.cli.show import screen


def give(order: str, apps: Sequence[str], *, as_json: bool, **more: object) -> int:
    """Ask, and show the apps; returns the exit code. Raises Refused or NotRunning."""
    answer = ask(f"/v1/{order}", body={"apps": apps, **more})
    if as_json:
        screen.write_json(answer)
        return codes.OK
    from supervisor.cli.show.status_view import show_apps

    status = json.loads(answer)
    chosen = [one for one in status.get("apps", ()) if not apps or one["name"] in apps]
    show_apps(chosen)
    return codes.OK
