"""When the alarm rings: for nobody too early or too late, and as seldom as can be."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.kit.alarm import TICK_SECONDS, Window, next_multiple, ring_at, slack

seconds = st.floats(0, 100_000)


def stretches():
    return st.lists(st.builds(lambda at, more: Window(at, at + more), seconds, st.floats(0, 500)))


def rings(waiting):
    """Moments at which all of these are done."""
    moments, waiting = [], list(waiting)
    while waiting:
        at = ring_at(waiting)
        moments.append(at)
        waiting = [one for one in waiting if one.earliest > at]
    return moments


@given(stretches())
def test_everything_is_done_within_its_stretch(waiting):
    moments = rings(waiting)
    for one in waiting:
        done = min(at for at in moments if at >= one.earliest)
        assert done <= one.latest


@given(stretches())
def test_no_choice_of_moments_rings_less_often(waiting):
    # As many stretches of which no two meet need a ring each: no choice can do with fewer.
    apart, end = 0, -math.inf
    for one in sorted(waiting, key=lambda one: one.latest):
        if one.earliest > end:
            apart, end = apart + 1, one.latest
    assert len(rings(waiting)) == apart


@given(seconds)
def test_slack_is_at_most_a_tenth_and_nothing_for_what_is_waited_for(far):
    assert 0 <= slack(far) <= far / 10
    assert slack(far) <= 300
    assert far >= 60 or slack(far) == 0


def test_nothing_to_do_rings_never():
    assert ring_at(()) is None


@given(seconds, st.floats(1, 10_000))
def test_a_rhythm_is_kept_within_a_period_and_shared_by_all(now, period):
    at = next_multiple(period, now=now)
    assert now < at <= now + period + 2 * TICK_SECONDS
    assert math.isclose(at, round(at / period) * period)
    # A timer that fires a little early or late does not make the next time another one.
    for late in (-0.0005, 0.0, 0.4 * period):
        assert next_multiple(period, now=at + late) == pytest.approx(at + period)


EXACT = {f"source:{n}": (n * 37.0, 300.0, 0.0) for n in range(8)} | {
    "resync": (1.0, 3_600.0, 0.0),
    "watchdog": (0.0, 300.0, 0.0),
}
PATIENT = {key: (first, period, slack(period)) for key, (first, period, _) in EXACT.items()}


def an_hour(keys, following):
    """Rings within the second hour of what is done again and again: first time, period, slack."""
    rings, at = 0, 0.0
    due = {key: Window(first, first + more) for key, (first, _, more) in keys.items()}
    while at <= 7_200:
        at = ring_at(due.values())
        rings += 3_600 < at <= 7_200
        for key, (_, period, more) in keys.items():
            if due[key].earliest <= at:
                again = following(at, period)
                due[key] = Window(again, again + more)
    return rings


def test_an_hour_of_polls_resync_and_watchdog_wakes_as_often_as_one_poll():
    assert an_hour(EXACT, lambda at, period: at + period) > 80
    assert an_hour(PATIENT, lambda at, period: at + period) > 40, "slack alone is not enough"
    assert an_hour(PATIENT, lambda at, period: next_multiple(period, now=at)) == 12
    looks = {"health": (150.0, 150.0, slack(150.0))}
    assert an_hour(PATIENT | looks, lambda at, period: next_multiple(period, now=at)) == 24
