"""The run of `podvisor bench idle`: settle, sleep, read counters; sum up.

It wakes a few times within a window to read, so that the spread within it is known.
"""

import contextlib
import itertools
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence

from supervisor import __version__
from supervisor.adapters.host import meters
from supervisor.adapters.host.targets import Target, Unit, manager_group, with_late
from supervisor.core.measure import idle_cost
from supervisor.kit.texts import format_duration
from supervisor.model.errors import Stalled
from supervisor.model.idle import Difference, Load, Reading, Report, Window

_ON_ITS_BEHALF = "podman.service"
"""Podman's API: a process that begins with a question and ends soon after the last one."""
TURNS = (True, False, True, False)
"""With podvisor, and without."""
_PART_SECONDS = 30.0
_MOST_PARTS = 10
_LEAST_PARTS = 2


def measure(
    own: Unit | None,
    targets: Sequence[Target],
    *,
    settle: float,
    window: float,
    others: bool,
    say: Callable[[str], None],
) -> Report:
    """Measure podvisor's unit (if any) and the targets; `others`: in turns with and without it."""
    podvisor = None
    if own:
        behalf = _unit_or_none(_ON_ITS_BEHALF)
        units = [own, *([behalf] if behalf else [])]
        what = " + ".join(unit.name for unit in units)
        podvisor = Target("podvisor", what, units=units)
    bystanders = list(_bystanders()) if others else []
    loads: list[tuple[Load, Load]] = []
    spent: dict[Target, list[list[Window]]] = {}
    last: dict[Target, Reading] = {}
    with _restored(own) if own and others else contextlib.nullcontext():
        for number, with_it in enumerate(TURNS if others else (True,)):
            if own and number:
                own.switch("start" if with_it else "stop")
            turn = f" ({'with' if with_it else 'without'} podvisor)" if others else ""
            say(f"settling for {format_duration(settle)} …")
            time.sleep(settle)
            say(f"measuring for {format_duration(window)}{turn} …")
            present = [*([podvisor] if podvisor and with_it else []), *targets, *bystanders]
            load, readings = _window(present, window)
            loads.append(load)
            for target, taken in zip(present, readings, strict=True):
                parts = [idle_cost.window_between(*pair) for pair in itertools.pairwise(taken)]
                spent.setdefault(target, []).append(parts)
                last[target] = taken[-1]
    windows = {one: list(itertools.chain.from_iterable(turns)) for one, turns in spent.items()}
    found = tuple(
        idle_cost.figures(one.label, one.what, windows[one], last[one])
        for one in (*([podvisor] if podvisor else []), *targets)
    )
    spent_us = sum(one.cpu_us for parts in windows.values() for one in parts)
    busy, pressure, stolen = idle_cost.shares(loads, spent_us)
    return Report(
        version=__version__,
        machine=meters.processor() or platform.machine(),
        kernel=platform.release(),
        cpus=os.cpu_count() or 1,
        settle_seconds=settle,
        window_seconds=window,
        busy_share=busy,
        pressure_share=pressure,
        stolen_share=stolen,
        targets=found,
        others=tuple(_difference(one.label, spent[one]) for one in bystanders),
        warnings=idle_cost.warnings(
            seconds=window, busy=busy, pressure=pressure, stolen=stolen, targets=found
        ),
    )


def _window(
    targets: Sequence[Target], seconds: float
) -> tuple[tuple[Load, Load], list[list[Reading]]]:
    """Read all targets at the beginning, at the end, and some times between."""
    parts = max(_LEAST_PARTS, min(_MOST_PARTS, int(seconds // _PART_SECONDS)))
    before = meters.load()
    began = time.monotonic()
    taken = [[target.read()] for target in targets]
    for number in range(1, parts + 1):
        time.sleep(max(0.0, began + seconds * number / parts - time.monotonic()))
        for target, readings in zip(targets, taken, strict=True):
            readings.append(target.read(memory=number == parts))
    after = meters.load()
    for target, readings in zip(targets, taken, strict=True):
        if late := target.late_us(since=readings[0].at):
            readings[-1] = with_late(readings[-1], late)
    return (before, after), taken


def _difference(label: str, turns: Sequence[Sequence[Window]]) -> Difference:
    """Compare the turns with podvisor, all together, to those without."""
    sides: dict[bool, list[Window]] = {True: [], False: []}
    for with_it, windows in zip(TURNS, turns, strict=True):
        sides[with_it].extend(windows)
    return idle_cost.difference(label, sides[True], sides[False])


def _bystanders() -> Iterator[Target]:
    """Who has work with podvisor's watches, apart from itself."""
    yield Target("systemd (user)", "systemd --user", groups=[manager_group()])
    for label, name in (("session bus", "dbus.service"), ("journal", "systemd-journald.service")):
        if unit := _unit_or_none(name):
            yield Target(label, name, units=[unit])


def _unit_or_none(name: str) -> Unit | None:
    try:
        return Unit(name)
    except Stalled:
        return None


@contextlib.contextmanager
def _restored(unit: Unit) -> Iterator[None]:
    """Leave the unit running, whatever happens."""
    try:
        yield
    finally:
        if not unit.active:
            unit.switch("start")
