"""What settings mean for the apps that there are: what fits none of them, and which they leave out.

Serves `controllers.operator.reload` and `status`.
"""

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.model.errors import Finding
from supervisor.model.settings import Settings


def unfitting(desired_state: DesiredState, settings: Settings) -> tuple[Finding, ...]:
    """Say which apps and images these settings name that are not there, once all are known."""
    images = settings.images
    if not (images.by_app or images.by_image or settings.health.idle_interval_by_app):
        return ()
    apps = desired_state.latest()
    unread = settings.sources.keys() - desired_state.compositions.keys()
    if unread or any(one.failure or not one.apps for one in apps.values()):
        return ()
    from supervisor.core.status import unfitting_settings  # noqa: PLC0415

    rules = {unit.image_rule for one in apps.values() for unit in one.units if unit.image_rule}
    followed = {rule.question.image for rule in rules.union(*desired_state.images.rules.values())}
    return tuple(unfitting_settings.unfitting(settings, apps=apps, images=followed))


async def outlook(desired_state: DesiredState, settings: Settings) -> tuple[Finding, ...]:
    """Say of settings that are to be taken up which apps they leave out, and what fits nothing.

    Raises what keeps it from being worked out.
    """
    return (*await desired_state.leaving(settings), *unfitting(desired_state, settings))
