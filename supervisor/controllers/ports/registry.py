"""Registries: which versions of an image there are."""

from collections.abc import Sequence
from typing import Protocol

from supervisor.model.image import TagDigest

__all__ = ("Registry", "TagDigest")


class Registry(Protocol):
    """Registries, each asked in the way that Podman would.

    All methods raise Retry (unreachable, overloaded; with `after_seconds` where the registry says
    when to come again) or Stalled (denied, no such image, not to be had in this way).
    """

    async def digest(self, image: str, *, authfile: str = "") -> TagDigest:
        """Ask what `HOST/NAME:TAG` stands for, or whether there is a `HOST/NAME@sha256:…`."""

    async def manifests(self, image: str, *, authfile: str = "") -> tuple[str, ...]:
        """Return the digests of what the index `HOST/NAME@sha256:…` has for each platform.

        Empty if it is no index.
        """

    async def tags(self, repository: str, *, authfile: str = "") -> Sequence[str]:
        """List the tags of `HOST/NAME`, in the registry's order; no digests, none twice."""

    def end_rests(self) -> None:
        """Ask also those that wanted to be let alone for a while, as a person says."""
