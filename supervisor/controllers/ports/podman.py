"""Podman's objects."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from supervisor.model.health import ContainerHealth, PlayedContainer
from supervisor.model.image import PullProgress, SignatureDemand, StoredImage, StoreRoom
from supervisor.model.log import LogLine
from supervisor.model.observed import Container, Inventory
from supervisor.model.podman import PodmanEvent, RegistryRule
from supervisor.model.status import WatchStatus


class Podman(Protocol):
    """Podman's objects: open, ask, close."""

    async def inventory(
        self,
        *,
        images: Collection[str] = (),
        networks: bool = False,
        volumes: bool = False,
        pods: bool = False,
        secrets: bool = False,
        containers: bool = False,
    ) -> Inventory:
        """Ask for what is named, no more. Raises Retry if Podman does not answer."""

    async def image_digests(self, reference: str) -> tuple[str, ...]:
        """Return by which digests an image that is here may be asked for: `NAME@sha256:…`.

        That of an index, which a registry's tag stands for, is before that of the machine's own
        manifest. Empty if it is not here, or was built here. Raises Retry.
        """

    async def pull(
        self,
        image: str,
        *,
        timeout_seconds: float,
        authfile: str = "",
        anew: bool = False,
        show: Callable[[PullProgress], None] = ...,
    ) -> None:
        """Pull an image. Raises Retry (registry, network) or Stalled (denied, no such tag).

        `anew`: ask the registry for it, so that its signatures are verified, if it is here as well.
        `authfile` is an absolute path of credentials that count alone, read when it begins; Stalled
        is raised as well if it cannot be used. `show` hears how far it is; what it raises ends it.
        """

    async def demanded(self, image: str) -> SignatureDemand:
        """Who has to have signed an image for Podman to pull it now; nobody if that is not told."""

    async def registry_rules(self) -> Sequence[RegistryRule]:
        """What this machine says of registries, mirrors among it. Raises Retry."""

    async def room(self) -> StoreRoom | None:
        """What is free where a pull puts what it fetches; None if that cannot be told.

        Raises Retry.
        """

    async def stored_images(self) -> tuple[StoredImage, ...]:
        """All images of the user's own store: not those that it only reads. Raises Retry."""

    async def tag_image(self, image: str, name: str) -> None:
        """Give an image (by name or id) one more name; gone already is well. Raises Retry."""

    async def untag_image(self, name: str) -> None:
        """Take a name from its image, which stays; gone already is well. Raises Retry."""

    async def remove_image(self, name: str) -> None:
        """Take a name from its image, which goes if that was its last and no container uses it.

        Gone already is well. Raises Retry.
        """

    async def health(self, containers: Collection[str]) -> dict[str, ContainerHealth]:
        """Health of these containers, by id; those that are gone are left out. Raises Retry."""

    async def played(self, units: Collection[str]) -> tuple[PlayedContainer, ...]:
        """Containers of these `.kube` services, those that have ended as well. Raises Retry."""

    async def volume_users(self, volumes: Collection[str]) -> tuple[Container, ...]:
        """Running containers that use any of these volumes. Raises Retry."""

    async def failed_checks(self, containers: Collection[str]) -> frozenset[str]:
        """Of these, whose health was asked for: those whose last check failed. Raises Retry.

        None where `Systemd.health_checks` tells. Costs next to nothing.
        """

    async def set_health_interval(self, container: str, seconds: float) -> None:
        """Have the running container's health check run at this interval. Raises Retry."""

    async def log(self, unit: str, *, limit: int) -> Sequence[LogLine]:
        """Newest lines of a unit's containers, the oldest first. Raises Retry."""

    async def secret(self, name: str) -> bytes | None:
        """Return what a secret holds; None if there is none of this name. Raises Retry."""

    async def put_secret(self, name: str, content: bytes, *, labels: Mapping[str, str]) -> None:
        """Make or replace a secret. Raises Stalled if one is there that podvisor did not make."""

    async def remove_secret(self, name: str) -> None:
        """Remove a secret that podvisor made; gone already, or another's, is well."""

    async def remove_container(self, container: str) -> None: ...

    async def remove_pod(self, pod: str) -> None: ...

    async def remove_network(self, network: str) -> None: ...

    async def remove_volume(self, volume: str) -> None: ...

    def watch(
        self, show: Callable[[WatchStatus], None]
    ) -> AbstractAsyncContextManager[AsyncIterator[PodmanEvent]]:
        """What happens to Podman's objects; `show` hears where that is known from."""

    def recheck(self) -> None:
        """Look anew for a better place to know from, if there may be one."""
