"""When the next order may be made after one that failed, and within an issuer's limits.

https://letsencrypt.org/docs/rate-limits/ has the limits that are known. What an issuer limits apart
from these, it says itself (`FailureKind.LIMITED`).
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    Challenge,
    Counted,
)

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

PASSING_SECONDS = (
    1 * MINUTE,  # a connection that broke
    5 * MINUTE,
    15 * MINUTE,
    HOUR,  # it is down: and so on, for days
)
VALIDATION_SECONDS = (
    15 * MINUTE,  # a record or a port that is just being set
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,  # somebody has to look at it; five an hour would lock the name
)
LIMITED_SECONDS = (HOUR, 3 * HOUR, 12 * HOUR, DAY)
"""Where the issuer does not say until when."""
_TABLES = {
    FailureKind.PASSING: PASSING_SECONDS,
    FailureKind.VALIDATION: VALIDATION_SECONDS,
    FailureKind.LIMITED: LIMITED_SECONDS,
}
LONGEST_WAIT = 8 * DAY
"""No issuer's limit lasts longer; what is further ahead was written before the clock was set back.
"""

FAILED_VALIDATIONS_WINDOW = HOUR
CERTIFICATES_WINDOW = 7 * DAY


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How often an issuer may be asked; 0 is not known."""

    certificates: int = 0
    """For the same names in a week, but for those that renew one by `replaces`."""
    failed_validations: int = 0
    """Of a name in an hour."""


LETS_ENCRYPT = Limits(certificates=5, failed_validations=5)
OTHERS = Limits(failed_validations=5)
LOOPBACK = Limits(failed_validations=20)
"""An issuer on this machine is one's own, or a test's."""
NONE = Limits()
_LETS_ENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/"


def limits_of(issuer: str, directory: str) -> Limits:
    """Return what is known of the limits of an issuer, by its name and its directory's URL."""
    if issuer == INTERNAL:
        return NONE
    if directory.startswith(_LETS_ENCRYPT_DIRECTORY):
        return LETS_ENCRYPT
    host = urlsplit(directory).hostname or ""
    return LOOPBACK if host == "localhost" or _is_loopback(host) else OTHERS


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def names_of(terms: CertificateTerms) -> tuple[str, ...]:
    """Return the set of names that an issuer counts by."""
    return tuple(sorted(set(terms.domains)))


def way_of(challenge: Challenge, settings: msgspec.Struct) -> str:
    """Tell a challenge and all settings of certificates from others."""
    text = msgspec.json.Encoder(enc_hook=repr, order="deterministic").encode((challenge, settings))
    return hashlib.sha256(text).hexdigest()[:16]


def retry_at(refusal: OrderRefusal, failures: int, now: float) -> float:
    """When it is tried again after so many failures in a row (1 or more); 0 is not by itself."""
    if refusal.kind is FailureKind.REFUSED:
        return 0.0
    seconds = _nth(_TABLES[refusal.kind], failures)
    if refusal.kind is FailureKind.LIMITED and refusal.retry_after:
        # A clock that is a little ahead is not to ask too early.
        seconds = refusal.retry_after + MINUTE
    return now + min(max(seconds, refusal.retry_after), LONGEST_WAIT)


def _nth(table: tuple[float, ...], failures: int) -> float:
    return table[min(max(failures, 1), len(table)) - 1]


def allowed_at(
    terms: CertificateTerms,
    records: Iterable[CertificateRecord],
    limits: Limits,
    now: float,
    *,
    renews: bool = False,
) -> tuple[float, str]:
    """When an order is within the limits, `now` at the soonest, and what it waits for.

    `records` are of all certificates: those for the same names share what is counted. `renews` is
    whether the order says which one it `replaces`.
    """
    names = names_of(terms)
    every = tuple(records)

    def issued_for_them(one: Counted) -> bool:
        return one.names == names

    def has_one_of_them(one: Counted) -> bool:
        return not set(names).isdisjoint(one.names)

    failed = _free_at(
        (one for record in every for one in record.failed_validations),
        terms.issuer,
        has_one_of_them,
        most=limits.failed_validations,
        window=FAILED_VALIDATIONS_WINDOW,
        now=now,
    )
    spent = _free_at(
        (one for record in every for one in record.orders),
        terms.issuer,
        issued_for_them,
        most=0 if renews else limits.certificates,
        window=CERTIFICATES_WINDOW,
        now=now,
    )
    if max(failed, spent) <= now:
        return now, ""
    if spent >= failed:
        return spent, f"{terms.issuer} issues {limits.certificates} for the same names in a week"
    most = limits.failed_validations
    return (
        failed,
        f"{terms.issuer} is asked {most} times an hour at most for what it cannot validate",
    )


def _free_at(
    counted: Iterable[Counted],
    issuer: str,
    is_like: Callable[[Counted], bool],
    *,
    most: int,
    window: float,
    now: float,
) -> float:
    """When there are fewer than `most` of them within a window that ends then."""
    if not most:
        return now
    times = sorted(one.at for one in counted if one.issuer == issuer and is_like(one))
    times = [at for at in times if abs(at - now) < window]
    return times[-most] + window if len(times) >= most else now


def still_counted(counted: Iterable[Counted], window: float, now: float) -> tuple[Counted, ...]:
    """Return what may count yet, also if the clock is set back a little."""
    return tuple(one for one in counted if abs(one.at - now) < 2 * window)
