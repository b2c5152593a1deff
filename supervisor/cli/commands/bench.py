"""`podvisor bench idle`: what podvisor costs while nothing happens, beside anything else."""

import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import NotRunning, Refused
from supervisor.cli.local.times import seconds
from supervisor.cli.show import screen
from supervisor.model.errors import Stalled

if TYPE_CHECKING:
    from supervisor.adapters.host.targets import Target, Unit

_OWN = "podvisor"
_GRACE_SECONDS = 300.0
_LABEL = re.compile(r"([^=/]{1,60}?)=(.+)", re.DOTALL)


@click.command(
    short_help="Measure what podvisor costs, beside anything else.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        codes.INTERRUPTED,
        c0="measured; warnings may be said",
        examples=("podvisor bench idle --window 5m --unit traefik.service",),
    ),
)
@click.argument("what", type=click.Choice(["idle"]))
@click.option(
    "--window",
    type=seconds,
    metavar="TIME",
    default="10m",
    show_default=True,
    help="How long to measure.",
)
@click.option(
    "--settle",
    type=seconds,
    metavar="TIME",
    default="2m",
    show_default=True,
    help="How long to wait before that.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="[LABEL=]UNIT[+UNIT…]",
    help="Also a unit of yours, or of the system, with all that runs in it.",
)
@click.option(
    "--pid",
    "pids",
    multiple=True,
    metavar="[LABEL=]PID",
    help="Also a process, with its descendants.",
)
@click.option(
    "--cgroup", "groups", multiple=True, metavar="[LABEL=]PATH", help="Also a control group."
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="[LABEL=]LINE",
    help="Also a command of the shell, started for this in a unit of its own, and ended.",
)
@click.option("--only", is_flag=True, help="Not podvisor itself, only what is named.")
@click.option(
    "--others",
    is_flag=True,
    help="Also what podvisor makes systemd, the session bus and the journal do: two windows with "
    "it and two without, in turns. Stops podvisor for these, and starts it again.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON (Report).")
@click.option("--picture", type=click.Path(dir_okay=False), metavar="FILE", help="Draw it: an SVG.")
@click.option("--title", default="What idling costs", metavar="TEXT", help="Of the picture.")
@click.option(
    "--floor", default="", metavar="LABEL", help="Which one the picture marks as the floor."
)
def command(  # noqa: PLR0917 - click names them
    what: str,  # noqa: ARG001 - there is only one yet
    window: float,
    settle: float,
    units: tuple[str, ...],
    pids: tuple[str, ...],
    groups: tuple[str, ...],
    commands: tuple[str, ...],
    only: bool,
    others: bool,
    as_json: bool,
    picture: str | None,
    title: str,
    floor: str,
) -> int:
    """Measure CPU time, wake-ups, memory and writing over a window, side by side in one run.

    podvisor is measured with all that it starts, and with podman.service, which it may keep alive.
    The benchmark sleeps through the window and counts nothing of its own. It is best run on a
    machine that does nothing else.

    A pid's ended children are counted in steps of 10 ms; units, groups and commands exactly.
    """
    from supervisor.adapters.host.targets import Command, Target
    from supervisor.cli.local.bench_run import TURNS, measure

    if window <= 0:
        raise click.UsageError("--window must be longer than nothing")
    if only and others:
        raise click.UsageError("--others is about podvisor, which --only leaves out")
    is_named = bool(units or pids or groups or commands)
    if only and not is_named:
        raise click.UsageError("--only needs something to measure: --unit, --pid …")
    for reason in (signal.SIGTERM, signal.SIGHUP):
        # What was started is to be ended, and what was stopped started, also then.
        signal.signal(reason, lambda caught, _: sys.exit(128 + caught))
    longest = len(TURNS) * (settle + window) + _GRACE_SECONDS
    started: list[Command] = []
    try:
        own = None if only else _own_unit(needed=others or not is_named)
        targets = _named(units, pids, groups)
        for text in commands:
            label, line = _split(text)
            started.append(Command(line, at_most_seconds=longest))
            targets.append(Target(label, line, units=[started[-1].unit]))
        labels = [*(one.label for one in targets), *([_OWN] if own else [])]
        if twice := next((one for one in labels if labels.count(one) > 1), ""):
            raise click.UsageError(f"two of them are called “{twice}”: give one another LABEL=")
        report = measure(own, targets, settle=settle, window=window, others=others, say=_tell)
    finally:
        for one in started:
            one.end()
    if as_json:
        screen.write_json(report, indent=2)
    else:
        from supervisor.cli.show.bench_view import show_report

        show_report(report)
    if picture:
        from supervisor.core.measure.idle_chart import draw

        Path(picture).write_text(draw(report, title=title, floor=floor))
    return codes.OK


def _tell(text: str) -> None:
    screen.progress((text, "dim"))


def _own_unit(*, needed: bool) -> "Unit | None":
    """Return podvisor's service; None if it does not run and something else can be measured."""
    from supervisor.adapters.host.targets import Unit

    try:
        unit = Unit(f"{_OWN}.service")
        if unit.active:
            return unit
    except Stalled:
        pass
    if needed:
        raise NotRunning
    screen.complain("podvisor does not run, so it is left out")
    return None


def _named(units: Sequence[str], pids: Sequence[str], groups: Sequence[str]) -> list["Target"]:
    from supervisor.adapters.host.targets import Target, Unit, find_group

    targets = []
    for text in units:
        label, names = _split(text)
        targets.append(Target(label, names, units=[Unit(name) for name in names.split("+")]))
    for text in pids:
        label, pid = _split(text)
        if not (pid.isdecimal() and Path(f"/proc/{pid}").exists()):
            raise Refused(f"cannot measure {pid}: there is no such process")
        targets.append(Target(label, f"process {pid}", pids=[int(pid)]))
    for text in groups:
        label, path = _split(text)
        targets.append(Target(label, path, groups=[find_group(path)]))
    return targets


def _split(text: str) -> tuple[str, str]:
    """Return the label and what it is for; what has none is its own."""
    found = _LABEL.fullmatch(text)
    return (found[1], found[2]) if found else (text, text)
