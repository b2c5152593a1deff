"""What came of a pass over apps, for the loop: for all of them together, and for each."""

import msgspec

from supervisor.model.errors import Failure


class AppPass(msgspec.Struct, kw_only=True):
    """What came of a pass for some of its apps, for the loop."""

    apps: tuple[str, ...]
    failures: dict[str, Failure] = {}
    """App to why its pass was cut short."""
    requeue_at: dict[str, float] = {}
    """App to when it wants to be looked at again, seconds since the epoch."""
    sources_changed: frozenset[str] = frozenset()
    """Sources of which something else is applied now."""
    releases_changed: bool = False
    """Whether something else is applied now of any of them."""
    requeue_now: tuple[str, ...] = ()
    """Apps to look at again at once: they come after one that is not as it was, their jobs have
    ended, or what they need is back."""


class AppEnd(msgspec.Struct, kw_only=True):
    """What came of a pass for one app."""

    failure: Failure | None = None
    again: list[float] = []
    """When to look at it again, seconds since the epoch."""
    requeue_now: set[str] = set()
    changed: bool = False
    """Whether its state or revision is another one than before."""
