"""Gives the daemon an order for images, and shows what comes of it: `update`, `pin`, `unpin`."""

from collections.abc import Callable, Sequence
from typing import Any

from supervisor.cli import codes
from supervisor.cli.fast.follow import told
from supervisor.cli.fast.status_report import is_well
from supervisor.cli.show import image_view


def give(
    order: str,
    *,
    apps: Sequence[str] = (),
    as_json: bool,
    show: Callable[[dict[str, Any]], None] = image_view.outcome,
    is_of_newer: bool = False,
    **more: object,
) -> int:
    """Ask, show the events and the end; returns the exit code. Raises Refused or NotRunning.

    With `is_of_newer`, it is not well if a newer version is not known, or failed.
    """
    reply = told(f"/v1/{order}", more, apps=apps, as_json=as_json)
    if not as_json:
        show(reply)
    well = is_well(reply)
    if is_of_newer:
        well &= image_view.is_well(reply.get("images", ()))
    return codes.OK if well else codes.NOT_WELL
