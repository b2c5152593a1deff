"""The event log's entries: what happened, to what, and why."""

import enum
from math import isfinite
from typing import TypedDict

import msgspec

from supervisor.model.wire import Moment, Name, Number, PageSize


class EventKind(enum.StrEnum):
    """Kinds of entries. Each step of a plan is logged as `step`, its outcome in `ok`."""

    STARTED = "started"
    """The daemon started."""
    STOPPED = "stopped"
    SETTINGS = "settings"
    """Settings were read anew (or refused)."""
    REVISION = "revision"
    """A source has a new revision."""
    SOURCE = "source"
    """A source could not be read, or can be again."""
    STEP = "step"
    APPLIED = "applied"
    """An app stands at a revision, all its steps done."""
    REMOVED = "removed"
    """An app is gone, all its steps done."""
    REVERTED = "reverted"
    """A revision failed its gate, and was taken back."""
    HELD = "held"
    """A person rolled an app back, and has it stay there."""
    RESTORING = "restoring"
    """A person has the volumes of an app put back to what they held once."""
    PINNED = "pinned"
    """A person had an image of an app stay at a version."""
    SCALED = "scaled"
    """A person ordered another number of replicas than a unit's file says."""
    SUSPENDED = "suspended"
    """A person had an app left alone."""
    ORDERED = "ordered"
    """A person ordered something that no other entry tells of: a sync, newer images, a renewal."""
    RESUMED = "resumed"
    """What was held, pinned, scaled, suspended, kept waiting or in quarantine goes on."""
    REFUSED = "refused"
    """Something in a source was refused; the last good state keeps running."""
    WAITING = "waiting"
    """A unit crash-loops, an image cannot be had: with the time of the next try."""
    FAILED = "failed"
    """What a timer, a socket, a path or a person starts has failed."""
    IMAGE = "image"
    """There is another version of an image, or that could not be found out."""
    CERTIFICATE = "certificate"
    """A certificate was issued, installed or seen to be served, or was not."""
    PULL_REQUEST = "pull-request"
    """A pull request for what was written back was opened, brought up to date, merged or closed."""
    HEALTH = "health"
    """A unit became unhealthy, or healthy again."""
    RECOVERED = "recovered"
    """What was refused, failing or waiting is well again."""
    WEBHOOK = "webhook"
    """A Git host told of a push, somebody was refused, or the listener opened or could not."""
    WATCH = "watch"
    """Something is watched in another way than before."""
    ERROR = "error"
    """podvisor itself could not do something (a full disk, a lost bus)."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry."""

    id: int = 0
    """Ascending, given by the ledger; 0 before it is written."""
    time: float = 0.0
    """Seconds since the epoch; given by the ledger to one that has none."""
    kind: EventKind
    ok: bool = True
    code: str = ""
    """Stable, for scripts and filters (see `code_of`); given by the ledger."""
    app: str = ""
    unit: str = ""
    source: str = ""
    revision: str = ""
    step: str = ""
    """Tag of the step (`start`, `write` …) for kind `step`."""
    subject: str = ""
    """What the step was about, where that is not a unit: file, image, network, volume."""
    reason: str = ""
    detail: str = ""
    """The error's text, or what else helps."""
    author: str = ""
    """Author of the commit that a source or an app came to, as it says itself; nobody vouches for
    it. Empty for all else, also where only an image is another one."""
    by: str = ""
    """Who ordered it: a user of this machine, or `NAME (page)`, `NAME (API)`; empty where nobody
    did."""
    unchanged_at: float = 0.0
    """Of a source's new revision: when the last read began that found it as before, in seconds
    since the epoch. 0 if there was none since the daemon's start."""


_BAD_BY_NAME = frozenset(
    (EventKind.REFUSED, EventKind.REVERTED, EventKind.WAITING, EventKind.FAILED, EventKind.ERROR)
)


class OwnCode(enum.StrEnum):
    """Codes that do not follow from an entry's kind."""

    STARTED_CRASHED = "started-crashed"
    """The daemon started after the one before was killed, or ended by an error of its own."""
    STARTED_POWER_LOST = "started-power-lost"
    """The daemon started after the machine went down without shutting down."""
    DISK_NEARLY_FULL = "disk-nearly-full"
    DISK_FREE_AGAIN = "disk-free-again"


def code_of(kind: EventKind, step: str, *, ok: bool) -> str:
    """Return the code of an entry: its kind, of a step also which, and whether it failed."""
    what = f"{kind}-{step}" if kind is EventKind.STEP else str(kind)
    return what if ok or kind in _BAD_BY_NAME else f"{what}-failed"


class EventFields(TypedDict, total=False):
    """What may be said of an entry besides its kind; fields of `Event`."""

    ok: bool
    code: str
    app: str
    unit: str
    source: str
    revision: str
    step: str
    subject: str
    reason: str
    detail: str
    author: str
    by: str
    unchanged_at: float


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/events`: which entries, in ascending order."""

    after_id: Number | None = None
    """Only those after this one; all, if the log is not that far (it was lost or put back)."""
    before_id: Number | None = None
    """Only those before this one."""
    since: Moment = 0.0
    """Only those since this moment, in seconds since 1970."""
    until: Moment | None = None
    """Only those before this moment, in seconds since 1970."""
    app: Name | None = None
    unit: Name | None = None
    code: Name | None = None
    failed: bool = False
    """Only those of something that failed, or that are bad news otherwise."""
    limit: PageSize = 0
    """So many at most: the first ones after `after_id`, or else the newest; 0 is all."""
    follow: bool = False
    """And those to come; of those that there are, `limit` keeps the newest."""

    def __post_init__(self) -> None:
        if not (isfinite(self.since) and isfinite(self.until or 0.0)):
            raise ValueError("`since` or `until` is no moment")

    @property
    def goes_forward(self) -> bool:
        """Whether `limit` keeps the oldest that fit, rather than the newest."""
        return self.after_id is not None and not self.follow

    def fits(self, event: Event) -> bool:
        """Whether an entry is one of those that are asked for, but for `after_id` and `limit`."""
        asked = (self.app, event.app), (self.unit, event.unit), (self.code, event.code)
        return (
            all(not wish or wish == has for wish, has in asked)
            and event.time >= self.since
            and (self.until is None or event.time < self.until)
            and (self.before_id is None or event.id < self.before_id)
            and not (self.failed and event.ok)
        )


EVERYTHING = EventQuery()
