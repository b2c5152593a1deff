"""The figures of `podvisor bench idle` for people."""

from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.core.measure.idle_chart import number_of
from supervisor.kit.texts import format_duration
from supervisor.model.idle import Difference, Figures, Report, Spread

_KB, _MB = 1e3, 1e6


def show_report(report: Report) -> None:
    """Write the table, then what it takes to read it."""
    say(
        f"At rest for {format_duration(report.settle_seconds)}, then measured for "
        f"{format_duration(report.window_seconds)}; {report.machine}, Linux {report.kernel}."
    )
    say()
    screen.table(
        [_row(one) for one in report.targets],
        header=("", "CPU MS/MIN", "OF A CORE", "WAKE-UPS/MIN", "SWITCHES/MIN", "MEMORY", "WRITTEN"),
    )
    if report.others:
        say()
        say(("What it makes others do", "strong"))
        screen.table(
            [_other(one) for one in report.others],
            header=("", "MS/MIN WITH", "WITHOUT", "MORE", "WAKE-UPS/MIN WITH", "WITHOUT"),
        )
    for one in report.targets:
        for note in one.notes:
            say(("· ", "dim"), f"{one.label}: {note}")
    for warning in report.warnings:
        say(("! ", "warn"), warning)


def _row(one: Figures) -> list[Cell]:
    least = "" if one.switches_complete else "≥ "
    return [
        (one.label, "strong"),
        _mean(one.cpu_ms),
        f"{one.cpu_ms.mean / 600:.4f} %",
        f"{least}{_mean(one.wakeups)}",
        f"{least}{number_of(one.switches)}",
        "?" if one.memory is None else f"{one.memory / _MB:.1f} MB",
        "?" if one.written is None else _bytes(one.written),
    ]


def _other(one: Difference) -> list[Cell]:
    return [
        (one.label, "strong"),
        _mean(one.with_ms),
        _mean(one.without_ms),
        f"{one.more_ms:+.2f} ± {one.more_ms_error:.2f}",
        number_of(one.with_wakeups),
        number_of(one.without_wakeups),
    ]


def _mean(value: Spread) -> str:
    """Write a mean, with the error that its parts show."""
    text = number_of(value.mean)
    return f"{text} ± {number_of(value.error)}" if value.error else text


def _bytes(number: int) -> str:
    if not number:
        return "0"
    return f"{number / _MB:.1f} MB" if number >= _MB else f"{number / _KB:.0f} kB"
