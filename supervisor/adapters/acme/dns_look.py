"""Looks at what DNS says of a name: whom it lets issue certificates, and where it leads.

For messages to people, before an order or after one that failed: nothing here raises.
"""

from collections.abc import Collection, Sequence

import dns.exception
import dns.inet
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.CAA
import dns.resolver
import msgspec

from supervisor.adapters.acme.dns_error import DnsError
from supervisor.adapters.acme.dns_servers import Asker, plain, resolver_of

_CRITICAL = 0x80
_KNOWN = {b"issue", b"issuewild", b"iodef", b"contactemail", b"contactphone", b"issuemail"}
"""Properties that an issuer understands, or may pass over."""
UNANSWERED = "cannot be looked up"
_FAILED = dns.rcode.to_text(dns.rcode.SERVFAIL)
_PERSIST = "_validation-persist"
_LOOK_UP_SECONDS = 4.0
"""A message to people can do without it."""


class _Unanswered(Exception):
    """The servers of a name said that they cannot say."""


def caa_problem(
    domain: str, issuer_names: Collection[str], resolvers: Sequence[str], *, challenge: str = ""
) -> str:
    """Say why the CAA records of a name (RFC 8659) forbid an issuer to certify it; empty if not.

    `issuer_names` are those that the issuer goes by there (`caaIdentities` of its directory);
    without any, nothing can be said. With `challenge`, also what it may validate by (RFC 8657).
    """
    wildcard = domain.startswith("*.")
    name = _name(domain)
    if name is None or not issuer_names:
        return ""
    try:
        at, records = _relevant(name, _quick(resolvers))
    except DnsError:
        return ""
    except _Unanswered as error:
        return (
            f"the CAA records of {domain} {UNANSWERED} ({error}): an issuer must take that for a no"
        )
    known = {_bare(one) for one in issuer_names}
    for record in records:
        if record.flags & _CRITICAL and record.tag.lower() not in _KNOWN:
            tag = record.tag.decode()
            return (
                f"the CAA records of {plain(at)} hold a critical property that nobody knows: {tag}"
            )
    allowed = _allowed(records, wildcard=wildcard)
    if not allowed:
        return ""
    ours = [rule for rule in allowed if rule.issuer in known]
    if any(not rule.methods or not challenge or challenge in rule.methods for rule in ours):
        return ""
    if ours:
        return (
            f"the CAA records of {plain(at)} let {ours[0].issuer} validate by "
            f"{', '.join(sorted(ours[0].methods))} only, not by {challenge}"
        )
    asked = " or ".join(sorted(known))
    return f"{_in_words(at, allowed, wildcard=wildcard)}, not {asked}"


def caa_issuers(domain: str, resolvers: Sequence[str]) -> str:
    """Say whom the CAA records of a name let certify it; empty if all may, or nobody answers."""
    wildcard = domain.startswith("*.")
    if (name := _name(domain)) is None:
        return ""
    try:
        at, records = _relevant(name, _quick(resolvers))
    except (DnsError, _Unanswered):
        return ""
    allowed = _allowed(records, wildcard=wildcard)
    return _in_words(at, allowed, wildcard=wildcard) if allowed else ""


def _allowed(records: Sequence[dns.rdtypes.ANY.CAA.CAA], *, wildcard: bool) -> "list[_Rule]":
    wild = [record for record in records if record.tag.lower() == b"issuewild"]
    rules = [record for record in records if record.tag.lower() == b"issue"]
    if wildcard and wild:
        rules = wild
    return [_Rule.of(record) for record in rules]


def _in_words(at: dns.name.Name, allowed: "Sequence[_Rule]", *, wildcard: bool) -> str:
    who = ", ".join(sorted({rule.issuer for rule in allowed} - {""})) or "nobody"
    what = "wildcard certificates" if wildcard else "certificates"
    return f"the CAA records of {plain(at)} let {who} issue {what}"


def _quick(resolvers: Sequence[str]) -> dns.resolver.Resolver:
    resolver = resolver_of(resolvers)
    resolver.lifetime = _LOOK_UP_SECONDS
    return resolver


class _Rule(msgspec.Struct, frozen=True):
    """An `issue` or `issuewild` property."""

    issuer: str
    methods: frozenset[str] = frozenset()

    @classmethod
    def of(cls, record: dns.rdtypes.ANY.CAA.CAA) -> "_Rule":
        issuer, *parameters = record.value.decode(errors="replace").split(";")
        methods: frozenset[str] = frozenset()
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "validationmethods":
                methods = frozenset(word.strip() for word in value.split(","))
        return cls(_bare(issuer), methods)


def _bare(issuer: str) -> str:
    return issuer.strip().lower().rstrip(".")


