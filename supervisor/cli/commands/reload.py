"""`podvisor reload`: the daemon takes up changed settings."""

import json

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import ask
from supervisor.cli.show import screen


@click.command(
    short_help="Have the daemon take up changed settings.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        codes.SETTINGS,
        c78="refused; the old ones stay",
        examples=("podvisor reload",),
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: Reloaded).")
def command(as_json: bool) -> int:
    """Have the daemon read its settings anew; says what is wrong with them.

    It answers at once: passes that are under way go on, with what they began with.

    `systemctl --user reload podvisor` calls this. To systemd, a reload during the start (until the
    first pass is through, with all its pulls) is a part of it, and ends with it; the daemon takes
    up then what was changed.
    """
    answer = ask("/v1/reload", body={})
    told = json.loads(answer)
    if as_json:
        screen.write_json(answer)
    else:
        for found in told.get("findings", ()):
            screen.finding(found, indent="")
        words = "the settings were read anew" if told["ok"] else "refused; the old settings stay"
        screen.say(("✓ ", "good") if told["ok"] else ("✗ ", "bad"), words)
    return codes.OK if told["ok"] else codes.SETTINGS
