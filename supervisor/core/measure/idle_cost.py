"""From readings of counters to what idling costs a minute, and how far to trust it.

Pure: `adapters.host.meters` reads, `cli.local.bench_run` waits and shows.
"""

import math
import statistics
from collections.abc import Sequence

from supervisor.kit.texts import count, rough_duration
from supervisor.model.idle import Difference, Figures, Load, Reading, Spread, Window

_MINUTE = 60.0
_BUSY_SHARE = 0.2
"""Of all CPUs: with more, caches are cold and clocks are high, and idle figures grow with both."""
_PRESSURE_SHARE = 0.1
_STOLEN_SHARE = 0.02
_FEW_WAKEUPS = 10
"""With fewer, chance alone moves the rate by a third and more."""
_LEAST_ENDED_US = 100
"""Below this it is the moment between reading a group and reading its processes."""


def window_between(before: Reading, after: Reading) -> Window:
    """What was spent between two readings of one target."""
    cpu = sum(max(0, value - before.cpu_us.get(key, 0)) for key, value in after.cpu_us.items())
    sampled = after.user_us - before.user_us, after.system_us - before.system_us
    user = round(cpu * sampled[0] / sum(sampled)) if min(sampled) >= 0 < sum(sampled) else cpu
    alive = slept = all_switches = 0
    for key, process in after.processes.items():
        earlier = before.processes.get(key)
        alive += process.cpu_us - (earlier.cpu_us if earlier else 0)
        for thread, (by_itself, taken_off) in process.switches.items():
            known = earlier.switches.get(thread, (0, 0)) if earlier else (0, 0)
            slept += by_itself - known[0]
            all_switches += by_itself - known[0] + taken_off - known[1]
    ended = cpu - alive
    return Window(
        seconds=after.at - before.at,
        cpu_us=cpu,
        user_us=user,
        system_us=cpu - user,
        ended_cpu_us=ended if ended > _LEAST_ENDED_US else 0,
        wakeups=slept,
        switches=all_switches,
        written=_written(before, after),
    )


def _written(before: Reading, after: Reading) -> int | None:
    """Bytes written; the larger of two accounts, since either may miss some.

    What a process wrote passes to the parent that waits for it, so the sum over all loses nothing
    with a child's end.
    """
    accounts = []
    if after.written is not None and before.written is not None:
        accounts.append(after.written - before.written)
    sums = [_sum([one.written for one in each.processes.values()]) for each in (before, after)]
    if sums[0] is not None and sums[1] is not None:
        accounts.append(sums[1] - sums[0])
    return max(0, *accounts) if accounts else None


def _sum(values: Sequence[int | None]) -> int | None:
    """Sum of values that are all known; None if one is not."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def spread(values: Sequence[float], weights: Sequence[float]) -> Spread:
    """Mean of rates, each over a time of its own, and its standard error."""
    mean = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
    enough = len(values) > 1
    error = statistics.stdev(values) / math.sqrt(len(values)) if enough else 0.0
    return Spread(mean=mean, parts=tuple(values), error=error)


def figures(label: str, what: str, windows: Sequence[Window], last: Reading) -> Figures:
    """Sum up all stretches of a target."""
    seconds = [one.seconds for one in windows]
    minutes = sum(seconds) / _MINUTE
    ended = sum(one.ended_cpu_us for one in windows)
    memory = _sum([one.pss for one in last.processes.values()])
    notes = []
    if not last.processes:
        notes.append("nothing of it ran at the end")
    if memory is None:
        notes.append("its memory cannot be read by this user")
    if ended:
        notes.append("processes came and went: their CPU time is counted, their wake-ups are not")
    return Figures(
        label=label,
        what=what,
        cpu_ms=_cpu(windows),
        user_ms=sum(one.user_us for one in windows) / 1000 / minutes,
        system_ms=sum(one.system_us for one in windows) / 1000 / minutes,
        ended_cpu_ms=ended / 1000 / minutes,
        wakeups=spread([one.wakeups * _MINUTE / one.seconds for one in windows], seconds),
        switches=sum(one.switches for one in windows) / minutes,
        switches_complete=not ended,
        memory=memory,
        written=_sum([one.written for one in windows]),
        processes=tuple(sorted(one.name for one in last.processes.values())),
        notes=tuple(notes),
    )


def difference(label: str, with_it: Sequence[Window], without_it: Sequence[Window]) -> Difference:
    """What somebody else spends with podvisor beyond what it spends without."""
    cpu = [_cpu(each) for each in (with_it, without_it)]
    wakeups = [
        sum(one.wakeups for one in each) * _MINUTE / sum(one.seconds for one in each)
        for each in (with_it, without_it)
    ]
    return Difference(
        label=label,
        with_ms=cpu[0],
        without_ms=cpu[1],
        more_ms=cpu[0].mean - cpu[1].mean,
        more_ms_error=math.hypot(cpu[0].error, cpu[1].error),
        with_wakeups=wakeups[0],
        without_wakeups=wakeups[1],
    )


def _cpu(windows: Sequence[Window]) -> Spread:
    rates = [one.cpu_us / 1000 * _MINUTE / one.seconds for one in windows]
    return spread(rates, [one.seconds for one in windows])


def shares(loads: Sequence[tuple[Load, Load]], targets_us: int) -> tuple[float, float, float]:
    """How busy the machine was with anything but the targets, how pressed, how much stolen."""
    elapsed = sum(after.at - before.at for before, after in loads)
    total = sum(after.total - before.total for before, after in loads)
    busy = sum(after.busy - before.busy for before, after in loads)
    stolen = sum(after.stolen - before.stolen for before, after in loads)
    waiting = sum(after.waiting - before.waiting for before, after in loads)
    if min(total, elapsed) <= 0:
        return 0.0, 0.0, 0.0
    return max(0.0, busy - targets_us / 1e6) / total, waiting / elapsed, stolen / total


def warnings(
    *, seconds: float, busy: float, pressure: float, stolen: float, targets: Sequence[Figures]
) -> tuple[str, ...]:
    """Why not to trust the figures, each reason with what would help."""
    found = []
    if seconds < _MINUTE:
        found.append(
            f"the window is short ({rough_duration(seconds)}): what happens once a "
            "minute may be missed or count twice; --window 10m is what the documentation uses"
        )
    if busy > _BUSY_SHARE:
        found.append(
            f"the machine is busy: {busy:.0%} of its CPU time went to others, whose traces in the "
            "caches make everything dearer; measure again when it is quiet"
        )
    if pressure > _PRESSURE_SHARE:
        found.append(
            f"the processors were asked for too much: {pressure:.0%} of the time something waited "
            "for one; measure again when it is quiet"
        )
    if stolen > _STOLEN_SHARE:
        found.append(
            f"other machines on the same hardware took {stolen:.0%} of the CPU time; compare "
            "within this run only"
        )
    few = [one.label for one in targets if 0 < one.wakeups.mean * seconds / _MINUTE < _FEW_WAKEUPS]
    if few and seconds < 10 * _MINUTE:
        found.append(
            f"{', '.join(few)} woke fewer than {count(_FEW_WAKEUPS, 'time')}: the rate is coarse; "
            "a longer window says more"
        )
    return tuple(found)
