"""Hosts that are unlike what the specification says, each with the reason."""

import msgspec


class Quirk(msgspec.Struct, frozen=True, kw_only=True):
    """What is different about a host."""

    asked_at: str = ""
    """Where its API is, if elsewhere."""
    one_anonymous_token: bool = False
    """Whether a token without a login is good for all its repositories."""
    push_times: str = ""
    """Where it tells when a tag was pushed: what stands before `/REPOSITORY/tags/TAG`."""
    tells_at_get: bool = False
    """Whether a digest is told with the manifest only."""


_USUAL = Quirk()
_QUIRKS = {
    # Images are named for one host and served by another, which no redirect tells.
    "docker.io": Quirk(
        asked_at="registry-1.docker.io", push_times="https://hub.docker.com/v2/repositories"
    ),
    # Its tokens without a login say nothing of a repository: forty images, one token.
    "ghcr.io": Quirk(one_anonymous_token=True),
    # They leave Docker-Content-Digest out of answers to HEAD (regclient/regclient#363).
    "registry.redhat.io": Quirk(tells_at_get=True),
    "registry.access.redhat.com": Quirk(tells_at_get=True),
}


def quirk_of(host: str) -> Quirk:
    """Return what is different about a registry, by the name that images have it by."""
    return _QUIRKS.get(host, _USUAL)
