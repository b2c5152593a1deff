"""What the daemon has done, counted as it happens: in memory, and at no cost while nothing does.

`controllers.operator.counters` tells of it.
"""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec

from supervisor.kit import own_usage
from supervisor.model.counters import PassCount
from supervisor.model.errors import Failure, Retry
from supervisor.model.events import Event, EventKind
from supervisor.model.machine import Sample
from supervisor.model.plan import CutTrial, Quarantine, Step, WriteFile

_SAMPLES = 288
"""A day of them, where systemd wants a sign of life each ten minutes."""


class Tally(msgspec.Struct, frozen=True):
    """One for the daemon. Its keys come of the daemon's own words, never from outside."""

    events: Counter[str] = msgspec.field(default_factory=Counter)
    releases: Counter[str] = msgspec.field(default_factory=Counter)
    repairs: Counter[str] = msgspec.field(default_factory=Counter)
    pulls: Counter[str] = msgspec.field(default_factory=Counter)
    passes: dict[str, PassCount] = {}
    samples: deque[Sample] = msgspec.field(default_factory=lambda: deque(maxlen=_SAMPLES))
    """What this process had taken, each time that it had to wake anyway."""

    def event(self, event: Event) -> None:
        """Count an entry of the event log."""
        self.events[event.code] += 1
        if event.kind is EventKind.APPLIED:
            self.releases["good"] += 1

    @contextmanager
    def step(self, step: Step, within: AbstractContextManager[None]) -> Iterator[None]:
        """Count what is done with a step, if that goes well as far as systemd's jobs go."""
        with within:
            yield
        if isinstance(step, Quarantine):
            self.releases["failed"] += 1
        elif isinstance(step, CutTrial):
            self.releases["cut"] += 1
        elif (repair := getattr(step, "repair", None)) and repair.failures:
            self.repairs["files" if isinstance(step, WriteFile) else "unit"] += 1

    def sample(self, now: float) -> None:
        """Keep what it has taken so far."""
        self.samples.append(self.sample_now(now))

    @staticmethod
    def sample_now(now: float) -> Sample:
        """Return what it has taken so far."""
        user, system, waits, _ = own_usage.rusage()
        return Sample(at=now, cpu_seconds=user + system, waits=waits)

    def pulled(self, *, ok: bool) -> None:
        """Count a pull that has ended."""
        self.pulls["pulled" if ok else "failed"] += 1

    def ended(self, kind: str, *, seconds: float) -> None:
        """Count a pass that has ended."""
        count = self._of(kind)
        count.ended += 1
        count.seconds += seconds

    def failed(self, kind: str, failure: Failure) -> None:
        """Count a key that failed."""
        count = self._of(kind)
        if isinstance(failure, Retry):
            count.retries += 1
        else:
            count.stalls += 1

    def _of(self, kind: str) -> PassCount:
        return self.passes.setdefault(kind, PassCount())
