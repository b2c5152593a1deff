"""Whether a renewal that keeps failing is told of now: long before the end, and once a day."""

from supervisor.kit.texts import count, local_time
from supervisor.model.certificate import CertificateRecord

SHARE = 1 / 5
"""With less of its life left, a failing renewal is told of again and again."""
AGAIN_SECONDS = 86_400.0


def next_at(record: CertificateRecord) -> float:
    """When it is to be told of next; 0 is not at all."""
    issued = record.current
    if issued is None or issued.standin or not _fails(record):
        return 0.0
    facts = issued.facts
    soonest = facts.not_after - facts.lifetime * SHARE
    return max(soonest, record.warned_at + AGAIN_SECONDS if record.warned_at else soonest)


def _fails(record: CertificateRecord) -> bool:
    return any((record.failure, record.files_failure, record.refused))


def due(name: str, record: CertificateRecord, now: float) -> str:
    """Return what is to be told now, as a sentence without a full stop; empty is nothing."""
    issued, at = record.current, next_at(record)
    if issued is None or not at:
        return ""
    # Told of in the future: the clock was set back.
    if now < at and record.warned_at <= now:
        return ""
    facts = issued.facts
    if now < facts.not_after - facts.lifetime * SHARE:
        return ""
    ends = "expired" if now >= facts.not_after else "expires"
    return f"{name} {ends} {local_time(facts.not_after)}, and {_why(record)}"


def _why(record: CertificateRecord) -> str:
    files, failure, refused = record.files_failure, record.failure, record.refused
    if files:
        what = "a newer one cannot be installed" if record.ready else "its files are not in order"
        tries = f"{count(files.count, 'try', 'tries')}, the first {local_time(files.since)}"
        return f"{what} ({tries}): {files.message}"
    if failure:
        orders = f"{count(failure.count, 'order')} failed"
        first = local_time(failure.since)
        return f"cannot be renewed ({orders}, the first {first}): {failure.message}"
    return f"a newer one was put back: {refused.reason}" if refused else ""


def hint_of(record: CertificateRecord) -> str:
    """Return what can be done about it."""
    failing = record.files_failure or record.failure
    return failing.hint if failing else ""
