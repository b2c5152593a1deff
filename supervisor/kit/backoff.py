"""Waiting times after failures, as data. The nth failure in a row waits for the nth of them."""

import random

FETCH_SECONDS = (
    5,  # a dropped connection
    30,
    60,
    300,  # the other side is down: no need to be the one who hammers it
    900,
    3_600,  # and so on every hour; the poll of a source may come first
)

PULL_SECONDS = (
    5,
    15,
    60,
    300,  # rate limits are counted by the hour
    900,
    3_600,
)

CHECK_SECONDS = (
    60,  # nobody waits for the answer; questions that fail together are asked again together
    300,
    900,
    3_600,  # the next round may come first
)

PASS_SECONDS = (
    1,  # a bus or a socket that is just restarting
    5,
    15,
    60,
    300,
)

UNHURRIED_SECONDS = 30.0
"""What nobody waits for comes so much later than its cause: not beside what starts then."""


def delay(table: tuple[int, ...], failures: int) -> float:
    """Seconds to wait after `failures` in a row (1 or more), up to a tenth more by chance."""
    return table[min(failures, len(table)) - 1] * (1 + random.random() / 10)  # noqa: S311
