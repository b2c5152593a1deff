"""What podvisor asks of Podman and tells it. The `Podman` port.

`api` speaks with it, `stores` knows when an answer still holds without asking again, `watch`
notices changes in the stores, `pull_errors` understands why a pull failed (and is loaded then).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from supervisor.adapters.podman.api import Api, ApiError, doing
from supervisor.adapters.podman.check_results import failed_last, hides_failures, results_file
from supervisor.adapters.podman.containers import (
    containers_of,
    remove_object,
    set_interval,
    volume_users,
)
from supervisor.adapters.podman.event_watch import EventWatch
from supervisor.adapters.podman.health import can_adjust, health_of
from supervisor.adapters.podman.images import remove_image, tag_image, told_digests, untag_image
from supervisor.adapters.podman.info import PodmanInfo
from supervisor.adapters.podman.played import played
from supervisor.adapters.podman.pulls import pull
from supervisor.adapters.podman.registries import RegistryRules
from supervisor.adapters.podman.secrets import (
    SecretsThere,
    put_secret,
    read_secret,
    remove_secret,
    secrets_there,
)
from supervisor.adapters.podman.store_index import read_images, stored_digests, stored_images
from supervisor.adapters.podman.stores import Kept, Stores, room_of, state_of, stores_of
from supervisor.adapters.podman.watch import StoreWatch
from supervisor.core.images.reference import stored_name
from supervisor.kit.clock import Clock, SystemClock
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Failure, Retry
from supervisor.model.health import ContainerHealth, PlayedContainer
from supervisor.model.image import PullProgress, SignatureDemand, StoredImage, StoreRoom
from supervisor.model.log import LogLine
from supervisor.model.observed import Container, Inventory
from supervisor.model.podman import PodmanEvent, PullLogins, RegistryRule
from supervisor.model.status import WatchStatus

ReadLogins = Callable[[str, str], Awaitable[PullLogins]]
"""Of an image and an authfile's absolute path. Raises Retry or Stalled (it cannot be used)."""

_DEFAULT_NETWORK = "podman"
_REMEMBERED_IMAGES = 2_000


