"""Who sends a webhook: the address that counts, behind proxies whose word is taken."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from supervisor.model.webhook import Sender

_LONGEST = 1_000
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_HOME_BITS = 64
"""Of an IPv6 address, what tells one customer of a provider from another."""


def sender(peer: str, forwarded: str, proxies: Sequence[str]) -> Sender:
    """Return who sent a request; `forwarded` is its X-Forwarded-For.

    That header is what anybody may write, up to what a trusted proxy added: it is read from its
    end, as long as proxies are known. Whoever runs where a proxy does may have written all of it.
    """
    if (address := _address(peer)) is None:
        return Sender(peer)
    trusted = _networks(tuple(proxies))
    by_proxy = any(address in one for one in trusted)
    hops = forwarded.split(",") if len(forwarded) <= _LONGEST else []
    while hops and any(address in one for one in trusted):
        if (before := _address(hops.pop().strip())) is None:
            break
        address = before
    return Sender(str(address), by_proxy=by_proxy)


def rate_limit_key(address: str) -> str:
    """Return what limits are counted by: an IPv4 address, or the network of an IPv6 one."""
    parsed = _address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _HOME_BITS), strict=False))
    return address if parsed is None else str(parsed)


def parse_listen(text: str) -> tuple[str, int]:
    """Part `ADDRESS:PORT`. Raises ValueError, with a sentence."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise ValueError("it does not end with a port, such as :9078")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    return str(ipaddress.IPv4Address(host)), int(port)


@lru_cache(maxsize=4)
def _networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return list(map(ipaddress.ip_network, texts))


def _address(text: str) -> _Address | None:
    """Parse an address as proxies write it: perhaps with a port, perhaps in brackets."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
