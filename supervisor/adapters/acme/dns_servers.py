"""Asks DNS: resolvers where a name leads and who serves its zone, and these what they show.

A server of a zone is asked by each of its addresses, over UDP and over TCP: an issuer may come by
any of these ways.
"""

import errno
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import msgspec
from dns.nameserver import Do53Nameserver

from supervisor.adapters.acme.dns_error import DnsError, FailureKind

PORT = 53
_ASK_SECONDS = 5.0
_LOOK_UP_SECONDS = 10.0
_LONGEST_CHAIN = 8
_AT_ONCE = 8
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""This machine has no way there: no IPv6, mostly."""


def plain(name: dns.name.Name) -> str:
    """Write a name as people do."""
    return name.to_text(omit_final_dot=True)


def host_and_port(text: str, port: int = PORT) -> tuple[str, int]:
    """Take HOST, HOST:PORT, or an IPv6 address in brackets or bare, apart."""
    if text.startswith("["):
        host, _, after = text[1:].partition("]")
        return host, int(after.removeprefix(":") or port)
    if text.count(":") == 1:
        host, _, after = text.partition(":")
        return host, int(after)
    return text, port


def resolver_of(resolvers: Sequence[str]) -> dns.resolver.Resolver:
    """Whom to ask: these, by their addresses, or those of the machine. Raises DnsError."""
    try:
        made = dns.resolver.Resolver(configure=not resolvers)
        if resolvers:
            made.nameservers = [_resolver_at(one) for one in resolvers]
    except (dns.exception.DNSException, ValueError, OSError) as error:
        raise DnsError(
            f"cannot ask DNS: {str(error) or 'this machine names no resolver'}",
            "name the addresses of some in `resolvers` of [certificates]",
            FailureKind.REFUSED,
        ) from error
    made.lifetime = _LOOK_UP_SECONDS
    made.search = []
    made.use_edns(0, 0, 1232)
    return made


def _resolver_at(place: str) -> Do53Nameserver:
    address, port = host_and_port(place)
    if not dns.inet.is_address(address):
        raise ValueError(f"“{place}” is no address")
    return Do53Nameserver(address, port)


def _said(resolver: dns.resolver.Resolver) -> str:
    """Name those who are asked."""
    return ", ".join(
        one.address if isinstance(one, Do53Nameserver) else str(one) for one in resolver.nameservers
    )


class Way(msgspec.Struct, frozen=True):
    """One of the ways by which a server can be asked."""

    server: str
    """Its name."""
    address: str
    tcp: bool

    def __str__(self) -> str:
        return f"{self.server} ({self.address}, {'TCP' if self.tcp else 'UDP'})"


class Shown(msgspec.Struct, frozen=True):
    """What came back by one way."""

    texts: frozenset[str] = frozenset()
    """Of the TXT records."""
    trouble: str = ""
    """Why there is no answer."""
    absent: bool = False
    """Whether this machine cannot even try."""
    foreign: bool = False
    """Whether somebody else answered: it was not the server's own knowledge."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Asks resolvers, and the servers of zones at a port. Its methods raise DnsError."""

    resolver: dns.resolver.Resolver
    port: int = PORT

    def end_of(
        self, name: dns.name.Name, *, is_ours: Callable[[dns.name.Name], bool]
    ) -> dns.name.Name:
        """Follow the CNAME records of a name to where its records really are.

        One that is there for all names (`*.example.org`) gives way to a record of the name itself,
        where that can be put.
        """
        seen = [name]
        while target := self._alias(seen[-1]):
            if is_ours(seen[-1]) and self._is_for_all(seen[-1], target):
                break
            if target in seen or len(seen) > _LONGEST_CHAIN:
                raise DnsError(
                    f"cannot follow {plain(name)}: its CNAME records lead nowhere: "
                    + " → ".join(map(plain, [*seen, target])),
                    "have them end at a name that is no CNAME itself",
                    FailureKind.REFUSED,
                )
            seen.append(target)
        return seen[-1]

    def _alias(self, name: dns.name.Name) -> dns.name.Name | None:
        for record in self.records(name, "CNAME"):
            return dns.name.from_text(record.to_text())
        return None

    def _is_for_all(self, name: dns.name.Name, target: dns.name.Name) -> bool:
        """Whether any name beside this one leads there, too."""
        other = f"_{secrets.token_hex(8)}".encode()
        return self._alias(dns.name.Name((other, *name.labels[1:]))) == target

    def records(self, name: dns.name.Name, kind: str) -> list[dns.rdata.Rdata]:
        """Records of a name, behind its CNAME records; none if there are none."""
        try:
            return list(self.resolver.resolve(name, kind, raise_on_no_answer=False, search=False))
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise self.unanswered(name, kind, error) from error

    def unanswered(self, name: dns.name.Name, kind: str, error: Exception) -> DnsError:
        """Say that no resolver answered."""
        why = "it does not answer" if isinstance(error, dns.exception.Timeout) else str(error)
        return DnsError(
            f"cannot look up {plain(name)} ({kind}) in DNS, asked {_said(self.resolver)}: {why}",
            "see whether this machine's network is up, and `resolvers` of [certificates] right",
        )

    def zone_of(self, name: dns.name.Name) -> dns.name.Name:
        """Name of the zone that holds a name."""
        try:
            return dns.resolver.zone_for_name(
                name, resolver=self.resolver, lifetime=_LOOK_UP_SECONDS
            )
        except (dns.exception.DNSException, OSError) as error:
            raise self.unanswered(name, "SOA", error) from error

    def ways_to(self, zone: dns.name.Name) -> list[Way]:
        """All ways to all servers of a zone."""
        ways = []
        servers = sorted(
            dns.name.from_text(record.to_text()) for record in self.records(zone, "NS")
        )
        for server in servers:
            for kind in ("A", "AAAA"):
                for record in self.records(server, kind):
                    ways += [Way(plain(server), record.to_text(), tcp) for tcp in (False, True)]
        if not ways:
            raise DnsError(
                f"cannot ask who serves {plain(zone)}: "
                + ("its name servers have no address" if servers else "it has no NS record"),
                "name its servers in the zone, and give these addresses",
            )
        return ways

    def shown(self, name: dns.name.Name, ways: Sequence[Way]) -> Iterator[tuple[Way, Shown]]:
        """Ask for the TXT records of a name by each of these ways, several at a time."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from zip(ways, pool.map(lambda way: self._ask(name, way), ways), strict=True)

    def _ask(self, name: dns.name.Name, way: Way) -> Shown:
        query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
        query.flags &= ~dns.flags.RD
        try:
            if way.tcp:
                answer = dns.query.tcp(query, way.address, _ASK_SECONDS, self.port)
            else:
                answer = ask_udp(query, way.address, _ASK_SECONDS, self.port)
        except dns.exception.Timeout:
            return Shown(trouble="no answer")
        except OSError as error:
            return Shown(trouble=error.strerror or str(error), absent=error.errno in _NO_WAY)
        except (dns.exception.DNSException, EOFError) as error:
            return Shown(trouble=str(error) or type(error).__name__)
        code = answer.rcode()
        if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return Shown(trouble=f"it answers {dns.rcode.to_text(code)}")
        texts = frozenset(
            b"".join(record.strings).decode(errors="replace")
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.TXT and rrset.name == name
            for record in rrset
        )
        return Shown(texts, foreign=not answer.flags & dns.flags.AA)


def ask_udp(
    query: dns.message.Message, address: str, seconds: float, port: int
) -> dns.message.Message:
    """Ask over UDP by a socket that hears of it when nobody listens there."""
    with socket.socket(dns.inet.af_for_address(address), socket.SOCK_DGRAM) as connected:
        connected.settimeout(0)
        connected.connect((address, port))
        return dns.query.udp(query, address, seconds, port, sock=connected)


def addresses_of(host: str) -> list[str]:
    """Addresses of a host, as the machine itself finds them. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
