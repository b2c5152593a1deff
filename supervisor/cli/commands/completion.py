"""`podvisor completion`: what has a shell offer commands, options and names."""

import click

from supervisor.cli import codes
from supervisor.cli.show import screen

_VARIABLE = "_PODVISOR_COMPLETE"


@click.command(
    short_help="Write what completes commands and names in a shell.",
    epilog=codes.epilog(
        c0="it is written",
        examples=(
            "podvisor completion bash >~/.local/share/bash-completion/completions/podvisor",
            "podvisor completion fish >~/.config/fish/completions/podvisor.fish",
        ),
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Write what has a shell complete commands, options, apps, units, revisions and other names.

    Names are the daemon's; where none runs, none are offered. Where podvisor is installed for the
    system or into ~/.local, bash and fish find theirs there; from a virtual environment, as pipx
    makes one, write it as the examples say. For zsh, this line belongs into ~/.zshrc, after
    compinit: eval "$(podvisor completion zsh)".
    """
    screen.write_text(script(shell, ctx.find_root().command))
    return codes.OK


def script(shell: str, group: click.Command) -> str:
    """Return what the shell reads."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    made = kind(group, {}, "podvisor", _VARIABLE)
    return (made.source_template % made.source_vars()).strip() + "\n"
