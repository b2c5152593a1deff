"""What is next with a certificate: from what an app asks for, what is there, and the time.

Level-triggered: whatever happened before, the same world leads to the same step. What becomes of
the record by a step is in `core.certificates.records`.
"""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from supervisor.core.certificates import backoff, imported, records, renewal, spare, warning
from supervisor.core.certificates.limits import NONE, Limits, allowed_at, limits_of, names_of
from supervisor.core.certificates.order_reason import (
    Cause,
    is_early,
    is_valid,
    next_due,
    order_reason,
    replaces,
)
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.served import (
    TAKE_UP_SECONDS,
    next_look,
    served_or_mended,
    some,
    unseen,
)
from supervisor.core.certificates.steps import (
    AskRenewalInfo,
    Forget,
    ForgetFailure,
    InstallAgain,
    MakeSecrets,
    NextStep,
    Nothing,
    OrderOne,
    StandIn,
    TakeImported,
    TakeSpare,
    TryAgain,
)
from supervisor.kit.texts import count, day
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    DesiredCertificate,
    Stage,
)
from supervisor.model.certificate_settings import CertificateSettings

ALL_WELL = "all is as it should be"
STANDIN_SECONDS = 600.0
"""So long may those start that answer the challenge, with a stand-in, before another is ordered."""

TRUSTED_SINCE = 1_767_225_600.0
"""2026-01-01: a clock that says less was never set."""
CLOCK_AGAIN_SECONDS = 600.0

FREE_ORDERS = 5
"""In a day that nobody asked for; then there is a pause after each: an issuer wants each one
renewed at once, or somebody damages the files again and again."""
DAY = 86_400.0
PAUSE_SECONDS = 6 * 3_600.0
PAUSE_SHARE = 1 / 20
"""Of its lifetime, at most."""


def next_step(
    desired: DesiredCertificate | None,
    record: CertificateRecord,
    seen: Seen,
    now: float,
    *,
    limits: Limits = NONE,
    others: Iterable[CertificateRecord] = (),
    alike: Collection[str] = (),
    way: str = "",
    directory: str = "",
) -> NextStep:
    """Say what to do; afterwards it is asked again, unless it was Nothing.

    `others` are the records of all other certificates, `alike` all names of its issuer, `way` tells
    the settings it would be ordered with from others (`backoff.way_of`), `directory` is its
    issuer's URL. Each step changes the record, or what will be seen.
    """
    if desired is None:
        return _gone(record, seen, now)
    return (
        _as_installed(desired, record, seen, now)
        or _imported(desired, record, seen, now, directory=directory)
        or _spare(desired, record, seen, now)
        or _stand_in(desired, record, seen, now)
        or served_or_mended(desired, record, seen, now)
        or _clock(record, now)
        or _try_again(desired, record)
        or _order(desired, record, seen, now, limits=limits, others=others, alike=alike, way=way)
        or _forget_failure(desired, record)
        or _ask(record, now)
        or _rest(desired, record, seen, now)
    )


def next_step_by(
    settings: CertificateSettings,
    desired: DesiredCertificate,
    record: CertificateRecord,
    seen: Seen,
    now: float,
    *,
    others: Iterable[CertificateRecord],
) -> NextStep:
    """Say what to do by these settings; as `next_step`."""
    issuer = desired.terms.issuer
    return next_step(
        desired,
        record,
        seen,
        now,
        limits=limits_of(issuer, settings.directory_of(issuer)),
        others=others,
        alike=settings.alike(issuer),
        way=backoff.way_of(desired.challenge, settings),
        directory=settings.directory_of(issuer),
    )


def _gone(record: CertificateRecord, seen: Seen, now: float) -> NextStep:
    if record == records.forgotten(record, now):
        return Nothing(until=records.counted_until(record), reason="nobody asks for it")
    if seen.users:
        return Nothing(reason=f"no app asks for it any more, but {some(seen.users)} runs with it")
    return Forget(reason="no app asks for it any more")


