"""Has the shell offer names of a kind while a command is typed; loads what finds them only then."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def offer(kind: str) -> Complete:
    """Return what click asks for `shell_complete`; `kind` is one that `completion` knows."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from supervisor.cli.local.completion import offered

        return offered(kind, ctx, param, incomplete)

    return complete
