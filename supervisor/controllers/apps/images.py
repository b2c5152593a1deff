"""Reconcile an image that apps wait for: pull it, then name them. Keys `image:REFERENCE`.

A pull has a key of its own so that it takes its time while the apps that wait for it, and all
others, are kept as they are.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from supervisor.controllers.apps.verifier import ImageVerifier, is_met
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Events, Podman
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.tally import Tally
from supervisor.controllers.webhooks.looks import LooksAgain
from supervisor.core.images.pulling import lacks_room, progress_in_words
from supervisor.core.images.reference import full_name, name_and_tag
from supervisor.kit import backoff
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageAhead, PullProgress
from supervisor.model.need import Need, NeedKind
from supervisor.model.plan import PullImage

_MAKE_ROOM = "make room, as by podman image prune; it is tried again by itself"


class ImageController(msgspec.Struct, kw_only=True):
    """Has images pulled, once each, however many apps wait."""

    podman: Podman
    ledger: Events
    queue: WorkQueue
    settings: CurrentSettings
    verifier: ImageVerifier
    tally: Tally
    _waiting: dict[str, dict[str, PullImage]] = {}
    """By image and app: how the app would have it pulled."""
    _ahead: dict[str, dict[str, tuple[str, ...]]] = {}
    """By image and app that will run it, though nobody waits: the authfiles to pull it by."""
    _errors: dict[str, str] = {}
    _signed: LooksAgain = msgspec.field(default_factory=LooksAgain)
    """Of images that a webhook said to be signed, and that are not had yet."""
    _progress: dict[str, PullProgress] = {}
    """Of the pulls that go on."""

    def want(self, step: PullImage) -> None:
        """Have an image pulled for an app; a pull that goes on, or waits for its next try, does so.

        Unless the app has credentials to try, or keys to verify with, that none had before.
        """
        waiting = self._waiting.setdefault(step.image, {})
        known = {word for one in waiting.values() for word in (*one.authfiles, *one.keys)}
        if step.image in self._progress or step.image in self._errors:
            known.update(self._authfiles(step.image))
        if not known.issuperset((*step.authfiles, *step.keys)):
            self.queue.add(Kind.IMAGE.key(step.image))
        is_new = step.app not in waiting
        waiting[step.app] = step
        if is_new:
            self._log(step.image, [step.app], ok=True, reason=step.reason)

    def wants(self, app: str, images: Collection[str]) -> None:
        """Say which images an app waits for now; what nobody waits for any more is forgotten."""
        for image in tuple(self._waiting):
            if image not in images:
                self._waiting[image].pop(app, None)
                if not self._waiting[image]:
                    del self._waiting[image]
                    if image not in self._ahead:
                        self._errors.pop(image, None)

    def pull_ahead(self, images: Mapping[ImageAhead, Collection[str]]) -> None:
        """Have these images pulled, each for some apps that do not wait for it; and no others."""
        before, self._ahead = self._ahead, {}
        for one, apps in images.items():
            ahead = self._ahead.setdefault(one.image, {})
            ahead.update({app: (*ahead.get(app, ()), one.authfile) for app in apps})
        for image in before.keys() - self._ahead.keys() - self._waiting.keys():
            self._errors.pop(image, None)
        new = (image for image, ahead in self._ahead.items() if before.get(image) != ahead)
        self.queue.add(*Kind.IMAGE.keys(sorted(new)))

    def signed(self, images: Iterable[str]) -> tuple[str, ...]:
        """Pull again what waits of the repositories of these; a webhook told that they were signed.

        They are by digest: of a list, or of what it has for one platform, which Podman verifies.
        Returns the keys.
        """
        told = {one.partition("@")[0] for one in images}
        awaited = dict.fromkeys((*self._waiting, *self._ahead))
        found = [image for image in awaited if "@" in image and _repository(image) in told]
        self._signed.told(found)
        keys = tuple(Kind.IMAGE.keys(found))
        self.queue.add_debounced(*keys)
        return keys

    def keys(self, apps: Collection[str]) -> tuple[str, ...]:
        """Keys of the images that these apps (all, if empty) wait for."""
        chosen = set(apps)
        return tuple(
            Kind.IMAGE.key(image)
            for image, waiting in self._waiting.items()
            if not chosen or chosen & waiting.keys()
        )

    def error(self, image: str) -> str:
        """Why the last pull failed, and what to do; empty if it did not."""
        return self._errors.get(image, "")

    def with_progress(self, needs: Iterable[Need]) -> Iterator[Need]:
        """Say of the images that are being pulled how far they are."""
        for need in needs:
            progress = self._progress.get(need.subject) if need.kind is NeedKind.IMAGE else None
            # What failed is not over while it is tried again.
            if need.failing or not progress:
                yield need
            if progress:
                yield msgspec.structs.replace(
                    need, detail=progress_in_words(progress), failing=False
                )

    async def reconcile(self, image: str) -> list[str]:
        """Pull it and name the apps that wait for it. Raises what pulling raises.

        Of those that ask who signed it, only they are named of whose signers that is known then.
        """
        if not self._waiting.get(image) and not await self._lacks_ahead(image):
            self._signed.end(image)
            return []
        try:
            verified, refusal = await self._pull_verified(image)
        except Failure as failure:
            self._refuse(image, self._waiting.get(image, {}), failure)
            if seconds := self._signed.next_in(image):
                self.queue.add_in(Kind.IMAGE.key(image), seconds)
            raise
        self._signed.end(image)
        # Whoever waits now: some came, some went, while it was pulled.
        waiting = self._waiting.pop(image, {})
        left = {app: one for app, one in waiting.items() if not is_met(one, verified)}
        done = sorted(waiting.keys() - left.keys())
        self._errors.pop(image, None)
        self._log(image, self._concerned(image, done), ok=True, reason="pulled")
        if "@" in image:
            self.queue.add_in(Kind.KEPT_IMAGES, backoff.UNHURRIED_SECONDS)
        if left:
            self._waiting[image] = left
        if left and refusal:
            self.queue.add(*Kind.APP.keys(done))
            self._refuse(image, left, refusal)
            raise refusal
        return Kind.APP.keys(done)

    async def _pull_verified(self, image: str) -> tuple[frozenset[str], Failure | None]:
        """Pull it; returns by whose keys it was verified, and why not by all that are asked for.

        Where nobody would be served by what is not verified by all, that is raised.
        """
        steps = self._waiting.get(image, {}).values()
        keys = {key for step in steps for key in step.keys}
        # What is pulled ahead is to need no registry when it is run.
        verifies = bool(keys) or image in self._ahead
        before = await self.verifier.demanded(image) if verifies else frozenset[str]()
        refusal = None
        if lacking := [key for key in keys if key.fingerprint not in before]:
            refusal = await self.verifier.refusal(image, lacking)
            if not any(is_met(step, before) for step in steps):
                raise refusal
        await self._pull(image, anew=verifies)
        verified = before & await self.verifier.demanded(image) if before else before
        self.verifier.note(image, verified)
        return verified, refusal

    def _refuse(self, image: str, apps: Collection[str], failure: Failure) -> None:
        """Tell these apps, and those that will run it, why it is not had."""
        concerned = self._concerned(image, apps)
        words = f"{failure} ({failure.hint})" if failure.hint else str(failure)
        if self._errors.get(image) != words:
            hint = failure.hint or "tried again by itself"
            self._log(image, concerned, ok=False, reason=str(failure), detail=hint)
        if concerned:
            self._errors[image] = words
        self.queue.add(*Kind.APP.keys(sorted(apps)), Kind.DISK)

    def _concerned(self, image: str, waiting: Collection[str]) -> set[str]:
        return {*waiting, *self._ahead.get(image, ())}

    async def _lacks_ahead(self, image: str) -> bool:
        """Whether it is to be pulled though nobody waits, and is not here. Raises Retry."""
        if image not in self._ahead:
            return False
        return image not in ((await self.podman.inventory(images=[image])).images or {})

    async def _pull(self, image: str, *, anew: bool) -> None:
        """Pull it, if it fits: as far as that is known when it begins, or once its size is."""
        room = await self.podman.room()

        def check(packed: int) -> None:
            if room and (why := lacks_room(room, packed=packed)):
                raise Retry(f"cannot pull {image}: {why}", hint=_MAKE_ROOM)

        def show(progress: PullProgress) -> None:
            check(progress.total)
            self._progress[image] = progress

        check(0)
        timeout = float(self.settings.now.repair.pull_timeout)
        self._progress[image] = PullProgress()
        try:
            await _try_each(
                self._authfiles(image),
                lambda authfile: self.podman.pull(
                    image, timeout_seconds=timeout, authfile=authfile, anew=anew, show=show
                ),
            )
        except Failure:
            self.tally.pulled(ok=False)
            raise
        else:
            self.tally.pulled(ok=True)
        finally:
            del self._progress[image]

    def _authfiles(self, image: str) -> list[str]:
        """Return what to try, each once; what Podman has by itself comes last."""
        waiting = (step.authfiles for step in self._waiting.get(image, {}).values())
        asked = (*waiting, *self._ahead.get(image, {}).values())
        found = set(chain.from_iterable(asked))
        return sorted(found or {""}, key=lambda one: (not one, one))

    def _log(
        self, image: str, apps: Collection[str], *, ok: bool, reason: str, detail: str = ""
    ) -> None:
        """Write it down for each app: who looks at the events of one sees it, too."""
        for app in sorted(apps):
            self.ledger.log(
                EventKind.STEP if ok else EventKind.WAITING,
                ok=ok,
                app=app,
                step="pull",
                subject=image,
                reason=reason,
                detail=detail,
            )


def _repository(image: str) -> str:
    """Return `HOST/NAME` of an image, as registries tell of it."""
    return full_name(name_and_tag(image)[0])


async def _try_each(authfiles: Sequence[str], pull: Callable[[str], Awaitable[None]]) -> None:
    """Pull by the first that opens it. Raises Retry, or Stalled as the first refusal was."""
    refusals: list[Stalled] = []
    for authfile in authfiles:
        try:
            return await pull(authfile)
        except Stalled as failure:
            refusals.append(failure)
    raise refusals[0]
