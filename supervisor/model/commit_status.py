"""What a Git host is told of one revision of a source."""

import enum

import msgspec


class CommitState(enum.StrEnum):
    """The three words that all Git hosts have."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


class CommitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one revision of a source."""

    revision: str
    state: CommitState
    description: str


class ReportedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What was told last of a source, whom, and when; kept in the ledger."""

    status: CommitStatus
    target: str
    at: float
    """Seconds since the epoch."""