class PodmanClient:
    """Talks to Podman on its socket; what has not changed on disk is not asked twice."""

    def __init__(
        self, socket: Path, *, clock: Clock | None = None, logins: ReadLogins | None = None
    ) -> None:
        """Keep Podman's socket (`$XDG_RUNTIME_DIR/podman/podman.sock`), and a reader of logins."""
        self._api = Api(socket)
        self._info = PodmanInfo(self._api)
        self._logins = logins
        clock = clock or SystemClock()
        self._stores: Stores | None = None
        self._images: Kept[dict[str, str]] = Kept(clock.now)
        self._networks: Kept[frozenset[str]] = Kept(clock.now)
        self._volumes: Kept[frozenset[str]] = Kept(clock.now)
        self._secrets: Kept[SecretsThere] = Kept(clock.now)
        self._rules = RegistryRules(self._api, now=clock.now)
        self._version = ""
        self._results: dict[str, Path] = {}
        """Containers whose health was asked for to where the results of their checks are kept."""
        self._runtime = socket.parent.parent
        self._signs = StoreWatch()
        self._events = EventWatch(
            api=self._api, info=self._info, runtime=self._runtime, signs=self._signs
        )

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
        with doing("read Podman's objects"):
            known = await self._list_secrets() if secrets else None
            return Inventory(
                images=await self._find_images(images) if images else None,
                networks=await self._list_networks() if networks else None,
                volumes=await self._list_volumes() if volumes else None,
                pods=frozenset(str(one["Name"]) for one in await self._api.get("/pods/json"))
                if pods
                else None,
                secrets=known.identities if known else None,
                owned_secrets=known.owned if known else {},
                containers=containers_of(await self._api.get("/containers/json", all="true"))
                if containers
                else None,
            )

    async def image_digests(self, reference: str) -> tuple[str, ...]:
        """Return by which digests an image that is here may be asked for: `NAME@sha256:…`."""
        with doing(f"inspect {reference}"):
            stores = await self._find_stores()
            if known := stored_digests(stores.images if stores else (), reference):
                return known
            return await told_digests(self._api, reference)

    async def pull(
        self,
        image: str,
        *,
        timeout_seconds: float,
        authfile: str = "",
        anew: bool = False,
        show: Callable[[PullProgress], None] = lambda _: None,
    ) -> None:
        """Fetch an image, if it is not there or `anew`. Raises Retry (a network) or Stalled.

        `authfile` names the logins that count for it, alone; `show` hears how far it is, and ends
        the pull by what it raises.
        """
        try:
            with anyio.fail_after(timeout_seconds):
                logins = await self._logins(image, authfile) if self._logins and authfile else None
                words = await pull(self._api, image, logins=logins, anew=anew, show=show)
        except TimeoutError:
            raise Retry(
                f"cannot pull {image}: it was not done after {timeout_seconds:g} s"
            ) from None
        finally:
            self._images.drop()
        if words:
            from supervisor.adapters.podman.pull_errors import (  # noqa: PLC0415
                failure_of,
                lacks_signature,
            )
            from supervisor.adapters.podman.signature_policy import policy_files  # noqa: PLC0415

            rules = await self._rules.told() if lacks_signature(words) else ()
            files = policy_files(Path.home())
            raise failure_of(
                image, words, policies=files, authfile=authfile, logins=logins, rules=rules
            )

    async def demanded(self, image: str) -> SignatureDemand:
        """Who has to have signed an image for Podman to pull it now."""
        from supervisor.adapters.podman.signature_policy import (  # noqa: PLC0415  # few ask
            demanded,
            policy_files,
        )

        return await in_thread(partial(demanded, image, policy_files(Path.home())))

    async def room(self) -> StoreRoom | None:
        """What is free where a pull puts what it fetches; None if that cannot be told."""
        stores = await self._find_stores()
        return await in_thread(partial(room_of, stores)) if stores else None

    async def stored_images(self) -> tuple[StoredImage, ...]:
        """All images of the user's own store. Raises Retry."""
        stores = await self._find_stores()
        found = stored_images(stores.images[0]) if stores else None
        if found is None:
            raise Retry("cannot read which images there are: Podman's store is not as expected")
        return found

    async def tag_image(self, image: str, name: str) -> None:
        """Give an image one more name; gone already is well. Raises Retry."""
        with doing(f"tag {image} as {name}"):
            await tag_image(self._api, image, name)

    async def untag_image(self, name: str) -> None:
        """Take a name from its image, which stays; gone already is well. Raises Retry."""
        with doing(f"untag {name}"):
            await untag_image(self._api, name)

    async def remove_image(self, name: str) -> None:
        """Take a name from its image, which goes if it was the last and nobody uses it."""
        with doing(f"remove image {name}"):
            await remove_image(self._api, name)

    async def remove_container(self, container: str) -> None:
        """Stop and remove a container with its anonymous volumes; gone already is well."""
        await self._remove("container", container, force="true", v="true")

    async def remove_network(self, network: str) -> None:
        """Remove a network that no container uses; gone already is well."""
        await self._remove("network", network)
        self._networks.drop()

    async def remove_pod(self, pod: str) -> None:
        """Stop and remove a pod with its containers; gone already is well."""
        await self._remove("pod", pod, force="true")

    async def remove_volume(self, volume: str) -> None:
        """Remove a volume, and what is in it, that no container uses; gone already is well."""
        await self._remove("volume", volume)
        self._volumes.drop()

    async def _remove(self, kind: str, name: str, **query: str) -> None:
        with doing(f"remove {kind} {name}"):
            await remove_object(self._api, kind, name, **query)

    async def health(self, containers: Collection[str]) -> dict[str, ContainerHealth]:
        """Ask for the health of these containers, by id; those that are gone are left out."""
        found: dict[str, ContainerHealth] = {}
        images: dict[str, Any] = {}
        with doing("read the containers' health"):
            # Podman may have been upgraded since.
            self._version = str((await self._api.get("/version")).get("Version", ""))
            adjustable = can_adjust(self._version)
            for one in containers:
                container = await self._api.inspect("containers", one)
                if container is None:
                    self._results.pop(one, None)
                    continue
                await self._note_results(one, container)
                image = str(container.get("Image", ""))
                if image and image not in images:
                    images[image] = await self._api.inspect("images", image)
                found[one] = health_of(container, images.get(image), adjustable=adjustable)
        return found

    async def played(self, units: Collection[str]) -> tuple[PlayedContainer, ...]:
        """Containers of these `.kube` services, those that have ended as well. Raises Retry."""
        with doing("read the containers of a .kube file"):
            return await played(self._api, units)

    async def volume_users(self, volumes: Collection[str]) -> tuple[Container, ...]:
        """Running containers that use any of these volumes. Raises Retry."""
        with doing("read who uses volumes"):
            return await volume_users(self._api, volumes)

    async def failed_checks(self, containers: Collection[str]) -> frozenset[str]:
        """Of these, whose health was asked for: those whose last check failed. Raises Retry.

        None where systemd tells (before Podman 6). Podman itself is asked only about those whose
        results are not where they should be.
        """
        if not hides_failures(self._version):
            return frozenset()
        for gone in self._results.keys() - set(containers):
            del self._results[gone]
        failed = set()
        for one in containers:
            path = self._results.get(one)
            found = failed_last(path) if path else None
            if found is None:
                found = await self._failed_as_told(one)
            if found:
                failed.add(one)
        return frozenset(failed)

    async def _failed_as_told(self, container: str) -> bool:
        with doing("read the containers' health"):
            found = await self._api.inspect("containers", container)
        return found is not None and health_of(found, None, adjustable=False).streak > 0

    async def _note_results(self, container: str, found: Mapping[str, Any]) -> None:
        if hides_failures(self._version) and (stores := await self._find_stores()):
            destination = str((found.get("Config") or {}).get("HealthLogDestination") or "")
            run_folder = stores.container_runs
            self._results[container] = results_file(container, destination, run_folder=run_folder)

    async def set_health_interval(self, container: str, seconds: float) -> None:
        """Have the running container's health check run at this interval; gone already is well."""
        with doing(f"change the health check of {container}"):
            await set_interval(self._api, container, seconds)

    async def log(self, unit: str, *, limit: int) -> list[LogLine]:
        """Newest lines of a unit's containers, the oldest first. Raises Retry."""
        from supervisor.adapters.podman.container_log import container_log  # noqa: PLC0415

        with doing(f"read what {unit} wrote"):
            return await container_log(self._api, unit, limit=limit)

    async def secret(self, name: str) -> bytes | None:
        """Read a secret; None if there is none of this name. Raises Retry."""
        with doing(f"read secret {name}"):
            found = await read_secret(self._api, name)
        return str(found.get("SecretData", "")).encode() if found else None

    async def put_secret(self, name: str, content: bytes, *, labels: Mapping[str, str]) -> None:
        """Make or replace a secret. Raises Stalled if one is there that podvisor did not make."""
        try:
            with doing(f"make secret {name}"):
                await put_secret(self._api, name, content, labels)
        finally:
            self._secrets.drop()

    async def remove_secret(self, name: str) -> None:
        """Remove a secret that podvisor made; gone already, or another's, is well."""
        with doing(f"remove secret {name}"):
            await remove_secret(self._api, name)
        self._secrets.drop()

    async def registry_rules(self) -> tuple[RegistryRule, ...]:
        """What this machine says of registries. Raises Retry."""
        return await self._rules.read()

    def watch(
        self, show: Callable[[WatchStatus], None]
    ) -> AbstractAsyncContextManager[AsyncIterator[PodmanEvent]]:
        """What happens to Podman's objects; `show` hears where that is known from.

        Where Podman cannot be asked yet where its stores are, the watch begins with the first
        inventory that can.
        """
        return self._events.watch(self._prepare, show)

    def recheck(self) -> None:
        """Look anew for a better place to know from, if there may be one."""
        self._events.recheck()

    async def _prepare(self) -> Stores | None:
        """Find the stores; asking for the secrets makes their folder, should it not be there."""
        try:
            stores = await self._find_stores()
            if stores and not stores.secrets.is_dir():
                await self._api.get("/secrets/json")
        except (Failure, ApiError):
            return None
        else:
            return stores

    async def _find_stores(self) -> Stores | None:
        if self._stores is None:
            try:
                self._stores = stores_of(await self._info.ask(), runtime=self._runtime)
            except (KeyError, TypeError):
                return None  # an unknown Podman: everything is asked, nothing is watched
            self._events.recheck()
        self._signs.arm(self._stores)
        return self._stores

    async def _find_images(self, images: Collection[str]) -> dict[str, str]:
        """Return the ids of those that are there, from Podman's index as far as that tells."""
        stores = await self._find_stores()
        paths = stores.images if stores else ()
        before = state_of(paths)
        known = self._images.get(paths) or {}
        if not known.keys() >= set(images):
            answers = dict(known) if len(known) < _REMEMBERED_IMAGES else {}
            index = dict[str, str]()
            for path in reversed(paths):
                index.update(read_images(path) or {})
            for image in images:
                if image not in answers:
                    name = stored_name(image) or image
                    answers[image] = index.get(name) or await self._ask_for_image(image)
            self._images.put(answers, before=before)
            known = answers
        return {image: known[image] for image in images if known[image]}

    async def _ask_for_image(self, image: str) -> str:
        found = await self._api.inspect("images", image)
        return str(found["Id"]) if found else ""

    async def _list_networks(self) -> frozenset[str]:
        stores = await self._find_stores()
        paths = (stores.networks,) if stores else ()
        if (kept := self._networks.get(paths)) is not None:
            return kept
        before = state_of(paths)
        names = frozenset(str(one["name"]) for one in await self._api.get("/networks/json"))
        # A configuration may keep them elsewhere; Podman does not tell where.
        if stores and all(
            (stores.networks / f"{name}.json").exists() for name in names - {_DEFAULT_NETWORK}
        ):
            self._networks.put(names, before=before)
        return names

    async def _list_volumes(self) -> frozenset[str]:
        stores = await self._find_stores()
        paths = (stores.volumes, *stores.database) if stores else ()
        if (kept := self._volumes.get(paths)) is not None:
            return kept
        before = state_of(paths)
        names = frozenset(str(one["Name"]) for one in await self._api.get("/volumes/json"))
        if any(before[1:]):
            self._volumes.put(names, before=before)
        return names

    async def _list_secrets(self) -> SecretsThere:
        stores = await self._find_stores()
        paths = (stores.secret_index,) if stores else ()
        if (kept := self._secrets.get(paths)) is not None:
            return kept
        before = state_of(paths)
        there = secrets_there(await self._api.get("/secrets/json"))
        self._secrets.put(there, before=before)
        return there
