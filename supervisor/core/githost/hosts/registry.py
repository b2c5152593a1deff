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
STATUS_APIS = {name: host.status_api for name, host in HOSTS.items() if host.status_api}
"""Of those that take the status of a commit."""
