"""The addresses that this machine has: /proc/net/fib_trie and /proc/net/if_inet6, see proc(5)."""

import ipaddress
import re
from contextlib import suppress
from pathlib import Path

_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


def own_addresses(*, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return all of them, IPv4 first, those of the loopback last of each."""
    found: list[str] = []
    with suppress(OSError):
        found += _LOCAL.findall((proc / "net/fib_trie").read_text())
    with suppress(OSError):
        for line in (proc / "net/if_inet6").read_text().splitlines():
            digits = line.split(maxsplit=1)[0]
            found.append(str(ipaddress.IPv6Address(int(digits, 16))))
    known = {one: ipaddress.ip_address(one) for one in found}
    return tuple(
        sorted(known, key=lambda one: (known[one].version, known[one].is_loopback, known[one]))
    )


def is_own(address: str, own: tuple[str, ...]) -> bool:
    """Whether it is this machine's: one of these, or of the loopback."""
    return address in own or ipaddress.ip_address(address).is_loopback


def others_see(own: tuple[str, ...]) -> list[str]:
    """Return those of them by which other machines may know this one."""
    found = [ipaddress.ip_address(one) for one in own]
    return [str(one) for one in found if not (one.is_loopback or one.is_link_local)]
