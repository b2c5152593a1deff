"""The senders that are known, by the names that the settings have for them."""

from supervisor.core.registryhost.senders import (
    distribution,
    docker_hub,
    generic,
    ghcr,
    gitea,
    harbor,
    quay,
    zot,
)

SENDERS = {
    host.name: host
    for host in (
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
}
