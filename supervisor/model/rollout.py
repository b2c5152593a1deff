"""Releases of an app that were tried here, and what people ordered: holds, suspensions, scales."""

import enum

import msgspec

from supervisor.kit.texts import short_id
from supervisor.model.image import Pin
from supervisor.model.source import AppRevision


class Outcome(enum.StrEnum):
    """What came of a revision."""

    TRIAL = "trial"
    """It is being tried, or something newer came before its gate had decided."""
    GOOD = "good"
    """It passed its gate: it is a way back."""
    FAILED = "failed"
    """It failed its gate and was taken back: in quarantine."""


class Rollout(AppRevision, frozen=True, kw_only=True, omit_defaults=True):
    """One release of an app that was tried on this machine: its content, and what ran it."""

    release: str
    """Its id, of `content` and `images`."""
    images: dict[str, str] = msgspec.field(default_factory=dict)
    """Images that its units run with: reference to Podman's id, as far as that is known. Those that
    it builds come of its content."""
    by: str = ""
    """Who ordered that it be tried (last): rolled back to it, pinned or updated an image, had it
    tried again. As of `Event`; empty where it came of itself."""
    began_at: float
    """When it was installed (last); seconds since the epoch."""
    ended_at: float = 0.0
    """When its gate decided, or something else cut its trial short; 0 while neither has."""
    outcome: Outcome = Outcome.TRIAL
    was_good: bool = False
    """Whether it passed its gate before: a trial that is cut short takes nothing from that."""
    superseded: bool = False
    """Whether what cut its trial short was something newer, which came of itself."""
    reason: str = ""
    """Why it failed."""
    log: tuple[str, ...] = ()
    """The last lines of what failed, where `reason` ends with them."""
    blamed: tuple[Pin, ...] = ()
    """If it failed, and differs from the last good one in versions of images alone: those of what
    failed, or all, where what failed runs none of them."""
    down_before: tuple[str, ...] = ()
    """Units that were down before it came, and that it does not change."""
    ignored_units: tuple[str, ...] = ()
    """Those of them that the last good release has as well: not its fault."""

    @property
    def order(self) -> tuple[float, str]:
        """Where it stands in the history of its app; an order also of those of one moment."""
        return self.began_at, self.release


class GateState(enum.StrEnum):
    """What the gate says of a revision on trial."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class Gate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The gate's word, and why."""

    state: GateState
    reason: str = ""
    unit: str = ""
    """That failed, by its runtime name, where it is one of the app's own."""
    log: tuple[str, ...] = ()
    """As of `Rollout`."""
    is_failing: bool = False
    """It would have failed, were there a way back."""
    look_at: float = 0.0
    """When it may say more by the time alone, seconds since the epoch; for one that is pending.
    0 if that takes something that is told of, as the change of a unit's state."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person rolled an app back: it stays there until resumed, or until something newer comes."""

    app: str
    release: str
    """That it is held at."""
    revision: str
    """Of that release."""
    images: str = ""
    """What it runs, in words, where it differs from what was asked for then in that alone."""
    instead_of: str
    """Revision that the source asked for then."""
    base: str = ""
    """Of the app at that revision; another one ends the hold."""
    passed: tuple[str, ...] = ()
    """Releases that came after it: going back once more passes them over."""
    at: float
    by: str = ""
    """Who ordered it, as of `Event`."""

    @property
    def held_at(self) -> str:
        """What it is held at, in words."""
        return self.images or short_id(self.revision)


class Suspension(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person had podvisor leave an app (or all) alone: looked at, but not touched."""

    app: str = ""
    """Empty for all apps."""
    at: float
    until: float = 0.0
    """Seconds since the epoch; 0 is "until resumed"."""
    reason: str = ""
    by: str = ""
    """Who ordered it, as of `Event`."""


class Scale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person ordered another number of replicas than the unit's file says."""

    app: str
    unit: str
    """The template: `web@.service`."""
    replicas: int
    instead_of: int
    """What its file said then (Replicas=); a release that says something else ends the order."""
    at: float
    reason: str = ""
    by: str = ""
    """Who ordered it, as of `Event`."""

    @property
    def key(self) -> str:
        """Return the key under which the ledger keeps it."""
        return f"{self.app} {self.unit}"
