"""What happened to one of Podman's objects, as the watches tell it: a name to look at, no order."""

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
