"""A pull request for what podvisor wrote back to a branch of its own; a merge request at GitLab."""

import enum
from typing import Annotated

import msgspec

Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class PullState(enum.StrEnum):
    """How one stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"
    """Without a merge."""


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One, as its Git host knows it."""

    number: int
    """By which people know it, too."""
    url: str
    """Its page, as the Git host says."""
    state: PullState
    head: str
    """The branch that is to be merged; empty if that is of another repository."""
    to: str
    """The branch to merge it into."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What one is to say."""

    head: str
    to: str
    title: str
    body: str
    """Markdown."""


class ProposedPull(msgspec.Struct, frozen=True, kw_only=True):
    """The last one of a source; kept in the ledger."""

    target: str
    """Identifies the repository at its Git host."""
    number: int
    name: str
    """For people: `pull request #5`."""
    url: str
    """Of its page, fit to be shown; empty if that is not known."""
    state: PullState
    told: Proposal


class ProposalStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits to be merged, or was closed without that, for `podvisor status`."""

    name: str
    """`pull request #5`, or `branch podvisor-updates` where none is opened."""
    url: str = ""
    state: PullState = PullState.OPEN
