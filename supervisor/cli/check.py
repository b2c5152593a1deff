"""`podvisor check`: is a repository fit to be deployed? For use in its pipeline."""

import json
from functools import partial
from pathlib import Path

import click

from supervisor.cli import codes, screen
from supervisor.cli.client import Refused
from supervisor.cli.screen import say
from supervisor.kit.texts import count


@click.command(
    short_help="Judge a repository, without a daemon.",
    epilog=codes.epilog(
        c0="nothing fatal was found", c1="something would be refused, or PATH cannot be read"
    ),
)
@click.argument("path", type=click.Path(), default=".")
@click.option(
    "--overlay", metavar="FOLDER", default="", help="Lay this folder over the apps: hosts/pi."
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list (model/errors.py).")
def command(path: str, overlay: str, as_json: bool) -> int:
    """Check the apps in a folder as the daemon would, without a daemon.

    PATH is the working copy of a repository (the current folder, if none is given). It needs
    Podman's generator, but no running Podman. Each finding is written as FILE:LINE: MESSAGE.
    """
    from supervisor.cli.loop import in_loop
    from supervisor.core.overlay import problem
    from supervisor.wiring import check

    if not Path(path).is_dir():
        raise Refused(f"cannot read {path}: no such folder")
    if why := problem(overlay.replace("%", "%%")) if overlay else "":
        raise Refused(f"cannot use {overlay} as an overlay: {why}")
    findings = in_loop(partial(check, Path(path), overlay=overlay.replace("%", "%%")))
    fatal = sum(finding.fatal for finding in findings)
    if as_json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(findings), ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            where = "" if finding.path or not finding.app else f"{finding.app}: "
            text = f"{where}{finding}"
            say(("error: ", "bad") if finding.fatal else ("warning: ", "warn"), text)
        warnings = len(findings) - fatal
        if findings:
            say(f"{count(fatal, 'error')}, {count(warnings, 'warning')}.")
        elif screen.is_terminal():
            say(("✓ ", "good"), "Nothing to complain of.")
    return codes.ERROR if fatal else codes.OK
