"""The Git hosts that are known, by the names that the settings have for them."""

from supervisor.core.githost.hosts import (
    bitbucket,
    forgejo,
    generic,
    github,
    github_actions,
    gitlab,
)

HOSTS = {
    host.name: host
    for host in (
        github.HOST,
        forgejo.FORGEJO,
        forgejo.GITEA,
        gitlab.HOST,
        bitbucket.HOST,
        generic.HOST,
        github_actions.HOST,
    )
}
APIS = {name: host.api for name, host in HOSTS.items() if host.api}
"""Of those that are told how commits fare, and have pull requests opened."""
