"""Finds the command that is meant, loads it alone, and turns what goes wrong into words."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from supervisor import __version__
from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.guard import HadEnough, guarded
from supervisor.cli.show import screen
from supervisor.cli.show.groups import HintingGroup

COMMANDS = (
    *("run", "init", "setup", "check", "plan", "diff", "sync", "status", "why", "events", "logs"),
    *("history", "rollback", "restore", "scale", "suspend", "resume"),
    *("images", "update", "pin", "unpin", "retry", "trust"),
    *("reload", "secret", "certs", "webhook", "notify", "web", "metrics", "doctor", "bench"),
    *("completion", "help"),
)
"""In the order in which a newcomer meets them, the daemon apart."""
_ASK_THE_DAEMON = (
    *("plan", "diff", "sync", "status", "why", "events", "logs"),
    *("history", "rollback", "restore", "scale", "suspend", "resume", "reload", "webhook"),
    *("images", "update", "pin", "unpin", "retry", "trust"),
)
_NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""Its message is the help. Before click 8.2 there is none: the help is written, and all is well."""


class LazyGroup(HintingGroup):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"supervisor.cli.commands.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As click does it, but a reader that has enough is for `guarded`, not for click."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise HadEnough from error

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As click does it, but again for `guarded`: this is where -h is answered."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:
            raise HadEnough from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command explains itself, and its exit codes, with -h.",
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Settings file.  [default: ~/.config/podvisor/config.toml]",
)
@click.version_option(__version__, message="podvisor %(version)s")
@click.pass_context
def group(ctx: click.Context, config: str | None) -> None:
    """Keep rootless Podman containers in the state that a Git repository describes.

    Begin with `podvisor init`, name a source in the file that it writes, and `podvisor setup`.
    """
    ctx.obj = os.path.abspath(config or places.config_file())  # noqa: PTH100 - see places
    if config and ctx.invoked_subcommand in _ASK_THE_DAEMON:
        must_be_the_daemons(ctx.obj)


def must_be_the_daemons(config: str) -> None:
    """Raise Refused if a daemon runs with other settings: it would answer for those."""
    import json

    from supervisor.cli.daemon.client import NotRunning, Refused, ask

    try:
        told = json.loads(ask("/v1/status", timeout_seconds=10))
    except NotRunning:
        return
    if told.get("config") and os.path.realpath(told["config"]) != os.path.realpath(config):
        raise Refused(
            f"the daemon runs with {places.shown(told['config'])}, not with {places.shown(config)}",
            hint="leave out --config to ask about those",
        )


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    return guarded(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        code = group.main(list(arguments), prog_name="podvisor", standalone_mode=False)
    except click.UsageError as error:
        if isinstance(error, _NO_ARGUMENTS):
            click.echo(error.format_message())
            return codes.USAGE
        context = error.ctx.command_path if error.ctx else "podvisor"
        screen.complain(_sentence(error.format_message()), f"{context} -h says how it is used")
        return codes.USAGE
    except click.ClickException as error:
        screen.complain(_sentence(error.format_message()))
        return codes.ERROR
    except click.Abort:
        return codes.INTERRUPTED
    return code if isinstance(code, int) else codes.OK


def _sentence(text: str) -> str:
    """Make click's messages look like ours: no capital at the start, no full stop at the end."""
    return text[:1].lower() + text[1:].rstrip(".")
