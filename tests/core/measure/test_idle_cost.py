"""From counters to figures: nothing is lost, nothing counted twice, doubt is said."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.measure import idle_cost
from supervisor.model.idle import Load, ProcessReading, Reading


def process(cpu_us=0, written=0, pss=1000, **switches):
    """A process with one thread for each keyword: how often it slept, was taken off."""
    threads = {int(name[1:]): counts for name, counts in switches.items()}
    return ProcessReading(name="p", cpu_us=cpu_us, switches=threads, written=written, pss=pss)


def reading(at, cpu_us, processes=None, *, user=0, system=0, written=None):
    return Reading(
        at=at,
        cpu_us={"group": cpu_us} if isinstance(cpu_us, int) else cpu_us,
        user_us=user,
        system_us=system,
        processes=processes or {},
        written=written,
    )


def test_a_stretch_is_the_difference_of_two_readings() -> None:
    before = reading(10, 5_000, {"1": process(4_000, 100, t1=(10, 3))}, user=10, system=10)
    after = reading(70, 9_000, {"1": process(8_000, 300, t1=(16, 4))}, user=40, system=20)
    found = idle_cost.window_between(before, after)
    assert (found.seconds, found.cpu_us, found.user_us, found.system_us) == (
        60,
        4_000,
        3_000,
        1_000,
    )
    assert (found.wakeups, found.switches, found.written) == (6, 7, 200)
    assert found.ended_cpu_us == 0


def test_threads_and_processes_that_are_new_count_from_nothing() -> None:
    before = reading(0, 0, {"1": process(t1=(10, 0))})
    after = reading(60, 900, {"1": process(t1=(11, 0), t2=(3, 1)), "2": process(900, t5=(2, 0))})
    assert idle_cost.window_between(before, after).wakeups == 6


def test_what_ended_processes_took_is_known_as_theirs() -> None:
    before = reading(0, 1_000, {"1": process(500), "2": process(500)})
    after = reading(60, 9_000, {"1": process(1_500)})
    found = idle_cost.window_between(before, after)
    assert (found.cpu_us, found.ended_cpu_us) == (8_000, 7_000)


def test_a_new_run_of_a_group_counts_from_nothing_and_a_gone_one_not_below() -> None:
    before = reading(0, {"a#1": 9_000})
    assert idle_cost.window_between(before, reading(60, {"a#2": 400})).cpu_us == 400
    assert idle_cost.window_between(before, reading(60, {})).cpu_us == 0
    assert idle_cost.window_between(before, reading(60, {"a#1": 9_100, "late": 50})).cpu_us == 150


def test_writing_passes_from_a_child_to_its_parent() -> None:
    before = reading(0, 0, {"1": process(written=10), "2": process(written=5)})
    after = reading(60, 0, {"1": process(written=10 + 5 + 7)})
    assert idle_cost.window_between(before, after).written == 7


def test_writing_is_the_larger_account_and_unknown_without_any() -> None:
    unknown = {"1": process(written=None)}
    assert idle_cost.window_between(reading(0, 0, unknown), reading(60, 0, unknown)).written is None
    before, after = reading(0, 0, unknown, written=5), reading(60, 0, unknown, written=9)
    assert idle_cost.window_between(before, after).written == 4


@given(st.lists(st.tuples(st.floats(0.001, 1e6), st.floats(0.1, 1e3)), min_size=1, max_size=20))
def test_a_spread_lies_within_its_parts(parts: list[tuple[float, float]]) -> None:
    values, weights = zip(*parts, strict=True)
    found = idle_cost.spread(values, weights)
    assert min(values) * (1 - 1e-9) <= found.mean <= max(values) * (1 + 1e-9)
    assert found.error >= 0
    if len(set(values)) == 1:
        assert found.error == pytest.approx(0, abs=1e-6)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=12))
def test_however_a_window_is_cut_the_figure_is_the_same(counters: list[int]) -> None:
    counters.sort()
    readings = [reading(60.0 * at, value) for at, value in enumerate(counters)]
    pieces = [idle_cost.window_between(*pair) for pair in itertools.pairwise(readings)]
    whole = [idle_cost.window_between(readings[0], readings[-1])]
    assert idle_cost.figures("x", "x", pieces, readings[-1]).cpu_ms.mean == pytest.approx(
        idle_cost.figures("x", "x", whole, readings[-1]).cpu_ms.mean
    )


def test_figures_are_per_minute_and_say_what_is_missing() -> None:
    before, after = reading(0, 0, {"1": process(0, t1=(0, 0))}), reading(120, 9_000, {})
    found = idle_cost.figures("x", "y", [idle_cost.window_between(before, after)], after)
    assert found.cpu_ms.mean == 4.5
    assert found.ended_cpu_ms == 4.5
    assert not found.switches_complete
    assert any("their wake-ups are not" in note for note in found.notes)
    last = reading(120, 0, {"1": process(pss=None)})
    found = idle_cost.figures("x", "y", [idle_cost.window_between(before, last)], last)
    assert found.memory is None
    assert any("memory" in note for note in found.notes)


def test_a_difference_is_of_means_with_the_errors_of_both() -> None:
    def side(*cpu_us: int):
        values = [0]
        for one in cpu_us:
            values.append(values[-1] + one)
        readings = [reading(60.0 * at, value) for at, value in enumerate(values)]
        return [idle_cost.window_between(*pair) for pair in itertools.pairwise(readings)]

    found = idle_cost.difference("bus", side(5_000, 7_000), side(1_000, 1_000))
    assert (found.with_ms.mean, found.without_ms.mean, found.more_ms) == (6, 1, 5)
    assert found.more_ms_error == pytest.approx(math.sqrt(2) / math.sqrt(2))


def load(at, busy, total, waiting=0.0, stolen=0.0):
    return Load(at=at, busy=busy, total=total, waiting=waiting, stolen=stolen)


def test_the_machine_is_busy_with_others_than_the_targets() -> None:
    loads = [(load(0, 0, 0), load(60, 30, 120, waiting=6, stolen=1.2))]
    busy, pressure, stolen = idle_cost.shares(loads, targets_us=6_000_000)
    assert (busy, pressure, stolen) == (pytest.approx(0.2), pytest.approx(0.1), pytest.approx(0.01))
    assert idle_cost.shares(loads, targets_us=10**9)[0] == 0
    assert idle_cost.shares([], 0) == (0, 0, 0)


@pytest.mark.parametrize(
    ("doubt", "word"),
    [
        ({"seconds": 30}, "window is short"),
        ({"busy": 0.5}, "machine is busy"),
        ({"pressure": 0.5}, "asked for too much"),
        ({"stolen": 0.5}, "other machines"),
    ],
)
def test_each_doubt_is_said(doubt: dict[str, float], word: str) -> None:
    calm = {"seconds": 600, "busy": 0.0, "pressure": 0.0, "stolen": 0.0, "targets": ()}
    assert idle_cost.warnings(**calm) == ()
    (said,) = idle_cost.warnings(**{**calm, **doubt})
    assert word in said


def test_few_wakeups_are_a_coarse_rate_but_none_is_none() -> None:
    def woken(times):
        before, after = reading(0, 0, {"1": process(t1=(0, 0))}), None
        after = reading(60, 0, {"1": process(t1=(times, 0))})
        return idle_cost.figures("it", "it", [idle_cost.window_between(before, after)], after)

    def said(times):
        return idle_cost.warnings(seconds=60, busy=0, pressure=0, stolen=0, targets=[woken(times)])

    assert said(0) == said(50) == ()
    assert "it woke fewer than 10 times" in said(3)[0]
