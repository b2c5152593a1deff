"""Which commit an app stands at, and which one is asked for: what its status says of them."""

from msgspec.structs import replace

from supervisor.model.app import Deployment
from supervisor.model.observed import AppliedApp
from supervisor.model.source import AppRevision
from supervisor.model.status import AppStatus


def standing(status: AppStatus, at: AppRevision | AppliedApp | None) -> AppStatus:
    """Return the status of an app that stands at this; as it is, where that is not known."""
    if at is None:
        return status
    return replace(status, revision=at.revision, subject=at.subject, author=at.author)


def asking(status: AppStatus, deployment: Deployment) -> AppStatus:
    """Return the status of an app with what its source asks for now."""
    asked = deployment.asked
    other = asked if asked and asked.revision != status.revision else None
    return replace(
        status,
        wanted_revision=deployment.wanted_revision,
        wanted_subject=other.subject if other else "",
        wanted_author=other.author if other else "",
    )
