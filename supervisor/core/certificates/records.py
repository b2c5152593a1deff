"""What becomes of a certificate's record by what was done, as values.

`next_step` says what is done.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from supervisor.core.certificates import backoff, limits
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    CheckedServer,
    Counted,
    FilesFailure,
    Issued,
    OrderFailure,
    PutBack,
    Stage,
)

HOUR = 3_600.0


def issued(record: CertificateRecord, new: Issued, now: float) -> CertificateRecord:
    """Another one was issued and kept; it is counted, whatever becomes of it."""
    if new.standin:
        return replace(record, ready=new)
    return replace(counted(record, new.terms, now), ready=new, failure=None)


def imported(record: CertificateRecord, new: Issued, now: float) -> CertificateRecord:
    """One of another client's is kept; its issuer may count it, if it was issued of late."""
    at, facts = new.facts.not_before, new.facts
    is_counted = bool(facts.ari_id) and now - limits.CERTIFICATES_WINDOW < at <= now
    after = counted(record, new.terms, at) if is_counted else record
    return replace(after, ready=new, failure=None)


def spared(record: CertificateRecord, one: Issued) -> CertificateRecord:
    """One that was had before is to be installed; its issuer has counted it already."""
    return replace(record, ready=one, failure=None)


def installed(
    record: CertificateRecord,
    new: Issued,
    *,
    folder: str,
    now: float,
    down: tuple[str, ...] = (),
) -> CertificateRecord:
    """What was issued is installed. A stand-in is never what can be put back.

    `down` are those who use it and do not run, whatever becomes of this one.
    """
    former = _by_issuer(record.current) or record.previous
    after = replace(
        _to_be_seen(record),
        current=replace(new, installed_at=now),
        previous=former,
        ready=None,
        installed_in=folder,
        renewal=None,
    )
    if new.standin:
        return replace(after, stage=Stage.SERVED)
    return replace(
        after,
        stage=Stage.INSTALLED,
        since=now,
        down=down,
        failure=None,
        refused=None,
        # As long as it could be put back, it is known that it may not be.
        revoked=record.revoked if former and former.version == record.revoked else "",
        asked_at=0.0,
    )


def _by_issuer(current: Issued | None) -> Issued | None:
    return current if current and not current.standin else None


def _not_looked_at(record: CertificateRecord) -> CertificateRecord:
    """Nobody has looked yet whether it is served."""
    return replace(record, looked_since=0.0, looked_at=0.0, unserved="")


def _to_be_seen(record: CertificateRecord) -> CertificateRecord:
    """Nobody has seen yet that it is served, wherever it was before."""
    servers = tuple(replace(one, is_seen=False) for one in record.servers)
    return replace(_not_looked_at(record), servers=servers)


def to_be_seen_at(record: CertificateRecord, urls: tuple[str, ...]) -> CertificateRecord:
    """`Check=` names these servers; what was seen of others is forgotten."""
    if tuple(one.url for one in record.servers) == urls:
        return record
    known = {one.url: one for one in record.servers}
    servers = tuple(known.get(url) or CheckedServer(url=url) for url in urls)
    return replace(_not_looked_at(record), servers=servers)


def saw(record: CertificateRecord, versions: Mapping[str, str]) -> CertificateRecord:
    """It was looked which of them these servers serve: URL to version, empty for none."""
    current = record.current.version if record.current else ""

    def seen(one: CheckedServer) -> CheckedServer:
        if one.url not in versions:
            return one
        version = versions[one.url]
        is_seen = bool(version) and version == current
        return replace(one, is_seen=is_seen, version=version or one.version)

    return replace(record, servers=tuple(map(seen, record.servers)))


def counted(record: CertificateRecord, terms: CertificateTerms, now: float) -> CertificateRecord:
    """Count a certificate that was issued."""
    if terms.issuer == INTERNAL:
        return record
    one = Counted(
        at=now,
        issuer=terms.issuer,
        names=limits.names_of(terms),
        repeats=limits.repeats(record, terms),
    )
    before = limits.still_counted(record.orders, limits.CERTIFICATES_WINDOW, now)
    return replace(record, orders=(*before, one))


