"""What this machine says of registries, as Podman has merged it: `registries` of its info.

The files are looked at only to know whether an answer still holds: containers-registries.conf(5).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from supervisor.adapters.podman.containers_conf import folders
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
