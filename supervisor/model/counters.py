"""What the daemon has done since it started, in numbers; and all that metrics are made of."""

import msgspec

from supervisor.model.certificate_status import CertificateStatus
from supervisor.model.status import Status


class PassCount(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Passes over keys of one kind."""

    ended: int = 0
    seconds: float = 0.0
    """How long they took, waits for others included."""
    retries: int = 0
    """Failures that are tried again by themselves; of each key."""
    stalls: int = 0
    """Failures that a person has to mend; of each key."""


class QueueLength(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keys in the queue now."""

    ready: int = 0
    running: int = 0
    held: int = 0
    """Until a burst is over."""
    later: int = 0
    """Due at a time to come."""


class ProcessUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the daemon's own process has taken."""

    user_seconds: float = 0.0
    """CPU time; without that of processes that it started."""
    system_seconds: float = 0.0
    child_user_seconds: float = 0.0
    """CPU time of processes that it started and that have ended."""
    child_system_seconds: float = 0.0
    waits: int = 0
    """Voluntary context switches: how often it went to sleep, and so was woken."""
    preemptions: int = 0
    """Involuntary ones."""
    resident_bytes: int = 0
    """Memory that is resident now, pages shared with other processes included."""
    open_files: int = 0


class NotifierCount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a notifier has done, and has to do."""

    sent: int = 0
    """Messages that its service took, tests included."""
    failed: int = 0
    """Tries to send one that failed."""
    waiting: int = 0
    """What it has yet to tell."""
    failing: bool = False
    """Whether it could not send the last time."""


class Counters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it; counts begin at 0 when the daemon starts."""

    passes: dict[str, PassCount] = {}
    """By the kind of their keys."""
    failing: dict[str, int] = {}
    """Keys that failed last, and how often in a row."""
    queue: QueueLength = QueueLength()
    events: dict[str, int] = {}
    """Entries of the event log, by code."""
    releases: dict[str, int] = {}
    """Releases whose trial is over: `good`, `failed` (taken back) or `cut` (something else came
    before)."""
    repairs: dict[str, int] = {}
    """What was started or put back because it was not as it had been left: `unit`, `files`."""
    pulls: dict[str, int] = {}
    """Pulls of images: `pulled`, `failed`."""
    notifiers: dict[str, NotifierCount] = {}
    """Of the settings, by name."""
    process: ProcessUsage = ProcessUsage()


class Metrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /v1/metrics`: all that metrics are made of, in one answer."""

    status: Status
    """As it was when the last passes ended: a scrape has nothing looked at anew."""
    certificates: tuple[CertificateStatus, ...] = ()
    """All of them."""
    counters: Counters = Counters()
