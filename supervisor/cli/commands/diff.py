"""`podvisor diff`: what would change, line by line; nothing is done."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.fast.answer import answer
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen

if TYPE_CHECKING:
    from supervisor.model.diff import AppDiff, Diff, TextPair


@click.command(
    short_help="Show what would change, line by line.",
    epilog=codes.epilog(
        codes.CHANGES,
        c0="nothing differs (without --exit-code: it was shown)",
        examples=("podvisor diff web",),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
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
    from supervisor.model.diff import Diff

    diff = answer("diff", config, Diff, apps=apps, units=units)
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


def _write_json(diff: "Diff") -> None:
    from msgspec.structs import asdict

    from supervisor.core.status.diff import unified

    def plain(app: str, one: "TextPair") -> dict[str, str]:
        change = "added" if one.old is None else "removed" if one.new is None else "changed"
        lines = "".join(f"{line}\n" for line in unified(one, below=app))
        return {"path": one.path, "change": change, "hidden": one.hidden, "diff": lines}

    apps = [
        {
            **asdict(one),
            "files": [plain(one.app, pair) for pair in one.files],
            "units": [plain(one.app, pair) for pair in one.units],
        }
        for one in diff.apps
    ]
    screen.write_json({"apps": apps, "problems": diff.problems})


def _show(diff: "Diff", *, colours: bool) -> None:
    from supervisor.cli.show.diff_lines import show_diff
    from supervisor.core.status.in_words import hold_in_words

    for app in diff.apps:
        show_diff(_lines(app), colours=colours)
        for found in app.findings:
            screen.finding(found, indent="")
    for found in diff.problems:
        screen.finding(found, indent="")
    held = [(one.app, one.held) for one in diff.apps if one.held]
    for name, hold in held:
        words = hold_in_words(
            name, hold.revision, instead_of=hold.instead_of, images=hold.images, by=hold.by
        )
        screen.say(f"… {name}: ", words)
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
