"""What people ask about images, and order of them: ask now, run it now, stay at a version, go on.

Part of `controllers.operator.service`. Each order is written down, said in the event log, and ends
with what comes of it.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.schedule import CheckSchedule
from supervisor.controllers.operator.event_log import Say
from supervisor.controllers.operator.image_forecast import ImageForecast
from supervisor.controllers.operator.image_listing import ImageListing
from supervisor.controllers.operator.image_versions import ImageVersions
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.ports import Ledger, Podman
from supervisor.core.images.concerns import host_of
from supervisor.core.images.trust import asked_signatures
from supervisor.core.images.words import short_name, version_in_words
from supervisor.core.status.images_meant import images_and_version, images_called, no_image
from supervisor.kit.clock import Clock
from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.kit.texts import with_why
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageOrder, ImageVersion, order_key
from supervisor.model.image_status import (
    ImageList,
    ImageStatus,
    PinRequest,
    SignatureList,
    UpdateRequest,
)


class ImageService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon. Orders are for images that are followed, and return how these stand.

    They raise Stalled for what cannot be ordered.
    """

    listing: ImageListing
    versions: ImageVersions
    schedule: CheckSchedule
    forecast: ImageForecast
    syncs: SyncService
    desired_state: DesiredState
    podman: Podman
    ledger: Ledger
    clock: Clock

    async def list(self, app: str) -> ImageList:
        """The images of all apps, or of one. Raises Stalled for an unknown app."""
        return ImageList(running=True, images=await self.listing.of([app] if app else ()))

    async def signatures(self) -> SignatureList:
        """Which images of apps somebody has to have signed. Raises Retry."""
        everything = await self.desired_state.deployments()
        rules = await self.podman.registry_rules()
        return SignatureList(images=tuple(asked_signatures(everything.values(), rules)))

    async def update(self, request: UpdateRequest, say: Say) -> tuple[ImageStatus, ...]:
        """Ask for newer versions now, and bring the apps to what may be run.

        In a dry run, only return how the images would stand then.
        """
        is_early = self.listing.names.is_early
        chosen = images_called(await self.listing.of(), request.name, is_early=is_early)
        if request.dry_run:
            if request.now:
                self._insist(chosen)
            return await self.forecast.update(chosen, now=request.now)
        for app in sorted({one.app for one in chosen}):
            self.ledger.log(EventKind.ORDERED, app=app, subject="update", reason=request.reason)
        for why, image in self._insist(chosen).items() if request.now else ():
            self._log(EventKind.RESUMED, image, why, request.reason)
        await self.schedule.ask({one.known.question.key for one in chosen if one.known})
        if request.now:
            for one in await self._again(chosen):
                self._let_go(one, request.reason)
        return await self._bring_on(chosen, say)

    def _insist(self, images: Iterable[ImageStatus]) -> Mapping[str, ImageStatus]:
        """Have registries asked that want to be let alone; returns what is to be said of whose."""
        by_host = {
            host_of(one.known.question): one
            for one in images
            if one.known and not one.known.question.is_local
        }
        wants = self.versions.asking.insist(
            one.known.question for one in by_host.values() if one.known
        )
        return {
            f"{host} is asked at once, as a person says, though {want}": by_host[host]
            for host, want in wants.items()
        }

    def _let_go(self, image: ImageStatus, reason: str) -> None:
        """Let the newest version wait no longer, if it only comes too early, and say so."""
        newest = image.newer
        if newest is None or image.held is None or not image.held.early:
            return
        self._order(image, now=newest.runs, reason=reason)
        why = f"{_named(image, newest)} waits no longer, as a person says: {image.held.why}"
        self._log(EventKind.RESUMED, image, why, reason)

    async def pin(self, request: PinRequest, say: Say) -> tuple[ImageStatus, ...]:
        """Have images of an app stay at a version."""
        images = await self.listing.of([request.app])
        chosen, wish = images_and_version(request.app, images, request.words)
        versions = [await self.versions.meant(one, wish) for one in chosen]
        for one, version in zip(chosen, versions, strict=True):
            self._order(one, pinned=version, reason=request.reason)
            why = f"a person has it stay at {_named(one, version)}"
            self._log(EventKind.PINNED, one, why, request.reason)
        return await self._bring_on(chosen, say)

    async def unpin(self, request: PinRequest, say: Say) -> tuple[ImageStatus, ...]:
        """Have images of an app follow what is newer again."""
        images = await self.listing.of([request.app])
        chosen, wish = images_and_version(request.app, images, request.words)
        if wish:
            raise no_image(request.app, images, wish)
        pinned = [(one, one.pinned) for one in chosen if one.pinned]
        if not pinned:
            what = " ".join((request.app, *request.words))
            hint = f"podvisor images {request.app} shows what is"
            raise Stalled(f"cannot unpin {what}: it is not pinned", hint=hint)
        for one, version in pinned:
            self._order(one)
            why = f"no longer pinned at {_named(one, version)}"
            self._log(EventKind.RESUMED, one, why, request.reason)
        return await self._bring_on([one for one, _ in pinned], say)

    def _order(
        self,
        image: ImageStatus,
        *,
        pinned: ImageVersion | None = None,
        now: str = "",
        reason: str = "",
    ) -> None:
        """Write an order in place of the one before; one that says nothing is none."""
        question = image.known.question.key if image.known else ""
        if not (pinned or now):
            self.ledger.drop(ImageOrder, order_key(image.app, question))
            return
        order = ImageOrder(
            app=image.app,
            question=question,
            pinned=pinned,
            now=now,
            at=self.clock.now(),
            reason=reason,
            by=ORDERED_BY.get(),
        )
        self.ledger.put(order, order.key)

    def _log(self, kind: EventKind, image: ImageStatus, why: str, reason: str) -> None:
        words = with_why(why, reason)
        self.ledger.log(kind, app=image.app, subject=image.image, reason=words)

    async def _bring_on(self, images: Collection[ImageStatus], say: Say) -> tuple[ImageStatus, ...]:
        """Bring the apps of these images to what is wanted of them now; returns them again."""
        self.desired_state.invalidate()
        apps = sorted({one.app for one in images})
        await self.syncs.bring_on(apps, say)
        return await self._again(images)

    async def _again(self, images: Iterable[ImageStatus]) -> tuple[ImageStatus, ...]:
        """Return how these images stand now."""
        mine = {(one.app, one.image) for one in images}
        return tuple(
            one for one in await self.listing.of() if one.known and (one.app, one.image) in mine
        )


def _named(image: ImageStatus, version: ImageVersion) -> str:
    return f"{short_name(image.image)} {version_in_words(version.runs, version.tag)}"
