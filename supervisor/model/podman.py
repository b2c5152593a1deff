"""What Podman tells: what happened to one of its objects, and what it knows of registries.

An event is a name to look at, no order.
"""

import msgspec

CHANGED = "changed"
"""The action where a store tells that something came, went or moved, but not which of these."""


class PodmanEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Names and labels come from anybody: they are compared, never obeyed."""

    type: str
    """`image`, `container`, `pod`, `volume`, `network` or `secret`."""
    action: str = CHANGED
    """In Podman's words: `died`, `remove`, `health_status` …"""
    name: str = ""
    """Empty (with `id`) if it is not known which object: then it may be any of that type."""
    id: str = ""
    """Of an image or container."""
    unit: str = ""
    """Of a container: the unit that its label names."""
    health: str = ""
    """With `health_status`: what the check said."""
    time_ns: int = 0
    """Since the epoch, where the API tells; its stream is taken up again from there."""


class PullLogins(msgspec.Struct, frozen=True, kw_only=True):
    """What Podman is to log in with for one pull; its repr does not hold it."""

    config: bytes
    """JSON of `X-Registry-Config`: keys of containers-auth.json(5) to `username`, `password`."""
    has_login: bool
    """Whether one of them is for the image that is pulled."""

    def __repr__(self) -> str:
        return "PullLogins(…)"


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """Another place that has what a registry has."""

    location: str
    is_insecure: bool = False
    pulls: str = ""
    """`all`, `digest-only` or `tag-only`; empty as what the registry's rule says."""


class RegistryRule(msgspec.Struct, frozen=True, kw_only=True):
    """What containers-registries.conf(5) says of images whose names begin alike."""

    prefix: str
    """Of a host (`*.example.org` for those below), or of a path on it."""
    location: str = ""
    """What stands for the prefix when it is asked; empty is the prefix itself."""
    is_insecure: bool = False
    """Whether its certificate is not looked at, and plain HTTP will do."""
    is_blocked: bool = False
    mirrors: tuple[Mirror, ...] = ()
    mirrors_are_for_digests: bool = False
    """Whether none of the mirrors is asked for a tag."""
