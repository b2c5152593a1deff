"""What grows while one app is planned: shared by the parts of the planner."""

import msgspec

from supervisor.model.errors import Finding
from supervisor.model.observed import UnitInputs
from supervisor.model.plan import Step, Verdict


class Draft(msgspec.Struct, kw_only=True):
    """Steps and remarks for one app, in the order in which they were thought of."""

    app: str
    steps: list[Step] = []
    waiting: list[str] = []
    after: list[str] = []
    findings: list[Finding] = []
    adopt: dict[str, UnitInputs] = {}
    next_at: float = 0.0
    postponed: str = ""
    """What keeps it from being as it should, though no step does anything about it yet."""

    def look_again(self, at: float) -> None:
        """Have the app planned again at `at` (or at an earlier wish)."""
        self.next_at = min(self.next_at or at, at)

    def extend(self, other: "Draft") -> None:
        """Take over everything of another draft of the same app."""
        self.steps.extend(other.steps)
        self.waiting.extend(other.waiting)
        self.findings.extend(other.findings)
        self.adopt.update(other.adopt)
        self.postponed = self.postponed or other.postponed
        if other.next_at:
            self.look_again(other.next_at)

    def verdict(self, *, revision: str, complete: bool) -> Verdict:
        return Verdict(
            app=self.app,
            revision=revision,
            complete=complete,
            waiting=tuple(self.waiting),
            after=tuple(self.after),
            postponed=self.postponed,
            next_at=self.next_at,
            findings=tuple(self.findings),
            adopt=self.adopt,
        )


class FileChanges(msgspec.Struct, frozen=True):
    """What `plan_files` found, for units that read files."""

    written: frozenset[str]
    """Paths that this pass writes."""
    drifted: frozenset[str]
    """Of those, what somebody else changed."""
