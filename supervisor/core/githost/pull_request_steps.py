"""What is to be done about a source's pull request, by how the last one stands."""

import enum

from supervisor.model.pull_request import Proposal, ProposedPull, PullRequest, PullState


class PullStep(enum.Enum):
    """One at a time."""

    NOTHING = enum.auto()
    OPEN = enum.auto()
    """A new one."""
    EDIT = enum.auto()
    CLOSE = enum.auto()
    """There is nothing to merge any more."""


def next_step(
    wanted: Proposal | None, last: ProposedPull | None, seen: PullRequest | None
) -> PullStep:
    """Return what is to be done next.

    `last` is what is remembered, `seen` how that one stands, or another one that is open between
    the same branches. One that is not open any more is followed by another only for something else:
    who closes one without a merge, or removes it, does not want to be asked again.
    """
    told = last.told if last else None
    if seen and seen.state is PullState.OPEN:
        if wanted is None:
            return PullStep.CLOSE
        is_new = last is None or last.number != seen.number
        return PullStep.EDIT if is_new or told != wanted else PullStep.NOTHING
    return PullStep.NOTHING if wanted in (None, told) else PullStep.OPEN
