"""`podvisor diff`: what would change, line by line; nothing is done."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.fast.answer import answer
from supervisor.cli.show import screen

if TYPE_CHECKING:
    from supervisor.model.diff import AppDiff, Diff

_STYLES = (("+++", "strong"), ("---", "strong"), ("@@", "dim"), ("+", "good"), ("-", "bad"))
_CODES = {"good": "32", "bad": "31", "dim": "36", "strong": "1"}


@click.command(
    short_help="Show what would change, line by line.",
    epilog=codes.epilog(codes.CHANGES, c0="nothing differs (without --exit-code: it was shown)"),
)
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option("--units", is_flag=True, help="Also the service units that come out of the files.")
@click.option(
    "--exit-code", is_flag=True, help="Return 2 if something differs, 1 if something is refused."
)
@click.option("--color/--no-color", default=None, help="Colours.  [default: on a terminal]")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, with a unified diff each.")
@click.pass_obj
def command(
    config: str,
    *,
    apps: tuple[str, ...],
    units: bool,
    exit_code: bool,
    color: bool | None,
    as_json: bool,
) -> int:
    """Read the sources and compare what is installed of these apps (all, if none is named).

    What stands on the left is on disk now, also what somebody else has changed there. `podvisor
    plan` says what would be done. Without a daemon it is worked out here.
    """
    diff = _made(config, apps, units=units)
    if as_json:
        _write_json(diff)
    else:
        _show(diff, colours=screen.has_colours() if color is None else color)
    findings = [*diff.problems, *(found for one in diff.apps for found in one.findings)]
    if not exit_code:
        return codes.OK
    if any(found.fatal for found in findings):
        return codes.ERROR
    return codes.CHANGES if any(one.files or one.units for one in diff.apps) else codes.OK


def _made(config: str, apps: tuple[str, ...], *, units: bool) -> "Diff":
    from supervisor.model.diff import Diff

    async def offline() -> Diff:
        from supervisor.wiring.offline import offline_diff

        return await offline_diff(Path(config), apps, units=units)

    return answer("/v1/diff", {"apps": apps, "units": units}, Diff, without=offline)


def _write_json(diff: "Diff") -> None:
    import msgspec

    from supervisor.core.status.diff import unified

    def plain(app: "AppDiff", kind: str) -> list[dict[str, object]]:
        return [
            {
                "path": one.path,
                "change": "added"
                if one.old is None
                else "removed"
                if one.new is None
                else "changed",
                "hidden": one.hidden,
                "diff": "".join(f"{line}\n" for line in unified(one, below=app.app)),
            }
            for one in getattr(app, kind)
        ]

    said = {
        "apps": [
            {
                "app": one.app,
                "revision": one.revision,
                "wanted_revision": one.wanted_revision,
                "files": plain(one, "files"),
                "units": plain(one, "units"),
                "held": msgspec.to_builtins(one.held),
                "findings": msgspec.to_builtins(one.findings),
            }
            for one in diff.apps
        ],
        "problems": msgspec.to_builtins(diff.problems),
    }
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")


def _show(diff: "Diff", *, colours: bool) -> None:
    import msgspec

    from supervisor.cli.show.status_view import hold_in_words

    for app in diff.apps:
        for line in _lines(app):
            style = next((style for start, style in _STYLES if line.startswith(start)), "")
            text = "\t".join(screen.clean(part) for part in line.split("\t"))
            print(f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and colours else text)
        for found in app.findings:
            screen.finding(msgspec.to_builtins(found), indent="")
    for found in diff.problems:
        screen.finding(msgspec.to_builtins(found), indent="")
    held = [(one.app, one.held) for one in diff.apps if one.held]
    for name, hold in held:
        screen.say(f"… {name}: ", hold_in_words(name, hold.revision, instead_of=hold.instead_of))
    if any(one.files or one.units or one.findings for one in diff.apps) or diff.problems:
        return
    if held:
        screen.say("Nothing differs from what is wanted now.")
    else:
        screen.say("Nothing differs: what is installed is what the sources hold.")


def _lines(app: "AppDiff") -> Iterator[str]:
    from supervisor.core.status.diff import unified

    for one in (*app.files, *app.units):
        yield from unified(one, below=app.app)
