"""The senders that are known. They are loaded with the first that the settings name: 0.2 MB."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.core.registryhost.host import RegistryHost


@cache
def senders() -> Mapping[str, "RegistryHost"]:
    """Return them, by the names that the settings have for them."""
    from supervisor.core.registryhost.senders import (  # noqa: PLC0415
        distribution,
        docker_hub,
        generic,
        ghcr,
        gitea,
        harbor,
        quay,
        zot,
    )

    hosts = (
        distribution.HOST,
        ghcr.HOST,
        docker_hub.HOST,
        harbor.HOST,
        quay.HOST,
        gitea.FORGEJO,
        gitea.GITEA,
        zot.HOST,
        generic.HOST,
    )
    return {host.name: host for host in hosts}
