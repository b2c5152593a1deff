"""`podvisor doctor`: what is missing, and what health checks cost on this machine."""

from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import count, format_duration
from supervisor.model.errors import Finding

if TYPE_CHECKING:
    from supervisor.model.doctor import Advice, CheckCost, Diagnosis


@click.command(
    short_help="Measure what health checks cost, and look for what is missing.",
    epilog=codes.epilog(c0="measured; warnings may be said", c1="something is missing"),
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How often each health check is run.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/doctor.py: Diagnosis).")
def command(runs: int, as_json: bool) -> int:
    """Look for what podvisor needs, and run the health checks of your containers to measure them.

    It needs no daemon. Each run of a check counts for Podman as any other does: one that fails
    counts towards unhealthy.
    """
    from supervisor.core.measure.healthcheck_cost import diagnose

    findings = _findings()
    costs: list[CheckCost] = []
    if not any(found.fatal for found in findings):
        from supervisor.adapters.host.check_costs import measure

        costs += measure(runs=runs, tell=_tell)
    found = diagnose(costs, findings)
    if as_json:
        screen.write_json(found)
    else:
        _show(found)
    return codes.ERROR if any(one.fatal for one in findings) else codes.OK


def _findings() -> list[Finding]:
    from supervisor.adapters.host.checks import Machine

    machine = Machine()
    found = machine.prerequisites()
    if not any(one.fatal for one in found):
        more = (machine.podman_version()[1], machine.network_online())
        found += [one for one in more if one is not None]
    return found


def _tell(container: str) -> None:
    screen.progress(("running the health check of ", "dim"), container, (" …", "dim"))


def _show(found: "Diagnosis") -> None:
    for one in found.findings:
        screen.finding(one, indent="")
    if any(one.fatal for one in found.findings):
        return
    if not found.checks:
        say("No running container of yours has a health check.")
        return
    rows: list[list[Cell]] = [
        [
            (one.container, "strong"),
            (f"every {format_duration(one.interval)}", ""),
            f"{one.ms_per_run:.0f} ms",
            f"{one.ms_per_minute:.0f} ms/min",
            (f"{one.percent_of_core:.2f} %", "warn" if one.percent_of_core >= 1 else ""),
            ("it failed", "bad") if one.failed else "",
        ]
        for one in found.checks
    ]
    screen.table(rows, header=("CONTAINER", "CHECKED", "A RUN", "CPU", "OF A CORE", ""))
    percent = found.ms_per_minute / 600
    checks = count(len(found.checks), "health check")
    say()
    say(f"{checks}: {found.ms_per_minute:.0f} ms of CPU a minute, {percent:.2f} % of a core.")
    _advise(found)


def _advise(found: "Diagnosis") -> None:
    """Say what to write, the most worthwhile first."""
    worth = [one for one in found.checks if one.lines]
    if not worth:
        return
    part = 100 * found.saves_ms_per_minute / found.ms_per_minute if found.ms_per_minute else 0
    say(f"Checked every 5m where all is well, it would be {part:.0f} % less. For all in one:")
    say("  in ", places.shown(str(places.config_file())))
    say(("    [health]", "good"))
    say(('    idle_interval = "5m"', "good"))
    say("or for each:")
    for one in worth:
        _advise_one(one)


def _advise_one(one: "Advice") -> None:
    say("  in ", _place(one), (f"  saves {one.saves_ms_per_minute:.0f} ms/min", "dim"))
    for line in one.lines:
        say("    ", (line, "good"))
    if one.probe:
        say(
            ("    or, in the place of HealthCmd=, ", "dim"),
            (one.probe, "good"),
            (f"  saves nearly all of {one.ms_per_minute:.0f} ms/min", "dim"),
        )


def _place(one: "Advice") -> str:
    """Say where a container is defined: for one that podvisor deployed, that is in its source."""
    if one.managed:
        app, _, path = one.path.rpartition("/systemd/podvisor/")[2].partition("/")
        return f"{path} of the app {app}, in its source"
    return places.shown(one.path) if one.path else f"wherever {one.container} is defined"
