"""How a certificate stands, in words for people."""

import msgspec

from supervisor.core.certificates import records, renewal
from supervisor.core.certificates.next_step import ALL_WELL
from supervisor.core.certificates.order_reason import is_expired, next_due, order_reason
from supervisor.core.certificates.served import RELOAD_SECONDS, RESTART_SECONDS, unseen
from supervisor.kit.texts import local_time
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Issued,
    OrderFailure,
    Stage,
)
from supervisor.model.certificate_status import CertificateState, CertificateStatus

_WAITING = (
    CertificateState.ORDERED,
    CertificateState.MISSING,
    CertificateState.INSTALLED,
    CertificateState.STANDIN,
)
_UNSERVED_SECONDS = RELOAD_SECONDS + RESTART_SECONDS
"""So long it may take until it is served; then it is said that it is not."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why one is not as it is to be."""

    text: str = ""
    hint: str = ""
    retry_at: float = 0.0
    """When it is tried again; 0 is when something changes."""
    at_once: str = ""
    """A command that does not wait for that."""

    def in_words(self, now: float) -> str:
        """Say all of it in one line."""
        again = f"{self.at_once} tries it again"
        if self.retry_at:
            again = f"tried again at {local_time(max(self.retry_at, now))}"
        return "; ".join(filter(None, (self.text, self.hint, again)))


NO_TROUBLE = Trouble()


def of_failure(name: str, failure: OrderFailure) -> Trouble:
    """Say why it could not be had."""
    return Trouble(
        text=failure.message,
        hint=failure.hint,
        retry_at=failure.retry_at,
        at_once=f"podvisor certs renew {name} --now",
    )


def of_files(record: CertificateRecord, retry_at: float) -> Trouble:
    """Say why it cannot be installed, if that is so; then it is tried again."""
    failure = record.files_failure
    if failure is None:
        return NO_TROUBLE
    return Trouble(
        text=failure.message, hint=failure.hint, retry_at=retry_at, at_once="podvisor sync"
    )


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
    doing_since: float = 0.0,
    waits_for: str = "",
    due_at: float = 0.0,
    uptake: str = "",
    is_asked_for: bool = True,
) -> CertificateStatus:
    """Describe one.

    `asked` is what an app asks for, None where that is not known, or where no app does
    (`is_asked_for`). `doing` says what is being done about it at this moment (since `doing_since`),
    `waits_for` why nothing is, `due_at` when it is looked at next, `uptake` why those who use it do
    not take it up.
    """
    current, failure = record.current, _failure(record, asked) if is_asked_for else None
    terms = asked.terms if asked else None
    if terms is None:
        known = current or record.failure
        terms = known.terms if known else None
    told = (
        _trouble(name, record, now, failure, due_at=due_at, uptake=uptake)
        if is_asked_for
        else NO_TROUBLE
    )
    fails = (failure, record.files_failure, record.refused)
    is_failing = bool(told.text) and any(fails)
    due = _due(record, asked, now) if is_asked_for else ""
    if due and waits_for in ("", ALL_WELL):
        waits_for = due  # it comes along with what wakes podvisor anyway
    check = asked.check if asked else ()
    if asked is None and is_asked_for:
        check = tuple(one.url for one in record.servers)
    missed = unseen(check, record)
    state = _state(record, now, failing=is_failing, is_had=bool(doing or due), is_seen=not missed)
    if state is CertificateState.INSTALLED and (why := record.unserved or waits_for):
        waits_for = f"it is not seen to be served yet: {why}"
    renews = is_asked_for and not (failure and not failure.retry_at)
    is_waiting = state in _WAITING and not told.text
    is_waiting |= bool(record.asked_at) and waits_for != told.text
    return CertificateStatus(
        name=name,
        app=app or record.app,
        state=state,
        domains=terms.domains if terms else (),
        issuer=terms.issuer if terms else "",
        challenge=asked.challenge if asked and asked.terms.issuer != INTERNAL else "",
        key_type=terms.key_type if terms else "",
        check=check,
        unseen=missed,
        is_standin=current is not None and current.standin,
        installed_for=_other_names(current, terms),
        signed_by=current.facts.issuer if current else "",
        installed_key_type=_other_key_type(current, terms),
        expires=current.facts.not_after if current else 0.0,
        serial=current.facts.serial if current else "",
        renew_at=next_due(record) if renews else 0.0,
        why_then=why_then(record) if renews else "",
        explanation=_explanation(record) if renews else "",
        waits_for=(doing or waits_for) if is_waiting else "",
        had_since=doing_since if is_waiting else 0.0,
        error=told.text,
        hint=told.hint,
        retry_at=told.retry_at,
        at_once=told.at_once,
        is_asked_for=is_asked_for,
        directory=record.installed_in or directory,
        secrets=tuple(asked.podman_secrets) if asked else record.secrets,
        units=units,
    )


