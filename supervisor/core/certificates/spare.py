"""Which certificate that was had before is what is asked for now: it takes the place of an order.

The former one, where terms were changed and changed back; or one that no app asks for any more,
where its file has another name now.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.certificates import renewal
from supervisor.core.certificates.order_reason import difference, is_early, order_reason
from supervisor.core.certificates.records import same_terms
from supervisor.model.certificate import CertificateRecord, DesiredCertificate, Issued


class Spare(msgspec.Struct, frozen=True, kw_only=True):
    """One that may be taken."""

    name: str
    """Of the certificate that it is kept as."""
    issued: Issued


def spares(
    desired: DesiredCertificate,
    record: CertificateRecord,
    others: Mapping[str, CertificateRecord],
    now: float,
) -> Iterator[Spare]:
    """Yield what would do, if it is kept still; `others` are those that no app asks for."""
    refused = record.refused.version if record.refused else ""
    found = [(desired.name, record, record.previous)]
    found += [(name, one, one.current) for name, one in others.items()]
    for name, known, issued in found:
        if issued is None or issued.standin or issued.version in (known.revoked, refused):
            continue
        if not same_terms(issued.terms, desired.terms) or is_early(issued, now):
            continue
        if now < renewal.due_at(issued, known.renewal):
            yield Spare(name=name, issued=issued)


def is_wanted(desired: DesiredCertificate, record: CertificateRecord, now: float) -> bool:
    """Whether one may take the place of an order: what is there is not what is asked for.

    Who asked for another one, or lost it, or had it declared void, gets a new one.
    """
    current = record.current
    if record.asked_at or record.ready or (current and record.revoked == current.version):
        return False
    if order_reason(desired, record, now, lost=False) is None:
        return False
    return current is None or current.standin or bool(difference(current.terms, desired.terms))
