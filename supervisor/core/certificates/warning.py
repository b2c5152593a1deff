"""Whether a renewal that keeps failing is told of now: long before the end, and once a day."""

from supervisor.kit.texts import count, relative
from supervisor.model.certificate import CertificateRecord

SHARE = 1 / 5
"""With less of its life left, a failing renewal is told of again and again."""
AGAIN_SECONDS = 86_400.0


def next_at(record: CertificateRecord) -> float:
    """When it is to be told of next; 0 is not at all."""
    issued, failure = record.current, record.failure
    if issued is None or issued.standin or failure is None:
        return 0.0
    facts = issued.facts
    soonest = facts.not_after - facts.lifetime * SHARE
    return max(soonest, failure.told_at + AGAIN_SECONDS if failure.told_at else soonest)


def due(name: str, record: CertificateRecord, now: float) -> str:
    """Return what is to be told now, as a sentence without a full stop; empty is nothing."""
    issued, failure = record.current, record.failure
    at = next_at(record)
    if issued is None or failure is None or not at:
        return ""
    # Told of in the future: the clock was set back.
    if now < at and failure.told_at <= now:
        return ""
    facts = issued.facts
    if now < facts.not_after - facts.lifetime * SHARE:
        return ""
    ends = "expired" if now >= facts.not_after else "expires"
    failed = f"{count(failure.count, 'order')} failed, the first {relative(failure.since, now=now)}"
    return (
        f"{name} {ends} {relative(facts.not_after, now=now)}, and cannot be renewed"
        f" ({failed}): {failure.message}"
    )