def _trouble(
    name: str,
    record: CertificateRecord,
    now: float,
    failure: OrderFailure | None,
    *,
    due_at: float,
    uptake: str,
) -> Trouble:
    """Say what is wrong, and what is to come of it."""
    if record.files_failure:
        return of_files(record, due_at)
    if failure:
        return of_failure(name, failure)
    if uptake:
        return Trouble(text=uptake)
    if record.refused:
        text = (
            f"a newer one was not served, so the former one was put back: {record.refused.reason}"
        )
        again = f"podvisor certs renew {name}"
        return Trouble(text=text, retry_at=record.refused.again_at, at_once=again)
    if record.unserved and _is_unserved(record, now):
        return Trouble(text=record.unserved)
    return NO_TROUBLE


def _other_names(current: Issued | None, terms: CertificateTerms | None) -> tuple[str, ...]:
    if current is None or (terms and set(current.facts.names) == set(terms.domains)):
        return ()
    return current.facts.names


def _other_key_type(current: Issued | None, terms: CertificateTerms | None) -> str:
    if current is None or terms is None or current.terms.key_type is terms.key_type:
        return ""
    return current.terms.key_type


def _failure(record: CertificateRecord, asked: DesiredCertificate | None) -> OrderFailure | None:
    failure = record.failure
    if failure and asked and not records.same_terms(failure.terms, asked.terms):
        return None
    return failure


def _is_unserved(record: CertificateRecord, now: float) -> bool:
    """Whether its servers had their time, and serve something else."""
    patience = RESTART_SECONDS if record.stage is Stage.SERVED else _UNSERVED_SECONDS
    return record.stage is Stage.RESTARTED or now - record.looked_since >= patience


def _due(record: CertificateRecord, asked: DesiredCertificate | None, now: float) -> str:
    """Say why another one than the one that is installed is to be had; empty if it is not."""
    if asked is None or record.current is None or record.current.standin:
        return ""
    reason = order_reason(asked, record, now, lost=False)
    return reason.text if reason else ""


def _state(
    record: CertificateRecord, now: float, *, failing: bool, is_had: bool, is_seen: bool
) -> CertificateState:
    current = record.current
    if current and not current.standin and is_expired(current, now):
        return CertificateState.EXPIRED
    if failing:
        return CertificateState.FAILING
    if current and current.standin:
        return CertificateState.STANDIN
    if is_had or record.ready or record.asked_at:
        return CertificateState.ORDERED
    if current is None or not record.installed_in:
        return CertificateState.MISSING
    is_valid = is_seen and record.stage is Stage.SERVED
    return CertificateState.VALID if is_valid else CertificateState.INSTALLED


def why_then(record: CertificateRecord) -> str:
    """Say why the next renewal is when it is; empty where there is none."""
    current = record.current
    if current is None or current.standin:
        return ""
    if record.refused:
        return "another try, after the former one was put back"
    chosen = renewal.of(current, record.renewal)
    if renewal.last_moment(current) <= chosen.at:
        return "a twentieth of its life is left"
    if chosen.end:
        return "as its issuer suggests"
    is_short = current.facts.lifetime < renewal.SHORT_LIFETIME
    return "half of its life is over" if is_short else "two thirds of its life are over"


def _explanation(record: CertificateRecord) -> str:
    current = record.current
    if current is None or current.standin:
        return ""
    return renewal.of(current, record.renewal).explanation
