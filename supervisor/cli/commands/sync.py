"""`podvisor sync`: read the sources now, and bring the apps to what they say."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.sync_now import sync
from supervisor.cli.local.offers import offer


@click.command(
    short_help="Do it now: bring the apps to what the sources say.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="all is as the sources say",
        examples=("podvisor sync web",),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option(
    "--prune-all", is_flag=True, help="Allow it to remove every app of a source that holds none."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(apps: tuple[str, ...], prune_all: bool, as_json: bool) -> int:
    """Read the sources now and bring these apps (all, if none is named) to what they say.

    Shows each step with its reason as it is done, and waits until new revisions have passed their
    gate, or were taken back. What waits for its next try is tried now. Of apps that are named it
    tells, and of what they depend on; what else is new in the sources is done, too, and
    `podvisor events` has it.
    """
    return sync(apps, prune_all=prune_all, as_json=as_json)
