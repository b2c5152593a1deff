"""Whether an artifact was signed by cosign with a key that may: see `core.images.cosign`.

Nobody but the registry and the file of keys is asked: neither Rekor nor Fulcio.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from supervisor.adapters.git.cosign_verify import Genuine, Signed
from supervisor.adapters.git.signatures import Signers
from supervisor.core.images.artifact import Descriptor
from supervisor.core.images.cosign import (
    Claim,
    bundle_claim,
    bundle_in,
    bundles_of,
    keys_of,
    payload_claim,
    signatures_of,
    tag_of,
)
from supervisor.kit.helper import HelperError, ask
from supervisor.model.errors import Retry, Stalled

_VERIFY = "supervisor.adapters.git.cosign_verify"
_SECONDS = 30.0


class Registry(Protocol):
    """Registries, as far as signatures are had from them. All raise Retry or Stalled."""

    async def manifest(self, image: str) -> bytes:
        """Return the manifest of `HOST/NAME:TAG` or `HOST/NAME@sha256:…`; empty if there is none.

        By a digest, it is what that says.
        """

    async def referrers(self, image: str) -> bytes:
        """Return the index of what refers to `HOST/NAME@sha256:…`; empty if nothing does."""

    async def blob(self, image: str, *, size: int, path: str, timeout_seconds: float) -> None:
        """Put the blob `HOST/NAME@sha256:…`, of so many bytes, into a file."""


class Claims(msgspec.Struct):
    """What is signed beside `HOST/NAME@sha256:…`. What cannot be read is none.

    Its methods raise Retry or Stalled where the registry does not say what there is.
    """

    registry: Registry
    place: str
    scratch: str
    """How a path begins that is there for a while."""
    unread: Retry | None = None
    """Why the last one that could not be read may be read later."""

    async def by_tag(self) -> list[Claim]:
        """Return what cosign 2 and its forerunners have signed."""
        manifest = await self.registry.manifest(f"{self._repository}:{tag_of(self._digest)}")
        claims: list[Claim] = []
        for payload, signature in signatures_of(manifest) if manifest else ():
            with self._skipping():
                text = await self._read(payload)
                claims.append(
                    payload_claim(text, signature, digest=self._digest, repository=self._repository)
                )
        return claims

    async def by_referrers(self) -> list[Claim]:
        """Return what cosign 3 has signed."""
        referrers = await self.registry.referrers(self.place)
        claims: list[Claim] = []
        for one in bundles_of(referrers) if referrers else ():
            with self._skipping():
                blob = bundle_in(await self.registry.manifest(f"{self._repository}@{one}"))
                if blob and (claim := bundle_claim(await self._read(blob), digest=self._digest)):
                    claims.append(claim)
        return claims

    @property
    def _repository(self) -> str:
        return self.place.partition("@")[0]

    @property
    def _digest(self) -> str:
        return self.place.partition("@")[2]

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        try:
            yield
        except Stalled:
            pass
        except Retry as failure:
            self.unread = failure

    async def _read(self, blob: Descriptor) -> bytes:
        path = f"{self.scratch}signed"
        await self.registry.blob(
            f"{self._repository}@{blob.digest}",
            size=blob.size,
            path=path,
            timeout_seconds=_SECONDS,
        )
        return Path(path).read_bytes()  # noqa: ASYNC240  # it is small


async def check(claims: list[Claim], signers: Signers) -> str:
    """Return why none of these counts; empty if one does.

    Raises Retry, or Stalled if the keys cannot be used.
    """
    keys = keys_of(signers.content)
    if not keys:
        raise _unusable(signers, "it holds no public key")
    signed = Signed(tuple((one.text, one.signature) for one in claims), tuple(keys))
    try:
        found = await ask(_VERIFY, signed, Genuine, timeout_seconds=_SECONDS)
    except HelperError as error:
        raise Retry(f"cannot verify signatures: {error}") from error
    if not found.keys:
        raise _unusable(signers, "none of them is for ECDSA, as cosign makes them")
    faults = [claims[one].fault for one in found.texts]
    if "" in faults:
        return ""
    return next(iter(faults), f"none of the keys in {signers.path} signed it")


def _unusable(signers: Signers, why: str) -> Stalled:
    return Stalled(f"cannot use the keys in {signers.path}: {why}", hint=signers.hint)
