"""How often an issuer may be asked, and what of that is used up.

https://letsencrypt.org/docs/rate-limits/ has the limits that are known. What an issuer limits apart
from these, or counts of others, it says itself (`FailureKind.LIMITED`).

Registered domains are told without a list of public suffixes: what an issuer has issued for, with
two labels, is one, for it has none for a suffix. Of names that are below none of these, nothing is
counted here.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from supervisor.model.certificate import INTERNAL, CertificateRecord, CertificateTerms, Counted

HOUR, DAY = 3_600.0, 86_400.0
FAILED_VALIDATIONS_WINDOW = HOUR
ORDERS_WINDOW = 3 * HOUR
CERTIFICATES_WINDOW = 7 * DAY


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How often an issuer may be asked; 0 is not known.

    Those that renew one by `replaces` are free of all but the first.
    """

    failed_validations: int = 0
    """Of a name in an hour."""
    certificates: int = 0
    """For the same names in a week."""
    of_domain: int = 0
    """For a registered domain, or an address, in a week; but for names that had one before."""
    orders: int = 0
    """In three hours; but for names that had a certificate before."""


LETS_ENCRYPT = Limits(failed_validations=5, certificates=5, of_domain=50, orders=300)
STAGING = Limits(failed_validations=60, orders=1_500)
OTHERS = Limits(failed_validations=5)
LOOPBACK = Limits(failed_validations=20)
"""An issuer on this machine is one's own, or a test's."""
NONE = Limits()
_LETS_ENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/"
_STAGING_DIRECTORY = "https://acme-staging-v02.api.letsencrypt.org/"


def limits_of(issuer: str, directory: str) -> Limits:
    """Return what is known of the limits of an issuer, by its name and its directory's URL."""
    if issuer == INTERNAL:
        return NONE
    if directory.startswith(_LETS_ENCRYPT_DIRECTORY):
        return LETS_ENCRYPT
    if directory.startswith(_STAGING_DIRECTORY):
        return STAGING
    host = urlsplit(directory).hostname or ""
    address = _address(host)
    is_own = host == "localhost" or (address is not None and address.is_loopback)
    return LOOPBACK if is_own else OTHERS


def names_of(terms: CertificateTerms) -> tuple[str, ...]:
    """Return the set of names that an issuer counts by."""
    return tuple(sorted(set(terms.domains)))


def proven(names: Iterable[str]) -> frozenset[str]:
    """Return what is proven for these names: a wildcard is by the name that it is below."""
    return frozenset(name.removeprefix("*.") for name in names)


def allowed_at(
    terms: CertificateTerms,
    records: Iterable[CertificateRecord],
    limits: Limits,
    now: float,
    *,
    alike: Collection[str] = (),
    renews: bool = False,
) -> tuple[float, str]:
    """When an order is within the limits, `now` at the soonest, and what it waits for.

    `records` are of all certificates: they share what is counted; so do the issuers that are
    `alike`, which are one by other names. `renews` is whether the order says which one it
    `replaces`.
    """
    every, issuers = tuple(records), {terms.issuer, *alike}
    names, own = names_of(terms), proven(terms.domains)
    issued = [one for record in every for one in record.orders if one.issuer in issuers]
    failed = [one for record in every for one in record.failed_validations if one.issuer in issuers]
    new = [one for one in issued if not one.repeats]
    rows = [
        _Row(
            limits.failed_validations,
            FAILED_VALIDATIONS_WINDOW,
            [one for one in failed if not own.isdisjoint(proven(one.names))],
            "is asked {} times an hour at most for what it cannot validate",
        )
    ]
    if not renews:
        same = [one for one in issued if one.names == names]
        words = "issues {} for the same names in a week"
        rows.append(_Row(limits.certificates, CERTIFICATES_WINDOW, same, words))
    if not renews and not any(repeats(record, terms) for record in every):
        words = "takes {} orders in 3 hours"
        rows.append(_Row(limits.orders, ORDERS_WINDOW, [*new, *failed], words))
        known = _registered(every, issuers)
        for domain in sorted(_domains(names, known)):
            below = [one for one in new if domain in _domains(one.names, known)]
            words = f"issues {{}} in a week for {domain} and names below it"
            rows.append(_Row(limits.of_domain, CERTIFICATES_WINDOW, below, words))
    waits = (
        (row.free_at(now), f"{terms.issuer} {row.words.format(row.most)}")
        for row in rows
        if row.is_full(now)
    )
    return max(waits, default=(now, ""))


class _Row(NamedTuple):
    most: int
    window: float
    counted: Iterable[Counted]
    words: str

    def is_full(self, now: float) -> bool:
        return 0 < self.most <= len(self._times(now))

    def free_at(self, now: float) -> float:
        """When there are fewer within a window that ends then."""
        return self._times(now)[-self.most] + self.window

    def _times(self, now: float) -> list[float]:
        return sorted(one.at for one in self.counted if abs(one.at - now) < self.window)


def repeats(record: CertificateRecord, terms: CertificateTerms) -> bool:
    """Whether there was a certificate for the same names by this issuer."""
    names = names_of(terms)
    had = (record.current, record.previous)
    return any(one.issuer == terms.issuer and one.names == names for one in record.orders) or any(
        one.terms.issuer == terms.issuer and names_of(one.terms) == names for one in had if one
    )


def _registered(records: Iterable[CertificateRecord], issuers: Collection[str]) -> set[str]:
    """Return registered domains: names of two labels that the issuer has issued for."""
    sets: list[Iterable[str]] = []
    for record in records:
        sets += (one.names for one in record.orders if one.issuer in issuers)
        had = (record.current, record.previous)
        sets += (one.terms.domains for one in had if one and one.terms.issuer in issuers)
    return {name for names in sets for name in proven(names) if name.count(".") == 1}


def _domains(names: Iterable[str], registered: Collection[str]) -> set[str]:
    """Return what these names are counted by, where that is certain."""
    return set(_certain(proven(names), registered))


def _certain(names: Iterable[str], registered: Collection[str]) -> Iterator[str]:
    for name in names:
        match _address(name):
            case None:
                domain = ".".join(name.split(".")[-2:])
                if domain in registered:
                    yield domain
            case IPv6Address() as address:
                yield str(IPv6Network((address, 64), strict=False))
            case _:
                yield name


def _address(text: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(text)
    return None


def still_counted(counted: Iterable[Counted], window: float, now: float) -> tuple[Counted, ...]:
    """Return what may count yet, also if the clock is set back a little."""
    return tuple(one for one in counted if abs(one.at - now) < 2 * window)
