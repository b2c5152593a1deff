"""How what `podvisor doctor` found looks: what is wrong first, what is in order in a line."""

from collections.abc import Sequence
from itertools import groupby

from supervisor.cli.daemon import places
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import count, format_duration
from supervisor.model.doctor import Advice, Diagnosis, Examined, HealthCosts, Severity

_MARKS: dict[Severity, Cell] = {
    Severity.ERROR: ("✗ ", "bad"),
    Severity.WARNING: ("! ", "warn"),
    Severity.INFO: ("· ", "dim"),
    Severity.UNKNOWN: ("? ", "dim"),
    Severity.OK: ("✓ ", "good"),
}
_WRONG = (Severity.ERROR, Severity.WARNING)


def show(found: Diagnosis, *, verbose: bool) -> None:
    """Write it all."""
    by = {
        severity: [one for one in found.checks if one.severity is severity] for severity in Severity
    }
    for severity in (*_WRONG, Severity.INFO):
        for one in by[severity]:
            _one(one)
    _unknown(by[Severity.UNKNOWN])
    if verbose:
        _in_order(by[Severity.OK])
    wrong = sum(len(by[severity]) for severity in _WRONG)
    well = count(len({one.code for one in by[Severity.OK]}), "check")
    more = "" if verbose else "  (-v lists what is in order)"
    if wrong:
        say(("✓ ", "good"), f"{well} found all in order", (more, "dim"))
    else:
        say(("✓ ", "good"), f"nothing is wrong: {well} found all in order", (more, "dim"))
    mends = len({one.commands for one in found.checks if one.fixable})
    if mends:
        say(("podvisor doctor --fix", "strong"), f" mends {mends} of what is wrong; it asks first.")


def _one(one: Examined) -> None:
    say(_MARKS[one.severity], one.seen, ("  [", "dim"), (one.code, "dim"), ("]", "dim"))
    if one.why and one.severity in _WRONG:
        say("  ", (one.why, "dim"))
    for command in one.commands:
        say("    ", (command, "good"), whole=True)
    if one.advice:
        say("  ", one.advice)


def _unknown(those: Sequence[Examined]) -> None:
    """Say in one line what one cause keeps from being known."""
    for seen, group in groupby(sorted(those, key=lambda one: one.seen), lambda one: one.seen):
        codes = ", ".join(dict.fromkeys(one.code for one in group))
        say(_MARKS[Severity.UNKNOWN], f"cannot tell: {seen}", (f"  [{codes}]", "dim"))


def _in_order(those: Sequence[Examined]) -> None:
    rows: list[list[Cell]] = [
        [_MARKS[Severity.OK], (one.group.value, "dim"), one.seen] for one in those
    ]
    screen.table(rows)


def show_costs(found: HealthCosts) -> None:
    """Write what health checks cost, and what would make that less."""
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


def _advise(found: HealthCosts) -> None:
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


def _advise_one(one: Advice) -> None:
    say("  in ", _place(one), (f"  saves {one.saves_ms_per_minute:.0f} ms/min", "dim"))
    for line in one.lines:
        say("    ", (line, "good"))
    if one.probe:
        say(
            ("    or, in the place of HealthCmd=, ", "dim"),
            (one.probe, "good"),
            (f"  saves nearly all of {one.ms_per_minute:.0f} ms/min", "dim"),
        )


def _place(one: Advice) -> str:
    """Say where a container is defined: for one that podvisor deployed, that is in its source."""
    if one.managed:
        app, _, path = one.path.rpartition("/systemd/podvisor/")[2].partition("/")
        return f"{path} of the app {app}, in its source"
    return places.shown(one.path) if one.path else f"wherever {one.container} is defined"
