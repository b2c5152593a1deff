"""Commands that hold others, and say which was probably meant."""

from collections.abc import Collection

import click

from supervisor.cli.show import screen


class HintingGroup(click.Group):
    """As click has it, but for what it says of a command that is none."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with the command that was probably meant."""
        known: Collection[str] = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from supervisor.kit.texts import meant

        hint = meant(args[0], known, f"{ctx.command_path} -h lists them")
        raise click.UsageError(f"no command “{screen.clean(args[0])}”; {hint}", ctx)
