"""`podvisor check`: is a repository fit to be deployed? For use in its pipeline."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show import screen
from supervisor.cli.show.screen import say
from supervisor.kit.texts import count

if TYPE_CHECKING:
    from supervisor.model.check import Check, CheckedApp


@click.command(
    short_help="Judge a repository, without a daemon.",
    epilog=codes.epilog(
        c0="nothing fatal was found",
        c1="something would be refused, or PATH cannot be read",
        examples=("podvisor check ~/apps",),
    ),
)
@click.argument("path", type=click.Path(), default=".")
@click.option(
    "--apps", metavar="GLOB", multiple=True, help="Where its apps are, as `apps` in the settings."
)
@click.option(
    "--ignore", metavar="GLOB", multiple=True, help="Leave this out, as `ignore` in the settings."
)
@click.option(
    "--overlay", metavar="FOLDER", default="", help="Lay this folder over the apps: hosts/pi."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/check.py: Check).")
@click.pass_obj
def command(
    config: str,
    path: str,
    *,
    apps: tuple[str, ...],
    ignore: tuple[str, ...],
    overlay: str,
    as_json: bool,
) -> int:
    """Check the apps in a folder as the daemon would, without a daemon.

    PATH is the working copy of a repository (the current folder, if none is given): it is judged
    as if all of it were committed, without what Git ignores; any other folder, as it is. Where
    the settings have it as a source, its `apps`, `ignore`, `overlay` and so on count. What runs is
    not known here: of two apps that want one name both are refused, by the daemon the second.

    It needs Podman's generator, but no running Podman. It says which apps it found and what is in
    none; each finding is written as FILE:LINE: MESSAGE.
    """
    from supervisor.cli.daemon.loop import in_loop
    from supervisor.core.config.overlay_setting import problem
    from supervisor.core.files.source_paths import glob_problem
    from supervisor.wiring.offline import check

    if not (place := Path(path)).is_dir():
        is_there = place.exists()
        why = f"it is a file; name its folder, {place.parent}" if is_there else "no such folder"
        raise Refused(f"cannot read {path}: {why}")
    for option, globs in (("apps", apps), ("ignore", ignore)):
        for glob in globs:
            if why := glob_problem(option, glob):
                raise Refused(f"cannot use --{option} {glob}: {why}")
    if why := problem(overlay.replace("%", "%%")) if overlay else "":
        raise Refused(f"cannot use {overlay} as an overlay: {why}")
    found = in_loop(
        partial(
            check,
            Path(path),
            config=Path(config),
            apps=apps,
            ignore=ignore,
            overlay=overlay.replace("%", "%%"),
        )
    )
    if as_json:
        screen.write_json(found, indent=2)
    else:
        _show(found)
    return codes.ERROR if any(one.fatal for one in found.findings) else codes.OK


def _show(found: "Check") -> None:
    if found.sources:
        say(f"As source {' and '.join(found.sources)} of the settings.")
    for app in found.apps:
        say(*_app(app))
    for left in found.left_out:
        say(("left out ", "dim"), f"{left.path}: {left.reason}")
    if found.others:
        say((f"{count(found.others, 'other file')} in no app.", "dim"))
    for finding in found.findings:
        where = "" if finding.path or not finding.app else f"{finding.app}: "
        text = f"{where}{finding}"
        say(("error: ", "bad") if finding.fatal else ("warning: ", "warn"), text)
    units = sum(len(app.units) for app in found.apps)
    fatal = sum(one.fatal for one in found.findings)
    warnings = len(found.findings) - fatal
    say(
        f"{count(len(found.apps), 'app')}, {count(units, 'unit')}:"
        f" {count(fatal, 'error')}, {count(warnings, 'warning')}."
    )


def _app(app: "CheckedApp") -> "list[tuple[str, str] | str]":
    place = f" ({app.root})" if app.root else ""
    if app.refused:
        return [("app ", "dim"), f"{app.name}{place}: ", ("refused", "bad")]
    sources = {unit.path for unit in app.units} | {one.path for one in app.certificates}
    more = sum(path not in sources for path in app.files)
    units = ", ".join(unit.name for unit in app.units)
    for one in app.certificates:
        units += f"; certificate {one.name} of {one.issuer}: {', '.join(one.domains)}"
    rest = f"; {count(more, 'more file')}" if more else ""
    return [("app ", "dim"), f"{app.name}{place}: {units}{rest}"]
