"""The `Registry` port. What serves it is loaded with the first question: 0.4 MB."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
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

    async def manifest(self, image: str) -> bytes:
        """Return the manifest of `HOST/NAME@sha256:…` or `HOST/NAME:TAG`; empty if there is none.

        By a digest, it is what that says. Raises Retry or Stalled.
        """
        return await self._loaded().manifest(image)

    async def referrers(self, image: str) -> bytes:
        """Return the index of what refers to `HOST/NAME@sha256:…`; empty if nothing does.

        Raises Retry or Stalled.
        """
        return await self._loaded().referrers(image)

    async def blob(self, image: str, *, size: int, path: str, timeout_seconds: float) -> None:
        """Put the blob `HOST/NAME@sha256:…`, of so many bytes, into a file.

        It is what its digest says. Raises Retry or Stalled.
        """
        await self._loaded().blob(image, size=size, path=path, timeout_seconds=timeout_seconds)

    def end_rests(self) -> None:
        """Ask also those that wanted to be let alone for a while."""
        if self._asking is not None:
            self._loaded().end_rests()

    def together(self) -> AbstractAsyncContextManager[None]:
        """Share connections and logins among what is asked in this block."""
        return self._loaded().together()

    def _loaded(self) -> "Asking":
        if self._asking is None:
            from supervisor.adapters.registry.asking import Asking  # noqa: PLC0415

            self._asking = Asking(rules=self.rules)
        asking: Asking = self._asking
        return asking