def installed_again(record: CertificateRecord, *, folder: str) -> CertificateRecord:
    """What is current was put where it belongs."""
    return replace(record, installed_in=folder)


def lost_folder(record: CertificateRecord) -> CertificateRecord:
    """The folder in which it was installed is gone: who has mounted it is cut off."""
    return replace(record, folder_lost=True)


def in_folder(record: CertificateRecord, folder_id: str, *, manner: str) -> CertificateRecord:
    """It was installed in this folder: if the former one was lost, its version is another one."""
    if not record.folder_lost:
        return replace(record, folder_id=folder_id, installed_as=manner)
    return replace(
        _to_be_seen(record),
        folder_id=folder_id,
        installed_as=manner,
        folder_lost=False,
        folders_lost=record.folders_lost + 1,
    )


def moved(record: CertificateRecord, before: str) -> CertificateRecord:
    """It is installed elsewhere now; where it was, somebody may read it still."""
    left = (one for one in (*record.left, before) if one != record.installed_in)
    return replace(record, left=tuple(dict.fromkeys(left)))


def let_go(record: CertificateRecord) -> CertificateRecord:
    """Nobody asks for it any more, and nothing of it is installed; what is kept may serve again."""
    return replace(
        served(_to_be_seen(record)),
        ready=None,
        installed_in="",
        installed_as="",
        folder_id="",
        folder_lost=False,
        left=(),
        failure=None,
        files_failure=None,
        asked_at=0.0,
    )


def files_failed(
    record: CertificateRecord, message: str, hint: str, now: float
) -> CertificateRecord:
    """It could not be installed, or its files not be looked at; that is tried again."""
    before = record.files_failure
    failure = FilesFailure(
        count=before.count + 1 if before else 1,
        since=before.since if before else now,
        message=message,
        hint=hint,
    )
    return replace(record, files_failure=failure)


def files_are_well(record: CertificateRecord) -> CertificateRecord:
    """They could be installed, and looked at."""
    return replace(record, files_failure=None)


def failed(
    record: CertificateRecord,
    refusal: OrderRefusal,
    *,
    terms: CertificateTerms,
    way: str,
    now: float,
) -> CertificateRecord:
    """An order failed: it is tried again later, or when it would be another one."""
    before = record.failure
    if before is not None and not is_about(before, terms, way):
        before = None
    tries = before.count + 1 if before else 1
    forgiven = before.forgiven if before else 0
    failure = OrderFailure(
        count=tries,
        since=before.since if before else now,
        retry_at=backoff.retry_at(refusal, tries - forgiven, now),
        message=refusal.message,
        hint=refusal.hint,
        terms=terms,
        way=way,
        over_network=refusal.kind is FailureKind.PASSING and not refusal.retry_after,
        forgiven=forgiven,
    )
    validations = record.failed_validations
    if refusal.kind is FailureKind.VALIDATION:
        window = limits.ORDERS_WINDOW
        one = Counted(at=now, issuer=terms.issuer, names=limits.names_of(terms))
        validations = (*limits.still_counted(validations, window, now), one)
    return replace(record, failure=failure, failed_validations=validations)


def is_about(failure: OrderFailure, terms: CertificateTerms, way: str) -> bool:
    """Whether what failed is what would be ordered now."""
    return same_terms(failure.terms, terms) and failure.way == way


def same_terms(one: CertificateTerms, other: CertificateTerms) -> bool:
    """Whether one certificate does for both: the order of names does not count."""
    return set(one.domains) == set(other.domains) and (one.issuer, one.profile, one.key_type) == (
        other.issuer,
        other.profile,
        other.key_type,
    )


def without_failure(record: CertificateRecord, terms: CertificateTerms) -> CertificateRecord:
    """What failed is not asked for any more, nor what was put back, if it was for other terms."""
    refused = record.refused
    if refused is not None and not same_terms(refused.terms, terms):
        refused = None
    return replace(record, failure=None, refused=refused)


