"""Commands that hold others, and say which was probably meant."""

from collections.abc import Collection
from typing import Any

import click
from click.core import ParameterSource

from supervisor.cli.show import screen


class HintingGroup(click.Group):
    """As click has it, but for what it says of a command that is none, or of an empty word."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with the command that was probably meant."""
        known: Collection[str] = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-") or ctx.resilient_parsing:
            name, command, rest = super().resolve_command(ctx, args)
            for param in command.params if command else ():
                if isinstance(param, click.Argument) and param.callback is None:
                    param.callback = _not_empty
            return name, command, rest
        from supervisor.kit.texts import meant

        hint = meant(args[0], known, f"{ctx.command_path} -h lists them")
        raise click.UsageError(f"no command “{screen.clean(args[0])}”; {hint}", ctx)


def _not_empty(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuse a word that is there and empty: nobody means by it what leaving it out means."""
    words = value if isinstance(value, tuple) else (value,)
    if "" in words and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
        name = param.human_readable_name.strip("[].")
        leave = "" if param.required else ", or leave the word out"
        text = f"the word {name} is empty, as a variable that is not set leaves it: write it{leave}"
        raise click.UsageError(text, ctx)
    return value
