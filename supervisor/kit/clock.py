"""The time of day, as something that is handed in: tests bring a clock of their own."""

import time
from typing import Protocol


def follow_time_zone() -> None:
    """Go by the machine's time zone as it is now: the C library reads /etc/localtime once, else.

    To be called before local times are looked at; where nothing changed, it costs a stat.
    """
    time.tzset()


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def suspended(self) -> float:
        """Seconds that the machine has spent suspended since it was started."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def suspended(self) -> float:
        """Seconds that the machine has spent suspended since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
