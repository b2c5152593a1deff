"""Keep the images that apps can go back to, and remove those that nobody can. Key `kept-images`."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Ledger, Podman
from supervisor.core.images.keep import chores, versions_to_keep
from supervisor.core.images.reference import stored_name
from supervisor.core.images.rules import effective
from supervisor.core.images.stored import references
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.events import EventKind
from supervisor.model.image import ImageOrder, StoredImage, VerifiedImage
from supervisor.model.rollout import Hold, Rollout


class ImageKeeper(msgspec.Struct, frozen=True, kw_only=True):
    """Has Podman's store hold the images of the releases that were good last."""

    podman: Podman
    desired_state: DesiredState
    ledger: Ledger

    async def reconcile(self, _: str) -> None:
        """Tag what stays, remove what goes. Raises Retry."""
        deployments = await self.desired_state.deployments()
        images = await self.podman.stored_images()
        apps = {*deployments, *self.ledger.applied()}
        rollouts = {name: self.ledger.rollouts(name) for name in apps}
        tried = {pin.runs for some in rollouts.values() for one in some for pin in one.pins}
        self._forget_gone(images)
        wanted = self._wanted(deployments, rollouts)
        todo = chores(wanted, images, tried=tried, used=())
        if todo.remove:
            used = await self._used(images, deployments)
            todo = chores(wanted, images, tried=tried, used=used)
        for name, runs in todo.tag.items():
            await self.podman.tag_image(runs, name)
        for name in todo.untag:
            await self.podman.untag_image(name)
        for names in todo.remove:
            for name in names:
                await self.podman.remove_image(name)
            self.ledger.log(
                EventKind.STEP,
                step="remove-image",
                subject=names[-1],
                reason="no app runs it or goes back to it any more",
            )

    def _forget_gone(self, images: Sequence[StoredImage]) -> None:
        """Of what is not here any more, it is known anew who signed it once it is pulled again."""
        here = {digest for one in images for digest in one.digests}
        for name in self.ledger.all(VerifiedImage):
            if name.partition("@")[2] not in here:
                self.ledger.drop(VerifiedImage, name)

    def _wanted(
        self,
        deployments: Mapping[str, Deployment],
        rollouts: Mapping[str, Sequence[Rollout]],
    ) -> frozenset[str]:
        """Versions (`runs`) that stay: of what is asked for, stands, or can be gone back to."""
        wanted = {one.pinned.runs for one in self.ledger.all(ImageOrder).values() if one.pinned}
        for name, releases in rollouts.items():
            one = deployments.get(name)
            apps = one.apps if one else ()
            wanted.update(pin.runs for app in apps for pin in app.pins)
            wanted.update(ahead.image for ahead in (one.ahead if one else ()))
            marks = (self.ledger.applied_app(name), self.ledger.get(Hold, name))
            wanted |= versions_to_keep(
                releases,
                needed={mark.release for mark in marks if mark},
                keep=self._keep_of(tuple(reversed(apps))),  # what is wanted has the last word
            )
        return frozenset(wanted)

    def _keep_of(self, apps: Collection[DesiredApp]) -> Callable[[str], int]:
        """Return how many versions stay, by the key of a question: the last app's word counts.

        Of units of one app that ask the same, the most.
        """
        settings = self.desired_state.settings.images
        keep = dict[str, int]()
        for app in apps:
            asked = dict[str, int]()
            for rule in (unit.image_rule for unit in app.units if unit.image_rule):
                most = asked.get(rule.question.key, 0)
                asked[rule.question.key] = max(most, effective(rule, app.name, settings).keep)
            keep |= asked
        return lambda question: keep.get(question, settings.keep)

    async def _used(
        self, images: tuple[StoredImage, ...], deployments: Mapping[str, Deployment]
    ) -> frozenset[str]:
        """Ids of images that a container was made of, or that a unit of an app names."""
        inventory = await self.podman.inventory(containers=True)
        named = {
            stored_name(image) or image
            for one in deployments.values()
            for app in one.apps
            for unit in app.units
            for image in unit.images
        }
        return frozenset(
            {one.image_id for one in inventory.containers or ()}
            | {one.id for one in images if not named.isdisjoint(references(one))}
        )
