"""Why another certificate is to be had: missing, due, not what is asked for, lost, revoked."""

import enum

import msgspec

from supervisor.core.certificates import renewal
from supervisor.core.certificates.records import same_terms
from supervisor.kit.texts import local_time
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Issued,
)

CLOCK_TOLERANCE = 3_600.0
"""So far ahead of the clock may the beginning of a certificate be."""


class Cause(enum.Enum):
    """What kind of reason it is."""

    PERSON = enum.auto()
    """Somebody asked for it, or changed a file."""
    ITSELF = enum.auto()
    """Nobody did."""


class OrderReason(msgspec.Struct, frozen=True):
    """One reason."""

    text: str
    cause: Cause


def is_early(issued: Issued, now: float) -> bool:
    """Whether its time has not come: a clock is wrong, or was when it was made."""
    return now < issued.facts.not_before - CLOCK_TOLERANCE


def is_expired(issued: Issued, now: float) -> bool:
    """Whether its time is over."""
    return now >= issued.facts.not_after


def is_valid(issued: Issued, now: float) -> bool:
    """Whether its time has come, and is not over."""
    return not is_early(issued, now) and not is_expired(issued, now)


def order_reason(
    desired: DesiredCertificate, record: CertificateRecord, now: float, *, lost: bool
) -> OrderReason | None:
    """Say why; None if there is no reason. `lost`: neither what is kept nor installed is whole."""
    current = record.current
    if record.asked_at:
        return OrderReason("a person asked for it", Cause.PERSON)
    if current is None:
        return OrderReason("there is none yet", Cause.ITSELF)
    if current.standin:
        return OrderReason("there is only a stand-in", Cause.ITSELF)
    if record.revoked == current.version:
        return OrderReason("it was revoked", Cause.PERSON)
    if lost:
        text = "its files are damaged or gone, and so is what was kept of them"
        return OrderReason(text, Cause.ITSELF)
    refused = record.refused
    if refused is not None and same_terms(refused.terms, desired.terms):
        if now < refused.again_at:
            return None
        return OrderReason("the last one was put back, and another is tried", Cause.ITSELF)
    if other := difference(current.terms, desired.terms):
        return OrderReason(other, Cause.PERSON)
    if text := _due(current, record, now):
        return OrderReason(text, Cause.ITSELF)
    return None


def difference(made: CertificateTerms, asked: CertificateTerms) -> str:
    """Say what is asked for that it was not made for; empty if it does."""
    if set(made.domains) != set(asked.domains):
        return "Domain= has other names"
    if made.issuer != asked.issuer:
        return f"Issuer= is {asked.issuer} now"
    if made.key_type != asked.key_type:
        return f"KeyType= is {asked.key_type} now"
    if made.profile != asked.profile:
        return f"Profile= is {asked.profile} now" if asked.profile else "Profile= is gone"
    return ""


def _due(current: Issued, record: CertificateRecord, now: float) -> str:
    if is_early(current, now) and current.terms.issuer == INTERNAL:
        return "it was made while the clock was ahead"
    if is_expired(current, now):
        return f"it expired {local_time(current.facts.not_after)}"
    if now < renewal.due_at(current, record.renewal):
        return ""
    chosen = renewal.of(current, record.renewal)
    if chosen.end and now >= chosen.at:
        text = "its issuer suggests to renew it now"
        return f"{text} ({chosen.explanation})" if chosen.explanation else text
    return f"it expires {local_time(current.facts.not_after)}"


def next_due(record: CertificateRecord) -> float:
    """When it is due by itself; 0 if there is none, or only a stand-in."""
    current, refused = record.current, record.refused
    if current is None or current.standin:
        return 0.0
    return refused.again_at if refused else renewal.due_at(current, record.renewal)


def replaces(record: CertificateRecord, terms: CertificateTerms) -> str:
    """Return the identifier of the one that an order renews, empty if it is a new one.

    What was put back was replaced already, and no issuer has that twice.
    """
    current = record.current
    if current is None or current.standin or record.refused:
        return ""
    if current.terms.issuer != terms.issuer or set(terms.domains).isdisjoint(current.terms.domains):
        return ""
    return current.facts.ari_id
