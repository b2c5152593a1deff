"""Names for which podvisor's own authority may sign: those that nobody has in the public DNS.

They stand in the authority's certificate, so whoever trusts it does not trust it for others
(RFC 5280, section 4.2.1.10).
"""

import ipaddress
from collections.abc import Iterable

DOMAINS = (
    "home.arpa",  # RFC 8375
    "internal",  # reserved by ICANN
    "local",  # RFC 6762, and in its appendix G the next ones, which people have at home
    "lan",
    "home",
    "corp",
    "intranet",
    "private",
    "localdomain",
    "localhost",  # RFC 6761, as the next one
    "test",
    "fritz.box",
)
"""These, and all names below them."""
NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)


def outside(
    names: Iterable[str], *, domains: Iterable[str], networks: Iterable[str] = NETWORKS
) -> tuple[str, ...]:
    """Return the names (as of `CertificateTerms.domains`) that are in none of these."""
    below = tuple(f".{one}" for one in domains)
    ranges = [ipaddress.ip_network(one) for one in networks]
    return tuple(name for name in names if not _is_inside(name, below, ranges))


def _is_inside(
    name: str,
    below: tuple[str, ...],
    ranges: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return f".{name.removeprefix('*.')}".endswith(below)
    return any(address in one for one in ranges)
