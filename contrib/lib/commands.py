"""What the commands themselves say of how they are used, for the reference and the man pages."""

import itertools
from collections.abc import Iterator

import click

from supervisor.cli.app import COMMANDS, group


def everything() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command, and the commands of commands after it: `secret`, `secret encrypt`."""
    root = click.Context(group, info_name="podvisor")
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command
        context = click.Context(command, info_name=name, parent=root)
        yield name, command, context
        for sub, below in getattr(command, "commands", {}).items():
            yield f"{name} {sub}", below, click.Context(below, info_name=sub, parent=context)


def usage(command: click.Command, context: click.Context) -> list[str]:
    return command.collect_usage_pieces(context)


def option_records(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    """Return the options but for --help, each as it is typed, and its effect."""
    return [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and (record := parameter.get_help_record(context))
        and "--help" not in record[0]
    ]


def examples(command: click.Command) -> list[str]:
    return _lines_below(command, "Examples:")


def exit_codes(command: click.Command) -> list[list[str]]:
    """Return each code with when it is returned."""
    return [line.split(None, 1) for line in _lines_below(command, "Exit codes:")]


def _lines_below(command: click.Command, title: str) -> list[str]:
    """Return the lines of a part of what stands at the end of a command's help."""
    lines = iter((command.epilog or "").splitlines())
    for line in lines:
        if line == title:
            return [one.strip() for one in itertools.takewhile(str.strip, lines)]
    return []