def _as_installed(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> NextStep | None:
    """What is kept goes where it belongs, without an order."""
    current = record.current
    if current is None or not seen.kept:
        return None
    if current.standin and desired.standin and not is_valid(current, now):
        return None
    if not record.installed_in:
        return InstallAgain(reason="it is asked for again")
    if seen.folder and record.installed_in != seen.folder:
        return InstallAgain(reason=f"its folder is {seen.folder} now")
    if not seen.installed and record.installed_as not in ("", desired.manner):
        return InstallAgain(reason="its file asks for another mode or owner")
    if not seen.installed:
        return InstallAgain(reason="its files are damaged or gone, or have another mode or owner")
    if seen.secrets:
        return MakeSecrets(reason=f"it is not in secret {some(seen.secrets)}")
    return None


def _imported(
    desired: DesiredCertificate,
    record: CertificateRecord,
    seen: Seen,
    now: float,
    *,
    directory: str,
) -> NextStep | None:
    """What another client had issued is not ordered anew."""
    lost = _is_lost(seen)
    one = imported.chosen(seen.imported, desired, record, now, directory=directory, lost=lost)
    return TakeImported(version=one.version, reason=f"it is in {one.source}") if one else None


def _spare(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> NextStep | None:
    """What was had before, and is valid, is not ordered anew."""
    if seen.spare is None or not spare.is_wanted(desired, record, now):
        return None
    if seen.spare.name != desired.name:
        why = f"no app asks for {seen.spare.name} any more"
    else:
        reason = order_reason(desired, record, now, lost=False)
        why = reason.text if reason else ""
    return TakeSpare(spare=seen.spare, reason=why)


def _stand_in(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> NextStep | None:
    """Never in place of one that was issued, be it expired."""
    if not desired.standin:
        return None
    current = record.current
    if current is None:
        return StandIn(reason="there is none yet")
    if not current.standin:
        return None
    if set(current.terms.domains) != set(desired.terms.domains):
        return StandIn(reason="Domain= has other names")
    if not is_valid(current, now):
        return StandIn(reason="the stand-in has expired")
    if _is_lost(seen):
        return StandIn(reason="the stand-in's files are damaged or gone")
    return None


def _is_lost(seen: Seen) -> bool:
    return not (seen.kept or seen.installed)


def _clock(record: CertificateRecord, now: float) -> NextStep | None:
    """With a clock that is far off, nothing is ordered."""
    current = record.current
    issued = current is not None and not current.standin and current.terms.issuer != INTERNAL
    if now < TRUSTED_SINCE:
        why = f"the clock says {day(now)}, so nothing is ordered"
    elif current is not None and issued and is_early(current, now):
        begins = day(current.facts.not_before)
        why = f"the clock says {day(now)}, but it was issued on {begins}, so nothing is ordered"
    else:
        return None
    return Nothing(until=now + CLOCK_AGAIN_SECONDS, reason=why)


def _try_again(desired: DesiredCertificate, record: CertificateRecord) -> NextStep | None:
    """What was put back is tried again at once where the file says another way."""
    refused = record.refused
    if refused is None or not records.same_terms(refused.terms, desired.terms):
        return None
    if refused.way != desired.way:
        return TryAgain(reason="its file has another way in which it is taken up")
    if refused.check and refused.check != desired.check:
        return TryAgain(reason="Check= is another one")
    return None


def _order(
    desired: DesiredCertificate,
    record: CertificateRecord,
    seen: Seen,
    now: float,
    *,
    limits: Limits,
    others: Iterable[CertificateRecord],
    alike: Collection[str],
    way: str,
) -> NextStep | None:
    reason = order_reason(desired, record, now, lost=_is_lost(seen))
    if reason is None:
        return None
    if until := _starting(record, seen, now):
        why = f"{some(seen.waiting)} starts with the stand-in first"
        return Nothing(until=until, reason=why)
    failure, terms = record.failure, desired.terms
    if failure is not None and records.is_about(failure, terms, way):
        if not failure.retry_at:
            return _wait(desired, record, seen, now, at=0.0, why=failure.message)
        if now < failure.retry_at <= now + backoff.LONGEST_WAIT:
            return _wait(desired, record, seen, now, at=failure.retry_at, why=failure.message)
    former = replaces(record, terms)
    same = record.current is not None and set(record.current.terms.domains) == set(terms.domains)
    at, why = allowed_at(
        terms, (record, *others), limits, now, alike=alike, renews=bool(former) and same
    )
    if at > now:
        rest = _wait(desired, record, seen, now, at=at, why=f"{reason.text}, but {why}")
        return replace(rest, limited_until=at)
    if reason.cause is Cause.ITSELF:
        at, why = _pause(desired, record, now)
    if at > now:
        return _wait(desired, record, seen, now, at=at, why=f"{reason.text}, but {why}")
    new_key = record.current is not None and record.revoked == record.current.version
    return OrderOne(reason=reason.text, replaces=former, new_key=new_key)


def _starting(record: CertificateRecord, seen: Seen, now: float) -> float:
    """Until when those are waited for who start with a stand-in; 0 if nobody is."""
    current = record.current
    if current is None or not current.standin or record.asked_at or not seen.waiting:
        return 0.0
    until = current.installed_at + STANDIN_SECONDS
    return until if now < until <= now + STANDIN_SECONDS else 0.0


def _pause(desired: DesiredCertificate, record: CertificateRecord, now: float) -> tuple[float, str]:
    current, names = record.current, names_of(desired.terms)
    if current is None or current.standin:
        return now, ""
    times = [one.at for one in record.orders if one.names == names and abs(one.at - now) < DAY]
    if len(times) < FREE_ORDERS:
        return now, ""
    pause = min(PAUSE_SECONDS, current.facts.lifetime * PAUSE_SHARE)
    return max(times) + pause, f"{count(len(times), 'certificate')} came within a day"


def _forget_failure(desired: DesiredCertificate, record: CertificateRecord) -> NextStep | None:
    if records.without_failure(record, desired.terms) == record:
        return None
    return ForgetFailure(reason="it is not asked for any more")


def _ask(record: CertificateRecord, now: float) -> NextStep | None:
    current = record.current
    if current is None or record.refused or not renewal.ask_due(current, record.renewal, now):
        return None
    return AskRenewalInfo(reason="its issuer may suggest when to renew it")


def _rest(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> Nothing:
    at = next_due(record)
    current = record.current
    if current is not None and not record.refused and renewal.may_suggest(current):
        at = min(at, renewal.of(current, record.renewal).ask_at or at)
    why = ALL_WELL
    if record.stage is not Stage.SERVED or unseen(desired.check, record):
        late = f"{some(seen.waiting)} has not taken it up yet" if seen.waiting else ""
        why = seen.failing or seen.held or late or record.unserved or why
    return _wait(desired, record, seen, now, at=at, why=why)


def _wait(
    desired: DesiredCertificate,
    record: CertificateRecord,
    seen: Seen,
    now: float,
    *,
    at: float,
    why: str,
) -> Nothing:
    """Wait until then, or until there is something to tell, to look at or to make before."""
    moments = [at, warning.next_at(record)]
    current = record.current
    if current is not None and current.standin and desired.standin:
        moments.append(current.facts.not_after)
    if unseen(desired.check, record) and not seen.waiting:
        moments.append(next_look(record))
    if record.stage is not Stage.SERVED and seen.waiting and not seen.held:
        moments.append(record.since + TAKE_UP_SECONDS)
    return Nothing(until=min((one for one in moments if one > now), default=0.0), reason=why)
