"""When to ring, so that as much as possible is done in one waking. Times are in seconds.

- What is done again and again falls on multiples of its period, counted from one moment for all:
  sources that are polled every five minutes are polled together, whenever each was read last.
- Whatever is due later may come a little later still. So each has a stretch of time to be done in.
  The alarm rings at the first end of a stretch, the last moment at which nobody is late, and
  everything whose stretch has begun by then goes with it.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

TICK_SECONDS = 0.001
"""A timer may fire a clock tick early; what is due within a tick is due."""

_PATIENT_FROM_SECONDS = 60.0
"""What is due sooner is waited for: the first tries after a failure, a unit that is to settle."""

_MOST_SECONDS = 300.0
"""Nobody minds whether the resync comes after an hour or five minutes later."""


class Window(NamedTuple):
    """A time to do something in."""

    earliest: float
    latest: float


def slack(seconds: float) -> float:
    """How much later something may come that is due in so many seconds: up to a tenth."""
    return min(seconds / 10, _MOST_SECONDS) if seconds >= _PATIENT_FROM_SECONDS else 0.0


def next_multiple(period: float, *, now: float) -> float:
    """Return the last multiple of a period that is no more than the period away."""
    return math.floor((now + TICK_SECONDS) / period + 1) * period


def ring_at(stretches: Iterable[Window]) -> float | None:
    """When to ring for these; None if there are none."""
    return min((one.latest for one in stretches), default=None)
