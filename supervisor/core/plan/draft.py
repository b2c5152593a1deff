"""What grows while one app is planned: shared by the parts of the planner."""

from collections.abc import Collection, Iterable

import msgspec

from supervisor.core.health import crash_backoff
from supervisor.model.errors import Finding
from supervisor.model.need import Need
from supervisor.model.observed import RepairState, UnitInputs
from supervisor.model.plan import RestartUnit, StartUnit, Step, StopUnit, Verdict


class Draft(msgspec.Struct, kw_only=True):
    """Steps and remarks for one app, in the order in which they were thought of."""

    app: str
    steps: list[Step] = []
    waiting: list[Need] = []
    findings: list[Finding] = []
    adopt: dict[str, UnitInputs] = {}
    next_at: float = 0.0
    afterwards: list[Step] = []
    """What is left of the way to what is wanted, once all that comes first is done."""

    @property
    def touched(self) -> frozenset[str]:
        """Units that are about to be started or stopped."""
        return frozenset(
            step.unit for step in self.steps if isinstance(step, StartUnit | RestartUnit | StopUnit)
        )

    def look_again(self, at: float) -> None:
        """Have the app planned again at `at` (or at an earlier wish)."""
        self.next_at = min(self.next_at or at, at)

    def repair(self, memory: RepairState, now: float) -> RepairState | None:
        """Return the memory after a repair now; None, and a later look, if it is too early."""
        due = crash_backoff.due_at(memory, now)
        if due > now:
            self.look_again(due)
            return None
        return crash_backoff.after_try(memory, now)

    def leave(self, attempt: "Draft") -> None:
        """Keep in mind what of the way to what is wanted is to wait for the steps here."""
        here = set(map(id, self.steps))
        left = (one for one in attempt.steps if id(one) not in here)
        self.afterwards = sorted(left, key=lambda step: step.phase)

    def extend(self, other: "Draft") -> None:
        """Take over everything of another draft of the same app."""
        self.steps.extend(other.steps)
        self.waiting.extend(other.waiting)
        self.findings.extend(other.findings)
        self.adopt.update(other.adopt)
        if other.next_at:
            self.look_again(other.next_at)

    def verdict(self, *, revision: str, complete: bool) -> Verdict:
        return Verdict(
            app=self.app,
            revision=revision,
            complete=complete,
            waiting=tuple(self.waiting),
            next_at=self.next_at,
            findings=tuple(self.findings),
            adopt=self.adopt,
            afterwards=tuple(self.afterwards),
        )


def without_starts(steps: Iterable[Step], units: Collection[str]) -> list[Step]:
    """Return the steps but for those that start one of these units."""
    return [
        step
        for step in steps
        if not (isinstance(step, StartUnit | RestartUnit) and step.unit in units)
    ]


class FileChanges(msgspec.Struct, frozen=True):
    """What `plan_files` found, for units that read files."""

    written: frozenset[str]
    """Paths that this pass writes."""
    drifted: frozenset[str]
    """Of those, what somebody else changed."""