def _relevant(
    name: dns.name.Name, resolver: dns.resolver.Resolver
) -> tuple[dns.name.Name, list[dns.rdtypes.ANY.CAA.CAA]]:
    """Climb the tree to the first name with CAA records (RFC 8659, section 3).

    Raises DnsError where no resolver answers, and _Unanswered where it says that it cannot.
    """
    while name != dns.name.root:
        try:
            answer = resolver.resolve(name, "CAA", raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            pass
        except dns.resolver.NoNameservers as error:
            # Other codes are of the resolver itself: one that has some zones refuses the rest.
            if (code := _code(error)) == _FAILED:
                raise _Unanswered(f"{plain(name)}: {code}") from error
            raise DnsError(f"cannot look up {plain(name)} (CAA)") from error
        except (dns.exception.DNSException, OSError) as error:
            raise DnsError(f"cannot look up {plain(name)} (CAA)") from error
        else:
            records = [one for one in answer if isinstance(one, dns.rdtypes.ANY.CAA.CAA)]
            if records:
                return name, records
        name = name.parent()
    return name, []


def _code(error: dns.resolver.NoNameservers) -> str:
    """Return what the last resolver said that said something; empty if none did."""
    for *_, response in reversed(error.kwargs.get("errors", [])):
        if response is not None:
            return dns.rcode.to_text(response.rcode())
    return ""


class Addresses(msgspec.Struct, frozen=True):
    """Where a name leads."""

    found: tuple[str, ...] = ()
    """IPv4 first."""
    is_known: bool = True
    """Whether that is all: every question was answered."""


def addresses(domain: str, resolvers: Sequence[str]) -> Addresses:
    """Look up where a name leads now; an address leads to itself."""
    bare = domain.removeprefix("*.")
    if (name := _name(domain)) is None:
        return Addresses((bare,)) if dns.inet.is_address(bare) else Addresses(is_known=False)
    found: list[str] = []
    is_known = True
    try:
        asker = Asker(resolver=_quick(resolvers))
    except DnsError:
        return Addresses(is_known=False)
    for kind in ("A", "AAAA"):
        try:
            found += sorted(record.to_text() for record in asker.records(name, kind))
        except DnsError:
            is_known = False
            if not found:
                break
    return Addresses(tuple(found), is_known)


def where(domain: str, resolvers: Sequence[str]) -> str:
    """Say where a name leads now, IPv4 first, or that it does not; empty if nobody answers."""
    bare = domain.removeprefix("*.")
    if dns.inet.is_address(bare):
        return ""
    one = addresses(domain, resolvers)
    if one.found:
        return f"{bare} leads to {', '.join(one.found)}"
    return f"{bare} has no address" if one.is_known else ""


def persist_record(
    domain: str, *, issuer: str, account: str, until: float = 0.0
) -> tuple[str, str]:
    """Return name and value of the TXT record by which `dns-persist-01` lets an issuer certify.

    `issuer` is one of the names that it goes by in DNS, `account` the URL of the account there;
    until then (seconds since 1970), 0 for as long as it stands. podvisor never writes it.
    """
    value = f"{issuer}; accounturi={account}"
    if domain.startswith("*."):
        value += "; policy=wildcard"
    if until:
        value += f"; persistUntil={int(until)}"
    return f"{_PERSIST}.{domain.removeprefix('*.')}", value


def persist_problem(
    domain: str, *, issuer: str, account: str, now: float, resolvers: Sequence[str]
) -> str:
    """Say why no record that stands there lets this account certify a name; empty if one does."""
    name, value = persist_record(domain, issuer=issuer, account=account)
    asked = _name(name)
    if asked is None:
        return f"{name} is no possible name"
    try:
        records = Asker(resolver=resolver_of(resolvers)).records(asked, "TXT")
    except DnsError as error:
        return str(error)
    texts = [_text(record) for record in records]
    terms = [_terms(text) for text in texts]
    ours = [one for one in terms if one.get("") == _bare(issuer)]
    mine = [one for one in ours if one.get("accounturi") == account]
    if domain.startswith("*."):
        wild = [one for one in mine if one.get("policy", "").lower() == "wildcard"]
        if mine and not wild:
            return f"the record {name} is not for wildcards: it needs policy=wildcard"
        mine = wild
    if any(_until(one) > now for one in mine):
        return ""
    if mine:
        return f"the record {name} is over: its persistUntil has passed"
    if ours:
        return f"the record {name} is for another account of {issuer}, not for {account}"
    return f"there is no record {name} with the value “{value}”"


def _text(record: dns.rdata.Rdata) -> str:
    strings: Sequence[bytes] = getattr(record, "strings", ())
    return b"".join(strings).decode(errors="replace")


def _terms(text: str) -> dict[str, str]:
    """Take a value apart: the issuer stands under the empty name."""
    issuer, *parameters = text.split(";")
    terms = {"": _bare(issuer)}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        terms[key.strip().lower()] = value.strip()
    return terms


def _until(terms: dict[str, str]) -> float:
    text = terms.get("persistuntil")
    if text is None:
        return float("inf")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _name(domain: str) -> dns.name.Name | None:
    """Read a domain, without its `*.`; None for an address, and for what is no name."""
    bare = domain.removeprefix("*.")
    if dns.inet.is_address(bare):
        return None
    try:
        return dns.name.from_text(bare)
    except (dns.exception.DNSException, ValueError):
        return None
