"""The `Registry` port. What serves it is loaded with the first question: 0.4 MB."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.model.image import TagDigest
from supervisor.model.podman import PullLogins, RegistryRule

if TYPE_CHECKING:
    from supervisor.adapters.registry.asking import Asking


async def pull_logins(image: str, authfile: str) -> PullLogins:
    """Read what an image is to be pulled with by an authfile (an absolute path), as it is now.

    Raises Stalled (it cannot be used) or Retry (a helper that it names fails).
    """
    from supervisor.adapters.registry.credentials import Logins  # noqa: PLC0415

    return await Logins().for_pull(image, authfile)


class RegistryClient(msgspec.Struct, kw_only=True):
    """Asks registries."""

    rules: Callable[[], Awaitable[Sequence[RegistryRule]]]
    """What this machine says of registries, as Podman has merged it; raises Retry."""
    _asking: Any = None

    async def digest(self, image: str, *, authfile: str = "") -> TagDigest:
        """Ask what `HOST/NAME:TAG` stands for, or whether there is a `HOST/NAME@sha256:…`.

        Mirrors are asked first. Raises Retry or Stalled.
        """
        return await self._loaded().digest(image, authfile=authfile)

    async def manifests(self, image: str, *, authfile: str = "") -> tuple[str, ...]:
        """Return the digests of what the index `HOST/NAME@sha256:…` has for each platform.

        Mirrors are asked first. Raises Retry or Stalled.
        """
        return await self._loaded().manifests(image, authfile=authfile)

    async def tags(self, repository: str, *, authfile: str = "") -> Sequence[str]:
        """List the tags of `HOST/NAME`. Raises Retry or Stalled."""
        return await self._loaded().tags(repository, authfile=authfile)

    def _loaded(self) -> "Asking":
        if self._asking is None:
            from supervisor.adapters.registry.asking import Asking  # noqa: PLC0415

            self._asking = Asking(rules=self.rules)
        asking: Asking = self._asking
        return asking
