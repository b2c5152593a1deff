"""Git hosts' APIs for the status of a commit: where they are, what they are sent and answer."""

from urllib.parse import quote

import msgspec

from supervisor.core.githost.hosts.registry import STATUS_APIS
from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.git_url import GitUrl

_LONGEST = 140
"""Characters of a description; GitHub takes no more."""
_LONGEST_CONTEXT = 100


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, as its host's API knows it."""

    kind: str
    base: str
    repository: str
    """`OWNER/NAME`; GitLab has groups in groups."""


def api_of(kind: str, *, git: GitUrl, url: str = "") -> Api | None:
    """Find the API of a source's Git host; None where its settings do not tell."""
    api, repository = STATUS_APIS[kind], git.repository
    if not api.has_subgroups:
        repository = "/".join(repository.split("/")[-2:])
    if "/" not in repository:
        return None
    base = url.rstrip("/")
    if not base and git.host:
        server = f"{git.scheme}://{git.server}" if git.over_http else f"https://{git.host}"
        base = api.base_of.get(git.host) or f"{server}{api.path}"
    place = GitUrl(base)
    if not place.over_http or not place.host or "?" in base:
        return None
    return Api(kind=kind, base=base, repository=repository)


def request(
    api: Api, status: CommitStatus, *, context: str, token: str
) -> tuple[str, dict[str, str], bytes]:
    """Return the URL, the header with the token, and the body to POST."""
    words = STATUS_APIS[api.kind]
    repository = quote(api.repository, safe="" if words.has_subgroups else "/")
    url = words.url.format(base=api.base, repository=repository, revision=status.revision)
    body = {
        "state": words.failure if status.state is CommitState.FAILURE else status.state.value,
        words.context: plain(context, _LONGEST_CONTEXT),
        "description": plain(status.description, _LONGEST),
    }
    return url, {words.token_header: words.token_prefix + token}, msgspec.json.encode(body)


def is_said_already(kind: str, answer: str) -> bool:
    """Whether a refusal only means that the commit has that state already."""
    repeated = STATUS_APIS[kind].repeated
    return bool(repeated) and repeated in answer.lower()


def plain(text: str, longest: int) -> str:
    """Make one line of a text, cut to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
