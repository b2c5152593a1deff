"""How often a Git source is polled: seldom while webhooks tell of what is pushed.

A `Trust` is what is thought of a source's webhooks. Moments are of a clock that only goes forward:
nothing here can be misled by one that is set.
"""

import enum
import math

import msgspec

SLOWER = 12
SLOWEST_SECONDS = 3_600.0
GRACE_SECONDS = 60.0
"""A poll may come between a push and its webhook; one that comes so soon after was only slower."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whether webhooks of a source are relied on."""

    works: bool = False
    """A webhook told of the newest change that was found."""
    missed_at: float = -math.inf
    """When a poll found a change of which none had told, while they were relied on."""


class Told(enum.IntEnum):
    """Whether webhooks had told of a source since it was last read."""

    NOTHING = 0
    AGAIN = 1
    """Only such as had been there before: whoever has recorded one can send it again."""
    NEWS = 2


def after_read(trust: Trust, *, changed: bool, told: Told, listened: bool, now: float) -> Trust:
    """What is thought once the source was read without an error.

    `changed`: it says something new. `listened`: a webhook that was sent since the read before
    would have been heard.
    """
    if not changed or told is Told.AGAIN:
        return trust
    if told is Told.NEWS:
        return Trust(works=True)
    if trust.works and listened:
        return Trust(works=False, missed_at=now)
    return trust


def after_webhook(trust: Trust, *, now: float) -> Trust:
    """What is thought once a webhook came that was not there before."""
    if not trust.works and now - trust.missed_at <= GRACE_SECONDS:
        return Trust(works=True)
    return trust


def poll_seconds(poll: float, trust: Trust, *, listening: bool) -> float:
    """How often to ask, where the settings say `poll`; 0 is never."""
    if not poll or not trust.works or not listening:
        return poll
    return max(poll, min(poll * SLOWER, SLOWEST_SECONDS))
