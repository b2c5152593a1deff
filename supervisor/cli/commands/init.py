"""`podvisor init`: write a settings file that explains itself."""

import os
from pathlib import Path

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show.screen import say


@click.command(
    short_help="Write a settings file that explains itself.",
    epilog=codes.epilog(
        c0="the file is written", c1="it is there already", examples=("podvisor init",)
    ),
)
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept as .old.")
@click.pass_obj
def command(config: str, force: bool) -> int:
    """Write a settings file that names every setting with its effect and default."""
    path = Path(config)
    if path.exists() and not force:
        raise Refused(
            f"{places.shown(config)} is there already",
            hint="podvisor init --force replaces it, and keeps the old one beside it",
        )
    if path.exists():
        if _is_template(path):
            say(f"{places.shown(config)} is that file already, unchanged.")
            return codes.OK
        kept = path.replace(_free_name(path))
        say(f"Kept the old one as {places.shown(str(kept))}.")
    write_settings(path)
    say(f"Wrote {places.shown(config)}.")
    say("Name a source in it; then podvisor setup starts the service.")
    say((f"Documentation: {places.docs('README.md')}", "dim"))
    return codes.OK


def _is_template(path: Path) -> bool:
    from supervisor.cli.local.default_file import default_text

    try:
        return path.read_bytes() == default_text().encode()
    except OSError:
        return False


def _free_name(path: Path) -> Path:
    """Return where to keep an old file: what was kept before may be all that is left of it."""
    old = path.with_name(f"{path.name}.old")
    number = 1
    while os.path.lexists(old):
        number += 1
        old = path.with_name(f"{path.name}.old.{number}")
    return old


def write_settings(path: Path) -> None:
    """Write the commented default file. Raises Refused."""
    from supervisor.cli.local.default_file import default_text

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(default_text())
    except OSError as error:
        raise Refused(f"cannot write {places.shown(str(path))}: {error.strerror}") from error
