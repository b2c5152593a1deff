"""Which certificate of another client's does for what a `.certificate` file asks for, and when.

It takes the place of an order: where there would be one, and where a person says so.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from supervisor.core.certificates import renewal
from supervisor.core.certificates.order_reason import (
    difference,
    is_early,
    is_expired,
    order_reason,
)
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Issued,
)
from supervisor.model.imported import Imported


def same_directory(one: str, other: str) -> bool:
    """Whether two URLs are those of one issuer's directory."""
    return one.rstrip("/") == other.rstrip("/")


def does_for(one: Imported, terms: CertificateTerms, directory: str) -> bool:
    """Whether it is what these terms ask for; `directory` is their issuer's."""
    if one.directory and not same_directory(one.directory, directory):
        return False
    if not one.directory and terms.issuer == INTERNAL:
        return False
    fits_profile = terms.profile in ("", one.profile)
    return (
        fits_profile
        and one.key_type == terms.key_type
        and set(one.facts.names) == set(terms.domains)
    )


def as_issued(one: Imported, terms: CertificateTerms) -> Issued:
    """Return it as one that was issued by these terms."""
    facts = one.facts if one.directory else replace(one.facts, ari_id="")
    return Issued(facts=facts, terms=terms, digest=one.digest)


def chosen(
    found: Iterable[Imported],
    desired: DesiredCertificate,
    record: CertificateRecord,
    now: float,
    *,
    directory: str,
    lost: bool,
) -> Imported | None:
    """Return the one to take; None if there is none, or no need of one.

    `lost` is as of `order_reason`.
    """
    fitting = [one for one in found if does_for(one, desired.terms, directory)]
    fitting = [one for one in fitting if _is_of_use(one, desired, record, now)]
    if not fitting:
        return None
    latest = max(fitting, key=lambda one: one.facts.not_after)
    said = [one for one in fitting if _is_said(one, record)]
    if said:
        return max(said, key=lambda one: one.at)
    reason = order_reason(desired, record, now, lost=lost)
    if reason is None:
        return None
    if _is_in_need(desired, record, now, lost=lost):
        return latest
    current = record.current
    if current is None or record.asked_at > latest.at:
        return None
    issued = as_issued(latest, desired.terms)
    is_better = latest.facts.not_after > current.facts.not_after
    return latest if is_better and now < renewal.due_at(issued, None) else None


def _is_of_use(
    one: Imported, desired: DesiredCertificate, record: CertificateRecord, now: float
) -> bool:
    issued = as_issued(one, desired.terms)
    known = [record.revoked, record.current.version if record.current else ""]
    if not _is_said(one, record):
        known += [record.refused.version if record.refused else ""]
        known += [record.previous.version if record.previous else ""]
    return not (one.version in known or is_early(issued, now) or is_expired(issued, now))


def _is_said(one: Imported, record: CertificateRecord) -> bool:
    """Whether a person wants it in the place of the one that was there at that time.

    What was put back since is not tried again.
    """
    since = [record.current.installed_at] if record.current else []
    since += [record.refused.at] if record.refused else []
    return one.replaces_valid and one.at > max(since, default=0.0)


def _is_in_need(
    desired: DesiredCertificate, record: CertificateRecord, now: float, *, lost: bool
) -> bool:
    """Whether there is none that could be served, or it is not what is asked for."""
    current = record.current
    return (
        current is None
        or current.standin
        or lost
        or is_expired(current, now)
        or bool(difference(current.terms, desired.terms))
    )
