"""Where podvisor is asked: the control socket, or a URL."""

import os
from typing import NamedTuple

_SCHEMES = {"http": 80, "https": 443}


class Place(NamedTuple):
    """A socket's path, or what a URL says."""

    socket: str = ""
    host: str = ""
    port: int = 0
    is_tls: bool = False
    prefix: str = ""
    """What comes before `/v1/…`, without a slash at its end."""
    name: str = "podvisor"
    """For the header `Host`."""
    token: str = ""

    @property
    def speaker(self) -> str:
        """Who answers there, in messages to people."""
        return "the daemon" if self.socket else f"podvisor at {self.host}"

    def __str__(self) -> str:
        """Name it, for people; without its token."""
        return self.socket or f"{self.name}{self.prefix}"


def runtime_folder() -> str:
    """Return the user's runtime folder, also where the session (su, cron) does not say it."""
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def control_socket() -> str:
    """Return the path of the daemon's control socket."""
    return f"{runtime_folder()}/podvisor/control.sock"


def place_of(url: str, token: str = "") -> Place:
    """Return what a base URL (`https://podvisor.example.org`) says. Raises ValueError."""
    from urllib.parse import urlsplit  # noqa: PLC0415  # the command line has no URL

    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"no http:// or https:// URL: {url!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a base URL has no user, query or fragment; a token is said as `token`")
    if not all("!" <= character <= "~" for character in token + parts.netloc + parts.path):
        raise ValueError("a URL and a token are printable ASCII, without spaces")
    return Place(
        host=parts.hostname,
        port=parts.port or _SCHEMES[parts.scheme],
        is_tls=parts.scheme == "https",
        prefix=parts.path.rstrip("/"),
        name=parts.netloc,
        token=token,
    )
