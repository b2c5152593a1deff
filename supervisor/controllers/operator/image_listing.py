"""How the images of apps stand: which version runs, which there is, what holds it back.

Serves `controllers.operator.images`.
"""

from collections.abc import Callable, Collection

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Ledger
from supervisor.core.status.image_status import Known, image_statuses
from supervisor.kit.clock import Clock
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.image_status import ImageStatus


class ImageListing(msgspec.Struct, frozen=True, kw_only=True):
    """Puts together what is asked of apps, what was tried of them, and what is known."""

    names: AppNames
    desired_state: DesiredState
    ledger: Ledger
    knowledge: Callable[[str], ImageKnowledge | None]
    """By the key of the question."""
    next_check_in: Callable[[str], float | None]
    """Seconds until a question is asked, by its key; None if nobody knows."""
    pull_error: Callable[[str], str]
    """As of `Known`."""
    clock: Clock

    async def of(self, apps: Collection[str] = ()) -> tuple[ImageStatus, ...]:
        """The images of these apps (all, if empty), those of one app together.

        Raises Stalled for an unknown app.
        """
        self.names.check(apps)
        everything = await self.desired_state.deployments()
        known = Known(
            knowledge=self.knowledge,
            order=lambda key: self.ledger.get(ImageOrder, key),
            next_check_at=self._next_check_at,
            pull_error=self.pull_error,
            settings=self.desired_state.settings.images,
        )
        applied = self.ledger.applied()
        return tuple(
            status
            for name, one in sorted(everything.items())
            if not apps or name in apps
            for status in image_statuses(
                one,
                self.ledger.rollouts(name),
                applied.get(name),
                known,
            )
        )

    def _next_check_at(self, question: str) -> float:
        seconds = self.next_check_in(question)
        return 0.0 if seconds is None else self.clock.now() + seconds
