"""Where a Git host shows a commit to people.

Apart from `core.githost.hosts`, which the daemon only loads where it is told of pushes.
"""

from urllib.parse import quote

from supervisor.model.git_url import GitUrl

_KINDS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket",
    "codeberg.org": "forgejo",
}
"""Of Git hosts that are known by their name."""
_PATHS = {
    "github": "commit",
    "github-actions": "commit",
    "gitlab": "-/commit",
    "bitbucket": "commits",
    "forgejo": "commit",
    "gitea": "commit",
}


def commit_page(git: GitUrl, kind: str) -> str:
    """Return the address of a commit's page, with `{revision}` for its id; empty if nobody knows.

    `kind` is what the settings say of the Git host (`webhook`, `status`), if they do.
    """
    path = _PATHS.get(_KINDS.get(git.host, kind))
    if not path or not git.host or "/" not in git.repository:
        return ""
    # Over ssh, the port is that of ssh.
    server = f"{git.scheme}://{git.server}" if git.over_http else f"https://{git.host}"
    return f"{server}/{quote(git.repository)}/{path}/{{revision}}".replace("%7E", "~")
