"""What of a snapshot, and of a deployment, is news when it is another than before."""

from supervisor.model.app import Deployment
from supervisor.model.source import Snapshot


def says(one: Snapshot) -> tuple[object, ...]:
    """What a source says; not by which subject."""
    return (one.revision, one.findings, one.empty)


def asks(one: Deployment | None) -> tuple[object, ...] | None:
    """What a deployment asks; not what it is at, which a pass itself makes another."""
    if one is None:
        return None
    why = str(one.failure or "")
    return (
        one.wanted,
        one.wanted_revision,
        one.held,
        one.findings,
        one.refusal,
        one.keep,
        one.keep_reason,
        one.unknown,
        one.updates,
        one.ahead,
        why,
    )
