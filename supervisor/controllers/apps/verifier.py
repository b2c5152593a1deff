"""Have Podman verify who signed an image while it pulls it, and remember of which it did.

Serves `controllers.apps.images`. podvisor verifies nothing itself: it makes sure that Podman does,
by the keys that apps ask for, and that this is about a digest: that which runs.
"""

from collections.abc import Collection

import msgspec

from supervisor.controllers.ports import Documents, Podman
from supervisor.model.errors import Stalled
from supervisor.model.image import ImageKey, VerifiedImage
from supervisor.model.plan import PullImage

_TRUST = "podvisor trust shows what that has to say, and writes it"


class ImageVerifier(msgspec.Struct, frozen=True, kw_only=True):
    """Knows by whose signatures Podman takes images, and took them."""

    podman: Podman
    ledger: Documents

    async def demanded(self, image: str) -> frozenset[str]:
        """Return by which keys Podman asks for a signature now; none of what is no digest."""
        return (await self.podman.demanded(image)).keys if "@" in image else frozenset()

    def note(self, image: str, keys: frozenset[str]) -> None:
        """Remember that it was pulled while Podman asked for a signature by each of these."""
        before = self.ledger.get(VerifiedImage, image)
        known = frozenset(before.keys if before else ())
        if not keys <= known:
            self.ledger.put(VerifiedImage(keys=tuple(sorted(keys | known))), image)

    async def refusal(self, image: str, keys: Collection[ImageKey]) -> Stalled:
        """Say why it is not run, though Podman would: nobody verifies it by these keys."""
        signers = " and ".join(sorted(map(str, keys)))
        asked = f"cannot pull {image}: VerifyImage= asks for a signature with {signers}"
        if "@" not in image:
            hint = "leave out Update=off, or name a digest: Image=NAME@sha256:…"
            return Stalled(f"{asked}, and what the tag stands for may change afterwards", hint=hint)
        place = (await self.podman.demanded(image)).place
        return Stalled(f"{asked}, and {place}, does not", hint=_TRUST)


def is_met(step: PullImage, keys: frozenset[str]) -> bool:
    """Whether these are all keys that an app asks for."""
    return keys.issuperset(key.fingerprint for key in step.keys)
