"""What `podvisor status` does, without click: people have it in their prompts and scripts.

`__main__` comes here straight for its plain forms. Nothing that is dear to import may be imported
here, but for a ledger that is read because no daemon runs.
"""

import json
from collections.abc import Sequence
from typing import Any

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.guard import guarded
from supervisor.cli.show import screen

_PATIENCE_SECONDS = 10.0
_LAST_LINES = 5
_NOTIFIER = "notifier-failing"
"""The code of a notifier's own trouble."""
_UNIT_FAILED = "unit-failed"
"""The code of a job that failed when it ran last."""
_BAD = ("refused", "failing", "reverted")


def quick(arguments: Sequence[str]) -> int | None:
    """Do it for `[APP] [--json]`; None for anything else, which is for click to judge."""
    names = [text for text in arguments if text != "--json"]
    if len(names) > 1 or any(name.startswith("-") or not name for name in names):
        return None
    app = names[0] if names else ""
    return guarded(lambda: report(app, as_json="--json" in arguments))


def report(app: str, *, as_json: bool) -> int:
    """Write how everything (or one app) stands; returns the exit code."""
    try:
        query = {"app": app}
        body = ask("/v1/status", query=query, timeout_seconds=_PATIENCE_SECONDS)
    except NotRunning:
        from supervisor.cli.daemon.last_status import status_from_ledger

        body = status_from_ledger(places.ledger_file(), app)
    status = json.loads(body)
    if as_json:
        screen.write_json(body)
    else:
        from supervisor.cli.show.status_view import show

        show(status, named=[app] if app else ())
        if app:
            _last_words(status)
    if not status["running"]:
        return codes.NOT_RUNNING
    # What a job came to is no part of a deploy, for which `is_well` answers, too.
    jobs_are_well = all(one["code"] != _UNIT_FAILED for one in status.get("incidents", ()))
    well = jobs_are_well and is_well(status, whole=not app)
    return codes.OK if well else codes.NOT_WELL


def _last_words(status: dict[str, Any]) -> None:
    """Write what units that are not well wrote last, as the daemon tells it: secrets are masked."""
    from supervisor.cli.show.app_view import cut, is_troubled

    units = (unit for app in status.get("apps", ()) for unit in app.get("units", ()))
    for unit in filter(is_troubled, units if status["running"] else ()):
        query = {"unit": unit["name"], "limit": 4 * _LAST_LINES}
        try:
            told = json.loads(ask("/v1/logs", query=query, timeout_seconds=_PATIENCE_SECONDS))
        except (NotRunning, Refused):
            told = {}  # no journal that can be read now
        # What systemd says of it stands above.
        lines = [one["text"] for one in told.get("lines", ()) if one.get("by") != "systemd"]
        lines = lines[-_LAST_LINES:] or unit.get("log", [])
        if lines:
            screen.say()
            screen.say((unit["name"], "strong"), (" wrote last:", "dim"))
        for line in lines:
            screen.say("  ", cut(line))


def is_well(status: dict[str, Any], *, whole: bool = False) -> bool:
    """Whether apps and their certificates are well, and sources can be read (also of a reply).

    A notifier that cannot send counts where the `whole` is asked for: it is no app's.
    """
    sources = status.get("sources", ())
    problems = status.get("problems", ())
    findings = [one for one in problems if whole or one.get("code") != _NOTIFIER]
    for source in sources:
        findings += source.get("findings", ())
    return not (
        any(finding.get("fatal", True) for finding in findings)
        or any(source.get("error") for source in sources)
        or any(app["state"] in _BAD or app.get("certificates") for app in status.get("apps", ()))
    )
