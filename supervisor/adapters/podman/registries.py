"""What this machine says of registries, as Podman has merged it: `registries` of its info.

The files are looked at only to know whether an answer still holds: containers-registries.conf(5).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from supervisor.adapters.podman.api import Api, doing
from supervisor.adapters.podman.containers_conf import folders
from supervisor.adapters.podman.stores import Kept, state_of
from supervisor.model.errors import Retry
from supervisor.model.podman import Mirror, RegistryRule

_ALWAYS_THERE = Path("/etc")
"""So that there is something to look at where nobody has set anything."""


class _Mirror(msgspec.Struct, rename="pascal"):
    location: str = ""
    insecure: bool = False
    pull_from_mirror: str = ""


class _Registry(msgspec.Struct, rename="pascal"):
    prefix: str = ""
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: list[_Mirror] | None = None
    mirror_by_digest_only: bool = False


def registry_rules(found: object) -> tuple[RegistryRule, ...]:
    """Read them; what is there beside registries (`search`) is left out. Raises ValueError."""
    return tuple(
        _rule(name, msgspec.convert(one, _Registry))
        for name, one in (found.items() if isinstance(found, dict) else ())
        if isinstance(one, dict)
    )


def _rule(name: str, one: _Registry) -> RegistryRule:
    return RegistryRule(
        prefix=one.prefix or name,
        location=one.location,
        is_insecure=one.insecure,
        is_blocked=one.blocked,
        mirrors=tuple(
            Mirror(
                location=mirror.location,
                is_insecure=mirror.insecure,
                pulls=mirror.pull_from_mirror,
            )
            for mirror in one.mirrors or ()
        ),
        mirrors_are_for_digests=one.mirror_by_digest_only,
    )


class RegistryRules:
    """What Podman says of them, asked again when a file has changed."""

    def __init__(self, api: Api, *, now: Callable[[], float]) -> None:
        self._api = api
        self._kept: Kept[tuple[RegistryRule, ...]] = Kept(now)

    async def read(self) -> tuple[RegistryRule, ...]:
        """Return all of them. Raises Retry."""
        paths = settings_files()
        if (kept := self._kept.get(paths)) is not None:
            return kept
        before = state_of(paths)
        with doing("read what is said of registries"):
            info = await self._api.get("/info")
        try:
            found = registry_rules(info.get("registries"))
        except ValueError as error:
            raise Retry(f"cannot read what Podman says of registries: {error}") from error
        self._kept.put(found, before=before)
        return found

    async def told(self) -> tuple[RegistryRule, ...]:
        """Return them, or none where that cannot be told."""
        try:
            return await self.read()
        except Retry:
            return ()


def settings_files() -> tuple[Path, ...]:
    """Files and folders that change when what Podman says of registries does."""
    return (_ALWAYS_THERE, *_settings_files())


def _settings_files() -> Iterator[Path]:
    if named := os.environ.get("CONTAINERS_REGISTRIES_CONF"):
        yield Path(named)
    for folder in folders():
        yield folder / "registries.conf"
        yield folder / "registries.conf.d"
        yield from sorted((folder / "registries.conf.d").glob("*.conf"))
