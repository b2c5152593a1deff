"""How a certificate stands, in words for people."""

from supervisor.core.certificates import records, renewal
from supervisor.core.certificates.next_step import RELOAD_SECONDS, RESTART_SECONDS
from supervisor.core.certificates.order_reason import is_expired, next_due
from supervisor.model.certificate import (
    CertificateRecord,
    CertificateState,
    CertificateStatus,
    DesiredCertificate,
    OrderFailure,
    Stage,
)

_UNSERVED_SECONDS = RELOAD_SECONDS + RESTART_SECONDS
"""So long it may take until it is served; then it is said that it is not."""


def certificate_status(
    name: str,
    record: CertificateRecord,
    now: float,
    *,
    app: str = "",
    asked: DesiredCertificate | None = None,
    directory: str = "",
    units: tuple[str, ...] = (),
    doing: str = "",
    trouble: str = "",
) -> CertificateStatus:
    """Describe one.

    `asked` is what an app asks for, None where that is not known. `doing` says what is being done
    about it at this moment, `trouble` why it cannot be installed.
    """
    current, failure = record.current, _failure(record, asked)
    terms = asked.terms if asked else None
    if terms is None:
        known = current or record.failure
        terms = known.terms if known else None
    unserved = record.unserved if _is_unserved(record, now) else ""
    put_back = f"another one was put back: {record.refused.reason}" if record.refused else ""
    return CertificateStatus(
        name=name,
        app=app or record.app,
        state=_state(record, now, failing=bool(failure or put_back or trouble), doing=doing),
        domains=terms.domains if terms else (),
        issuer=terms.issuer if terms else "",
        expires=current.facts.not_after if current else 0.0,
        serial=current.facts.serial if current else "",
        renew_at=next_due(record),
        why_then=why_then(record),
        error=(failure.message if failure else "") or trouble or unserved or put_back,
        hint=failure.hint if failure else "",
        retry_at=failure.retry_at if failure else 0.0,
        directory=record.installed_in or directory,
        units=units,
    )


def _failure(record: CertificateRecord, asked: DesiredCertificate | None) -> OrderFailure | None:
    failure = record.failure
    if failure and asked and not records.same_terms(failure.terms, asked.terms):
        return None
    return failure


def _is_unserved(record: CertificateRecord, now: float) -> bool:
    """Whether its servers had their time, and serve something else."""
    if record.stage is Stage.SERVED or not record.unserved:
        return False
    return record.stage is Stage.RESTARTED or now - record.looked_since >= _UNSERVED_SECONDS


def _state(record: CertificateRecord, now: float, *, failing: bool, doing: str) -> CertificateState:
    current = record.current
    if current and not current.standin and is_expired(current, now):
        return CertificateState.EXPIRED
    if failing:
        return CertificateState.FAILING
    if current and current.standin:
        return CertificateState.STANDIN
    if doing or record.ready or record.asked_at:
        return CertificateState.ORDERED
    if current is None or not record.installed_in:
        return CertificateState.MISSING
    return CertificateState.VALID if record.stage is Stage.SERVED else CertificateState.INSTALLED


def why_then(record: CertificateRecord) -> str:
    """Say why the next renewal is when it is; empty where there is none."""
    current = record.current
    if current is None or current.standin:
        return ""
    if record.refused:
        return "another try, after one was put back"
    chosen = renewal.of(current, record.renewal)
    if renewal.last_moment(current) <= chosen.at:
        return "a twentieth of its life is left"
    if chosen.end:
        return "as its issuer suggests"
    is_short = current.facts.lifetime < renewal.SHORT_LIFETIME
    return "half of its life is over" if is_short else "two thirds of its life are over"
