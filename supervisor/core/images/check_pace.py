"""How often a question about an image is asked: seldom while somebody tells of what is pushed.

Times are in seconds, moments since the epoch; the clock that they are of may have been set.
"""

from supervisor.kit import backoff
from supervisor.model.image import ImageKnowledge

SLOWER = 12
SLOWEST_SECONDS = 86_400.0
GRACE_SECONDS = 60.0
"""A question may be asked between a push and its webhook."""


def is_told(known: ImageKnowledge | None) -> bool:
    """Whether a webhook told of the newest version: so they are relied on."""
    if known is None or known.newest is None or not known.told_at:
        return False
    return known.newest.seen_at <= known.told_at + GRACE_SECONDS


def period(known: ImageKnowledge | None, interval: float, *, listening: bool) -> float:
    """How often to ask, where the settings say `interval`; 0 is never.

    Told or not, it is never never: Harbor does not tell when an image gets another tag, and Quay
    ceases to tell without a word.
    """
    if not interval or not listening or not is_told(known):
        return interval
    return max(interval, min(interval * SLOWER, SLOWEST_SECONDS))


def first_wait(known: ImageKnowledge | None, every: float, *, now: float) -> float | None:
    """How long to wait at the start, where it is asked `every` so often; None is for ever.

    Nothing is asked anew that was asked within that time, or failed and is to be let alone.
    """
    if known is None or not known.asked_at:
        return 0.0
    if known.failures:
        again = float(backoff.CHECK_SECONDS[min(known.failures, len(backoff.CHECK_SECONDS)) - 1])
        every = min(every, again) if every else again
    elif known.newest is None and not known.problem:
        return 0.0
    if not every:
        return None
    return max(0.0, every - max(0.0, now - known.asked_at))
