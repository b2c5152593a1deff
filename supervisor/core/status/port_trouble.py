"""Why a container could not have a port of the host, from what Podman wrote; and what mends it.

Podman's helpers say it in words of their own. pasta(1): "Failed to bind port 80 (Permission
denied)", and since 2026 "Listen failed for HOST TCP port */80: Permission denied". rootlessport:
"cannot expose privileged port 80" and "listen tcp 0.0.0.0:80: bind: address already in use".
"""

import re

import msgspec


def _pattern(why: str, rootlessport: str) -> re.Pattern[str]:
    pasta = rf"Failed to bind port (?P<port>\d+) \({why}\)"
    newer = rf"Listen failed for HOST (?P<kind>TCP|UDP) port (?:\S+/)?(?P<newer>\d+): {why}"
    return re.compile(f"{pasta}|{newer}|{rootlessport}")


_REFUSED = _pattern("Permission denied", r"cannot expose privileged port (?P<other>\d+)")
_TAKEN = _pattern(
    "Address already in use",
    r"listen (?P<protocol>tcp|udp)\d? \S*?:(?P<other>\d+): bind: address already in use",
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
    protocol = found["protocol"] or found["kind"] or ""
    return TakenPort(port=_number(found), protocol=protocol.lower())


def refused_port(text: str) -> int:
    """Return the port below 1024 that a container was refused, 0 if that is not it."""
    found = _REFUSED.search(text)
    return _number(found) if found else 0


def refused_port_mend(text: str) -> str:
    """Say how a port below 1024 is had, if that is what a container was refused; else empty."""
    port = refused_port(text)
    if not port:
        return ""
    return (
        "ports below 1024 are root's:"
        f" sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
        " opens them (and a file in /etc/sysctl.d, for good)"
    )


def _number(found: re.Match[str]) -> int:
    return int(found["port"] or found["newer"] or found["other"])
