"""What an update of images would come to: the registries are asked, and nothing is done.

Serves `controllers.operator.images`.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.asking import Asking
from supervisor.controllers.images.memory import seen
from supervisor.core.images.choose import Choice
from supervisor.kit.clock import Clock
from supervisor.model.errors import Failure
from supervisor.model.image import ImageKnowledge, ImageOrder, ImageVersion
from supervisor.model.image_status import ImageStatus
from supervisor.model.observed import Manifest


class ImageForecast(msgspec.Struct, frozen=True, kw_only=True):
    """Asks, and has chosen what would be, without a word to the daemon."""

    asking: Asking
    desired_state: DesiredState
    clock: Clock

    async def update(self, images: Sequence[ImageStatus], *, now: bool) -> tuple[ImageStatus, ...]:
        """Return how these images would stand if they were updated; `now` as of `UpdateRequest`."""
        known = {one.known.question.key: one.known for one in images if one.known}
        fresh: dict[str, ImageKnowledge] = {}

        async def ask(one: ImageKnowledge) -> None:
            fresh[one.question.key] = await self._ask(one)

        async with anyio.create_task_group() as tasks:
            for one in known.values():
                tasks.start_soon(ask, one)
        manifests = await self.desired_state.folder.manifests()
        choices = {
            app: self._choices(app, manifests.get(app), images, fresh, now=now)
            for app in {one.app for one in images}
        }
        return tuple(_foreseen(one, fresh, choices[one.app]) for one in images)

    async def _ask(self, known: ImageKnowledge) -> ImageKnowledge:
        """Return what is known with the answer of now, or why there is none."""
        at, told_at = self.clock.now(), anyio.current_time()
        try:
            await self.asking.book_patiently(known.question)
            answer = await self.asking.ask(
                known.question, told_at=told_at, known=known.newest, along=()
            )
        except Failure as failure:
            return replace(known, problem=str(failure), hint=failure.hint)
        newest = seen(answer.version, known.newest, at) if answer.version else known.newest
        return replace(
            known,
            newest=newest,
            asked_at=at,
            answered_at=at,
            problem=answer.problem,
            hint=answer.hint,
        )

    def _choices(
        self,
        app: str,
        manifest: Manifest | None,
        images: Sequence[ImageStatus],
        fresh: Mapping[str, ImageKnowledge],
        *,
        now: bool,
    ) -> tuple[Choice, Choice] | None:
        """Return what would be chosen for an app by itself, and as it is ordered (`now`).

        None for an app that asks nothing.
        """
        foresee = partial(self.desired_state.images.foresee, app, manifest, fresh)
        by_itself = foresee({})
        mine = [one for one in images if one.app == app]
        ordered = foresee(_orders(mine, fresh)) if now else by_itself
        return (by_itself, ordered) if by_itself and ordered else None


def _foreseen(
    image: ImageStatus, fresh: Mapping[str, ImageKnowledge], choices: tuple[Choice, Choice] | None
) -> ImageStatus:
    """Say how an image would stand with what is known now, and what `_choices` returned of it."""
    if choices is None:
        return image
    by_itself, ordered = choices
    question = image.known.question.key if image.known else ""
    held = {one.question: one for one in ordered.updates}.get(question)
    passes = {one.question: one.why for one in by_itself.updates}.get(question, "")
    moves_to = _chosen(ordered, question)
    if image.running and moves_to and moves_to.runs == image.running.runs:
        moves_to = None
    return replace(
        image,
        known=fresh.get(question, image.known),
        held=held,
        moves_to=moves_to,
        passes=passes if moves_to else "",
    )


def _orders(
    images: Sequence[ImageStatus], fresh: Mapping[str, ImageKnowledge]
) -> dict[str, ImageOrder]:
    """Return the orders to run the newest versions of some images of an app now."""
    orders = {}
    for one in images:
        key = one.known.question.key if one.known else ""
        newest = fresh[key].newest if key in fresh else None
        if newest:
            orders[key] = ImageOrder(
                app=one.app, question=key, pinned=one.pinned, now=newest.runs, at=0.0
            )
    return orders


def _chosen(choice: Choice, question: str) -> ImageVersion | None:
    """Return the version that was chosen as the answer to a question."""
    found = (pin for pin in choice.pins if pin.question == question)
    return next((ImageVersion(runs=pin.runs, tag=pin.tag) for pin in found), None)
