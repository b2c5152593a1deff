"""Where systemd listens for the page, as it says itself."""

from collections.abc import Iterator

from supervisor.adapters.host.commands import answer
from supervisor.cli.local.page_units import SOCKET
from supervisor.core.githost.client_address import parse_listen

_ALL = ("0.0.0.0", "::")  # noqa: S104  # they are compared with


def is_there(address: str, port: int) -> bool:
    """Whether it is the page's own socket that keeps others from listening there."""
    return any(
        taken == port and (address in _ALL or where in (address, *_ALL))
        for where, taken in _listens()
    )


def _listens() -> Iterator[tuple[str, int]]:
    told = answer("systemctl", "--user", "show", "--property=ActiveState,Listen", SOCKET)
    lines = told.splitlines()
    for line in lines if "ActiveState=active" in lines else ():
        name, _, value = line.partition("=")
        try:
            if name == "Listen":
                yield parse_listen(value.partition(" ")[0])
        except ValueError:
            continue  # a socket in a folder
