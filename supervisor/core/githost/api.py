"""Where a Git host's API is, and how a repository is known there."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from supervisor.core.githost.hosts.registry import APIS
from supervisor.model.git_url import GitUrl


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, as its host's API knows it."""

    kind: str
    base: str
    repository: str
    """`OWNER/NAME`; GitLab has groups in groups."""
    git_host: str = ""
    """Name of the host that the repository is fetched from."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of an API; the token is not in it."""

    method: str
    url: str
    body: Mapping[str, str] = {}
    """To be sent as JSON."""


def api_of(kind: str, *, git: GitUrl, url: str = "") -> Api | None:
    """Find the API of a source's Git host; None where its settings do not tell."""
    api, repository = APIS[kind], git.repository
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
    return Api(kind=kind, base=base, repository=repository, git_host=git.host)


def address(api: Api, template: str, **parts: str) -> str:
    """Fill in where something of a repository is."""
    repository = quote(api.repository, safe="" if APIS[api.kind].has_subgroups else "/")
    return template.format(base=api.base, repository=repository, **parts)


def proof(api: Api, token: str) -> dict[str, str]:
    """Return the header with the token."""
    words = APIS[api.kind]
    return {words.token_header: words.token_prefix + token}


def plain(text: str, longest: int) -> str:
    """Make one line of a text, cut to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
