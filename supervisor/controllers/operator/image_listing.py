"""How the images of apps stand: which version runs, which there is, what holds it back.

Serves `controllers.operator.images`.
"""

from collections.abc import Collection

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Ledger
from supervisor.core.images.words import is_called, short_name
from supervisor.core.status.image_status import Known, image_statuses
from supervisor.kit.clock import Clock
from supervisor.kit.texts import meant
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Stalled
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.image_status import ImageList, ImageStatus

_CHECK = "image-check"


class ImageListing(msgspec.Struct, frozen=True, kw_only=True):
    """Puts together what the desired state, the ledger and the queue know of images."""

    names: AppNames
    desired_state: DesiredState
    ledger: Ledger
    queue: WorkQueue
    clock: Clock

    async def list(self, app: str = "") -> ImageList:
        """The images of all apps, or of one. Raises Stalled for an unknown app."""
        if app:
            self.names.check([app])
        return ImageList(running=True, images=await self.of([app] if app else ()))

    async def of(self, apps: Collection[str] = ()) -> tuple[ImageStatus, ...]:
        """The images of these apps (all, if empty), those of one app together."""
        everything = await self.desired_state.deployments()
        known = Known(knowledge=self.ledger.all(ImageKnowledge), orders=self.ledger.all(ImageOrder))
        now = self.clock.now()
        dues = {key: self.queue.due_in(f"{_CHECK}:{key}") for key in known.knowledge}
        checks = {key: now + due for key, due in dues.items() if due is not None}
        applied = self.ledger.applied()
        return tuple(
            status
            for name, one in sorted(everything.items())
            if not apps or name in apps
            for status in image_statuses(
                one,
                self.ledger.rollouts(name),
                applied[name].release if name in applied else "",
                known,
                next_check_at=checks,
            )
        )

    async def named(self, name: str) -> tuple[ImageStatus, ...]:
        """The images of an app, or those that are called so; all, if it is empty.

        Of those that are followed. Raises Stalled if there is none.
        """
        images = await self.of()
        followed = [one for one in images if one.known]
        found = [one for one in followed if name in ("", one.app) or is_called(one.image, name)]
        if found:
            return tuple(found)
        if not name or any(name == one.app or is_called(one.image, name) for one in images):
            raise not_followed(name)
        names = {one.app for one in images} | {short_name(one.image) for one in images}
        hint = meant(name, names, "podvisor images lists them all")
        raise Stalled(f"no app and no image named “{name}”", hint=hint)


def not_followed(name: str) -> Stalled:
    """Say that nobody asks for newer versions of what is called so."""
    return Stalled(
        f"newer versions of {name or 'images'} are not asked for: no unit says AutoUpdate= or"
        " ImagePolicy=",
        hint="AutoUpdate=registry in the .container file has its tag followed",
    )
