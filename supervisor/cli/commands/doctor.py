"""`podvisor doctor`: what on this machine keeps podvisor or an app from working, and its mend."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.show import screen
from supervisor.cli.show.screen import say

if TYPE_CHECKING:
    from supervisor.model.doctor import Diagnosis, HealthCosts


@click.command(
    short_help="Find out what is wrong with this machine, and mend it.",
    epilog=codes.epilog(
        c0="nothing keeps podvisor or an app from working; warnings may be said",
        c1="something does (error)",
        examples=("podvisor doctor", "podvisor doctor --fix"),
    ),
)
@click.option("--fix", is_flag=True, help="Mend what can be mended safely as this user.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: do not ask before each.")
@click.option("--verbose", "-v", is_flag=True, help="List also what is in order.")
@click.option(
    "--measure", is_flag=True, help="Also run the health checks of your containers, and measure."
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="With --measure: how often each health check is run.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/doctor.py: Diagnosis).")
@click.pass_obj
def command(  # noqa: PLR0917 - click names them
    config: str, fix: bool, yes: bool, verbose: bool, measure: bool, runs: int, as_json: bool
) -> int:
    """Look at everything that makes podvisor or its apps fail on this machine, and say the mend.

    What is wrong comes first, with why it matters and the commands that mend it; then what is in
    order, in one line. It changes nothing, and needs neither root nor a daemon: what it cannot
    tell, it says.

    --fix runs the commands that are safe and need no administrator, each after it asked, and looks
    again. What begins with sudo is for you.

    --measure runs each health check a few times. For Podman such a run counts as any other does:
    one that fails counts towards unhealthy.
    """
    if fix and as_json:
        raise click.UsageError("--fix asks and tells; --json does not go with it")
    from supervisor.cli.local.doctor_run import diagnose

    environment = dict(os.environ)
    found = diagnose(config, environment)
    if fix:
        found = _fix(found, lambda: diagnose(config, environment), yes=yes)
    costs = _measure(runs) if measure else None
    if as_json:
        import msgspec

        screen.write_json(msgspec.structs.replace(found, health_costs=costs))
    else:
        from supervisor.cli.show.doctor_view import show, show_costs

        show(found, verbose=verbose)
        if costs is not None:
            say()
            show_costs(costs)
    return codes.ERROR if any(one.severity == "error" for one in found.checks) else codes.OK


def _fix(found: "Diagnosis", look_again: Callable[[], "Diagnosis"], *, yes: bool) -> "Diagnosis":
    """Mend what can be mended, and look again."""
    from supervisor.cli.local.doctor_run import (
        mend_all,
        mendable,
        started_at,
        wait_for_another,
    )

    if not mendable(found.checks):
        say("Nothing is wrong that could be mended without you.")
        return found
    if not yes and not screen.is_terminal(sys.stdin):
        raise click.UsageError("nobody is here to be asked: say --yes")
    before = started_at()
    mended = mend_all(found.checks, lambda: yes or click.confirm("Run it?", err=True))
    say()
    if not mended:
        return found
    if "daemon-version" in mended:
        wait_for_another(before)
    return look_again()


def _measure(runs: int) -> "HealthCosts":
    from supervisor.adapters.host.check_costs import measure
    from supervisor.core.measure.healthcheck_cost import weigh

    return weigh(measure(runs=runs, tell=_tell))


def _tell(container: str) -> None:
    screen.progress(("running the health check of ", "dim"), container, (" …", "dim"))
