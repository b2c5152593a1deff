"""What `core.status.why` is told: of the event log no more than it takes, by the log's indexes."""

from collections.abc import Callable, Sequence

import msgspec

from supervisor.model.events import Event, EventKind, EventQuery, OwnCode
from supervisor.model.incident import Incident
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Hold, Outcome, Rollout, Scale, Suspension
from supervisor.model.status import AppStatus

_NEWEST = 400
"""Entries of the event log that are read: of an app or a unit, and of each kind of a source's."""
_OF_SOURCES = (
    EventKind.REVISION,
    EventKind.WEBHOOK,
    EventKind.ORDERED,
    EventKind.STARTED,
    OwnCode.STARTED_CRASHED,
    OwnCode.STARTED_POWER_LOST,
)
"""Codes."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one app."""

    app: str
    unit: str = ""
    """The one that is asked for; empty for the app."""
    running: bool = True
    """Whether a daemon says how it is now."""
    standing: AppStatus | None = None
    """How the daemon says that it stands."""
    incidents: tuple[Incident, ...] = ()
    """What is wrong with it; without a daemon, what was."""
    applied: AppliedApp | None = None
    rollouts: tuple[Rollout, ...] = ()
    """The newest last."""
    held: Hold | None = None
    suspensions: tuple[Suspension, ...] = ()
    scales: tuple[Scale, ...] = ()
    events: tuple[Event, ...] = ()
    """The newest of the app or the unit, in their order."""
    of_sources: tuple[Event, ...] = ()
    """The newest revisions, webhooks, orders and starts of the daemon, in their order."""

    @property
    def trial(self) -> Rollout | None:
        """The release that runs on trial, in place of the one that passed its gate last."""
        newest = self.rollouts[-1] if self.rollouts else None
        is_on = newest and newest.outcome is Outcome.TRIAL and not newest.ended_at
        is_good = newest and self.applied and newest.release == self.applied.release
        return newest if is_on and not is_good else None


def read_events(
    read: Callable[[EventQuery], list[Event]], app: str, unit: str
) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """Return what `Material` has of the event log."""
    own = read(EventQuery(app=app, unit=unit, limit=_NEWEST))
    if unit:
        own += read(EventQuery(app=app, limit=_NEWEST))
    others = [one for code in _OF_SOURCES for one in read(EventQuery(code=code, limit=_NEWEST))]
    return tuple(_in_order(own)), tuple(_in_order(others))


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Each of them once; those that are not written yet, which have no number, last."""
    numbered = {one.id: one for one in events if one.id}
    rest = [one for one in events if not one.id]
    return [*(numbered[number] for number in sorted(numbered)), *dict.fromkeys(rest)]
