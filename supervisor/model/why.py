"""Why an app or a unit is as it is: the chain of causes, in sentences."""

import enum

import msgspec

from supervisor.model.wire import Name


class WhyQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/why`."""

    name: Name
    """An app, a unit of one (`.service` may be left out), or both: `shop/web.service`."""


class FactKind(enum.StrEnum):
    """What a fact is about."""

    RELEASE = "release"
    """Which release runs."""
    NEWER = "newer"
    """A newer one that is on trial, is refused, or was taken back."""
    ORDER = "order"
    """What a person ordered."""
    UNIT = "unit"
    """What was done to a unit last."""
    STATE = "state"
    """How it is now."""


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a fact comes of, or the cause before."""

    text: str
    at: float = 0.0
    """Seconds since the epoch; 0 if that is not known."""
    event: int = 0
    """Number of the entry of the event log that tells of it; 0 if none does, or not any more."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is so, in a sentence, and why."""

    about: FactKind
    text: str
    at: float = 0.0
    """Since when it is so; seconds since the epoch, 0 if that is not known."""
    command: str = ""
    """What to type next."""
    causes: tuple[Cause, ...] = ()
    """Each is the reason of the one before; the first, of the fact."""


class Why(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /v1/why`: why an app or a unit is as it is."""

    app: str
    unit: str = ""
    """Empty if it is the app that was asked for."""
    running: bool
    """Whether a daemon says how it is now, or the ledger how it was last."""
    facts: tuple[Fact, ...]
    """What runs, what was ordered and done since, and last how it is now."""