def forgotten(record: CertificateRecord, now: float) -> CertificateRecord:
    """No app asks for it: what counts against the limits of an issuer is remembered until then."""
    return CertificateRecord(
        orders=limits.still_counted(record.orders, limits.CERTIFICATES_WINDOW, now),
        failed_validations=limits.still_counted(
            record.failed_validations, limits.ORDERS_WINDOW, now
        ),
    )


def counted_until(record: CertificateRecord) -> float:
    """When nothing that is remembered counts any more; 0 if nothing does."""
    issued = (one.at + 2 * limits.CERTIFICATES_WINDOW for one in record.orders)
    failed = (one.at + 2 * limits.ORDERS_WINDOW for one in record.failed_validations)
    return max((*issued, *failed), default=0.0)


def asked(record: CertificateRecord, now: float, *, at_once: bool) -> CertificateRecord:
    """A person asked for another one; `at_once`: without waiting for the next try."""
    failure = record.failure
    if failure is not None and (at_once or not failure.retry_at):
        failure = replace(failure, retry_at=now)
    return replace(record, asked_at=now, failure=failure)


def network_came(record: CertificateRecord, now: float) -> CertificateRecord:
    """What a network may mend is tried at once; until names resolve again, at short intervals."""
    failure = record.failure
    if failure is None or not failure.over_network:
        return record
    soonest = min(failure.retry_at, now)
    return replace(record, failure=replace(failure, retry_at=soonest, forgiven=failure.count))


def limited(record: CertificateRecord, until: float) -> CertificateRecord:
    """What failed is not tried again before, whoever asks for it: its issuer limits it."""
    failure = record.failure
    if failure is None or failure.retry_at >= until:
        return record
    return replace(record, failure=replace(failure, retry_at=until))


def revoked(record: CertificateRecord) -> CertificateRecord:
    """A person had the current one declared void."""
    return replace(record, revoked=record.current.version if record.current else "")


def warned(record: CertificateRecord, now: float) -> CertificateRecord:
    """It was said that it will expire."""
    return replace(record, warned_at=now)


def looked(
    record: CertificateRecord, unserved: str, now: float, *, since: float = 0.0
) -> CertificateRecord:
    """It was looked whether the current one is served, and it was not: `unserved` says why.

    `since` is when it was first looked, if that is not on record.
    """
    since = record.looked_since or since
    since = since if 0 < since <= now else now
    return replace(record, looked_since=since, looked_at=now, unserved=unserved)


def served(record: CertificateRecord) -> CertificateRecord:
    """It is in use."""
    return replace(_not_looked_at(record), stage=Stage.SERVED)


def restarted(record: CertificateRecord, now: float) -> CertificateRecord:
    """Its users are to restart: its version becomes another one."""
    return replace(record, stage=Stage.RESTARTED, since=now, looked_since=0.0, looked_at=0.0)


def put_back(
    record: CertificateRecord,
    reason: str,
    *,
    folder: str,
    now: float,
    way: str = "",
    check: tuple[str, ...] = (),
) -> CertificateRecord:
    """The one before was installed again. Half of what is left of its life later, it goes on.

    `way` and `check` as of `PutBack`.
    """
    bad, good = record.current, record.previous
    if bad is None or good is None:
        raise ValueError("there is nothing to put back")
    left = good.facts.not_after - now
    refused = PutBack(
        issued=bad,
        reason=reason,
        at=now,
        again_at=min(now + max(left / 2, HOUR), good.facts.not_after),
        way=way,
        check=check,
    )
    return replace(
        served(_to_be_seen(record)),
        current=good,
        previous=None,
        installed_in=folder,
        renewal=None,
        refused=refused,
    )


def tried_again(record: CertificateRecord, now: float) -> CertificateRecord:
    """What was put back is to be installed once more, unless it has expired or was revoked."""
    refused = record.refused
    if refused is None:
        return record
    is_valid = now < refused.issued.facts.not_after and refused.version != record.revoked
    return replace(record, ready=refused.issued if is_valid else None, refused=None)
