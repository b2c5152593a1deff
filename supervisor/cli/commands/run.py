"""`podvisor run`: the daemon itself."""

import click

from supervisor.cli import codes
from supervisor.cli.fast import run_daemon


@click.command(
    short_help="Run the daemon itself.",
    epilog=codes.epilog(
        codes.SETTINGS,
        c0="it was asked to end",
        c1="it cannot run here",
        examples=("podvisor run",),
    ),
)
@click.pass_obj
def command(config: str) -> int:
    """Run the daemon in the foreground; the service that `setup` writes does this.

    SIGTERM ends it (nothing that it deployed stops), SIGHUP makes it read its settings anew.
    """
    return run_daemon.run(config)
