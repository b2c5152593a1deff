"""`podvisor completion`: what has a shell offer commands, options and names."""

import click

from supervisor.cli import codes
from supervisor.cli.show import screen

_VARIABLE = "_PODVISOR_COMPLETE"
_BASH = r"""
%(complete_func)s() {
    # bash takes words apart at `@`, `:` and `=` too: here they are parted at blanks, and of what is
    # offered only that is given back which comes in place of bash's last part, $2.
    local line="${COMP_LINE:0:COMP_POINT}" kept offers type value
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    kept="${words[-1]%%"$2"}"
    offers=$(env COMP_WORDS="$(printf '%%s\n' "${words[@]}")" COMP_CWORD=$((${#words[@]} - 1)) \
        %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
        dir) compopt -o dirnames ;;
        file) compopt -o default ;;
        plain) COMPREPLY+=("${value#"$kept"}") ;;
        esac
    done <<<"$offers"
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


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
    template = _BASH if shell == "bash" else made.source_template
    return (template % made.source_vars()).strip() + "\n"
