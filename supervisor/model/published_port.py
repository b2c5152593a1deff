"""Ports of the host that units publish."""

import msgspec


class PublishedPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of the host that a unit publishes (PublishPort=)."""

    address: str
    """Of the host; empty is every one."""
    first: int
    last: int
    protocol: str
    path: str
    """Of the file that says so, relative to the app's root."""
    line: int = 0
