"""`podvisor help`: how a command is used, as its -h says it."""

import click
from click.shell_completion import CompletionItem

from supervisor.cli import codes


def _offered(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem]:
    """Offer commands, or those of the command that was typed."""
    at = ctx.find_root()
    for name in ctx.params.get(param.name or "") or ():
        below = at.command.get_command(at, name) if isinstance(at.command, click.Group) else None
        if below is None:
            return []
        at = click.Context(below, info_name=name, parent=at)
    if not isinstance(at.command, click.Group):
        return []
    found = {name: at.command.get_command(at, name) for name in at.command.list_commands(at)}
    return [
        CompletionItem(name, help=one.short_help)
        for name, one in found.items()
        if one and name.startswith(word)
    ]


@click.command(
    short_help="Show how a command is used, as -h does.",
    epilog=codes.epilog(
        c0="shown",
        c1="it could not be written",
        examples=("podvisor help status", "podvisor help secret encrypt"),
    ),
)
@click.argument("words", nargs=-1, metavar="[COMMAND]...", shell_complete=_offered)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> int:
    """Show how this command is used, with its options, examples and exit codes.

    Each has a manual page, too: `man podvisor-status`.
    """
    at = ctx.find_root()
    for word in words:
        if not isinstance(at.command, click.Group):
            raise click.UsageError(f"{at.command_path} has no commands of its own", at)
        name, found, _ = at.command.resolve_command(at, [word])
        if found is None:
            raise click.UsageError(f"no command “{word}”", at)
        at = click.Context(found, info_name=name, parent=at)
    click.echo(at.get_help())
    return codes.OK
