"""Why a container could not have a port of the host, from what Podman wrote; and what mends it.

Podman's helpers say it in words of their own: pasta(1) "Failed to bind port 80 (Permission
denied)", rootlessport "cannot expose privileged port 80" and "listen tcp 0.0.0.0:80: bind: address
already in use".
"""

import re

import msgspec

_REFUSED = re.compile(
    r"Failed to bind port (?P<port>\d+) \(Permission denied\)"
    r"|cannot expose privileged port (?P<other>\d+)"
)
_TAKEN = re.compile(
    r"Failed to bind port (?P<port>\d+) \(Address already in use\)"
    r"|listen (?P<protocol>tcp|udp)\d? \S*?:(?P<other>\d+): bind: address already in use"
)


class TakenPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the host that somebody else has."""

    port: int
    protocol: str
    """`tcp` or `udp`; empty if it is not said."""


def taken_port(text: str) -> TakenPort | None:
    """Return the port that was taken when a container was to have it; None if that is not it."""
    found = _TAKEN.search(text)
    if found is None:
        return None
    return TakenPort(port=int(found["port"] or found["other"]), protocol=found["protocol"] or "")


def refused_port_mend(text: str) -> str:
    """Say how a port below 1024 is had, if that is what a container was refused; else empty."""
    found = _REFUSED.search(text)
    if found is None:
        return ""
    port = found["port"] or found["other"]
    return (
        f"ports below 1024 are root's: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
        " opens them (and a file in /etc/sysctl.d, for good)"
    )
