"""Git hosts' APIs for the status of a commit: where they are, what they are sent, what they answer.

GitHub, Gitea and Forgejo, and GitLab; pure, so that each is one table row. `controllers` decides
what to tell, `adapters.forge` sends it.
"""

import re
from urllib.parse import quote, urlsplit

import msgspec

from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.git_url import GitUrl

KINDS = ("github", "gitea", "forgejo", "gitlab")
_LONGEST = 140
"""Characters of a description; GitHub takes no more."""
_LONGEST_CONTEXT = 100
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ELSEWHERE = {"github": "/api/v3", "gitea": "/api/v1", "forgejo": "/api/v1", "gitlab": "/api/v4"}
_HARMLESS = re.compile(r"cannot transition status", re.IGNORECASE)


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, as its host's API knows it."""

    kind: str
    base: str
    repository: str
    """`OWNER/NAME`; GitLab has groups in groups."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to POST; the token is not in it yet."""

    url: str
    body: bytes
    token_header: str
    token_prefix: str


def api_of(kind: str, *, git: GitUrl, url: str = "") -> Api | None:
    """Find the API of a source's Git host; None where its settings do not tell."""
    repository = git.repository
    if kind != "gitlab":
        repository = "/".join(repository.split("/")[-2:])
    if "/" not in repository:
        return None
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            return None
        base = url.rstrip("/")
    elif not git.host:
        return None
    elif kind == "github" and git.host == "github.com":
        base = "https://api.github.com"
    elif git.over_http:
        base = f"{git.scheme}://{git.server}{_ELSEWHERE[kind]}"
    else:
        base = f"https://{git.host}{_ELSEWHERE[kind]}"
    return Api(kind=kind, base=base, repository=repository)


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine itself."""
    return urlsplit(url).hostname in _LOCAL


def request(api: Api, status: CommitStatus, *, context: str) -> Request:
    """Make the request that tells a Git host of a status."""
    name = plain(context, _LONGEST_CONTEXT)
    text = plain(status.description, _LONGEST)
    if api.kind == "gitlab":
        state = "failed" if status.state is CommitState.FAILURE else status.state.value
        url = f"{api.base}/projects/{quote(api.repository, safe='')}/statuses/{status.revision}"
        body = {"state": state, "name": name, "description": text}
        header, prefix = "PRIVATE-TOKEN", ""
    else:
        url = f"{api.base}/repos/{quote(api.repository)}/statuses/{status.revision}"
        body = {"state": status.state.value, "context": name, "description": text}
        header = "Authorization"
        prefix = "Bearer " if api.kind == "github" else "token "
    return Request(
        url=url, body=msgspec.json.encode(body), token_header=header, token_prefix=prefix
    )


def is_said_already(kind: str, answer: str) -> bool:
    """Whether a refusal only means that the commit has that state: GitLab refuses repetitions."""
    return kind == "gitlab" and _HARMLESS.search(answer) is not None


def plain(text: str, longest: int) -> str:
    """Make one line of a text, cut to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
