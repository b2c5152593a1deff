"""What the daemon has done, counted as it happens: in memory, and at no cost while nothing does.

`controllers.operator.counters` tells of it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec

from supervisor.model.counters import PassCount
from supervisor.model.errors import Failure, Retry
from supervisor.model.events import Event, EventKind
from supervisor.model.plan import CutTrial, Quarantine, Step, WriteFile


class Tally(msgspec.Struct, frozen=True):
    """One for the daemon. Its keys come of the daemon's own words, never from outside."""

    events: Counter[str] = msgspec.field(default_factory=Counter)
    releases: Counter[str] = msgspec.field(default_factory=Counter)
    repairs: Counter[str] = msgspec.field(default_factory=Counter)
    pulls: Counter[str] = msgspec.field(default_factory=Counter)
    passes: dict[str, PassCount] = {}

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
        elif getattr(step, "repair", None):
            self.repairs["files" if isinstance(step, WriteFile) else "unit"] += 1

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
