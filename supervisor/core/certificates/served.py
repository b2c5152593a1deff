"""Whether what is installed is served, and what is done if not. Part of `next_step`.

Restarting who serves it, and putting the former one back, is for what another certificate brought,
and for where it may help: another `Check=` alone is only looked at.
"""

from supervisor.core.certificates.order_reason import is_valid
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.steps import (
    LookServed,
    NextStep,
    Nothing,
    PutBackFormer,
    RestartUsers,
    Serve,
)
from supervisor.model.certificate import CertificateRecord, DesiredCertificate, Stage

LOOK_AGAIN_SECONDS = 1.0
RELOAD_SECONDS = 10.0
"""So long may a server serve the former after its unit was reloaded."""
RESTART_SECONDS = 30.0
"""So long may one that was restarted not answer; if it does, as long as after a reload."""
TAKE_UP_SECONDS = 600.0
"""So long may those who use it take to reload, or to restart, if nothing holds them."""
UNSERVED_AGAIN_SECONDS = 3_600.0
"""There is nothing more to be done for it: it may be served yet."""


def served_or_mended(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> NextStep | None:
    """Say what is to be done before it is known to be served; None if nothing is, now."""
    if record.current is None or not seen.installed:
        return None
    if record.stage is Stage.SERVED:
        return _look_anew(desired, record, seen, now)
    if record.previous is not None:
        # Whoever cannot take it up serves the former, or nothing at all.
        if why := seen.failing or _late(record, seen, now):
            return _mend(record, seen, now, PutBackFormer(reason=why))
        if seen.waiting:
            return None
    if not desired.check:
        return Serve(reason="nobody asks to look whether it is served (Check=)")
    if seen.waiting:
        return None
    if seen.unserved is None:
        due = not record.looked_at <= now < next_look(record)
        return LookServed(reason="its users took it up") if due else None
    if not seen.unserved:
        return Serve(reason="it was seen to be served")
    if record.asked_at and record.previous is None and not seen.is_answered:
        return None  # nobody waits for the first one who wants another
    elapsed = now - record.looked_since
    restarted = record.stage is Stage.RESTARTED
    may_be_starting = restarted and not seen.is_answered
    if elapsed < (RESTART_SECONDS if may_be_starting else RELOAD_SECONDS):
        return Nothing(until=now + LOOK_AGAIN_SECONDS, reason=seen.unserved)
    before = {one.version for one in record.servers if not one.is_seen and one.version}
    is_first = record.previous is None
    if not before and not seen.is_answered and not seen.failing:
        # Nobody ever served one of ours there: a restart makes nobody listen.
        return None if is_first else _let_be(seen.unserved)
    put_back = PutBackFormer(reason=seen.unserved, check=desired.check)
    if restarted and record.previous is not None and record.previous.version not in before:
        return _let_be(seen.unserved)
    return _mend(record, seen, now, put_back)


def unseen(check: tuple[str, ...], record: CertificateRecord) -> tuple[str, ...]:
    """Return the servers of `Check=` that were not seen to serve what is installed."""
    if record.current is None or record.current.standin:
        return ()
    seen = {one.url for one in record.servers if one.is_seen}
    return tuple(url for url in check if url not in seen)


def next_look(record: CertificateRecord) -> float:
    """When it is looked again whether it is served."""
    pause = UNSERVED_AGAIN_SECONDS if is_given_up(record) else LOOK_AGAIN_SECONDS
    return record.looked_at + pause


def is_given_up(record: CertificateRecord) -> bool:
    """Whether its servers had their time in this stage."""
    patience = RELOAD_SECONDS if record.stage is Stage.INSTALLED else RESTART_SECONDS
    return record.looked_at - record.looked_since >= patience


def some(units: tuple[str, ...]) -> str:
    """Name the first of them, and say how many more there are."""
    rest = len(units) - 1
    return f"{units[0]} and {rest} more" if rest else units[0]


def _look_anew(
    desired: DesiredCertificate, record: CertificateRecord, seen: Seen, now: float
) -> NextStep | None:
    """It is in use, but nobody has looked there: nothing is restarted for what is seen."""
    if seen.unserved is not None:
        return None if seen.unserved else Serve(reason="it was seen to be served")
    urls = unseen(desired.check, record)
    if not urls or seen.waiting or record.looked_at <= now < next_look(record):
        return None
    return LookServed(reason=f"it was not seen at {some(urls)}")


def _late(record: CertificateRecord, seen: Seen, now: float) -> str:
    """Say who had time to take it up, and did not; empty if nobody did."""
    if not seen.waiting or seen.held or abs(now - record.since) < TAKE_UP_SECONDS:
        return ""
    return f"{some(seen.waiting)} has not taken it up"


def _let_be(why: str) -> Serve:
    """Those who use it took it up, and nobody has seen that the former one was served there."""
    return Serve(reason=f"nothing more can be done for it: {why}")


def _mend(
    record: CertificateRecord, seen: Seen, now: float, put_back: PutBackFormer
) -> NextStep | None:
    """Restart those who do not serve it; then put back the one before, if there is one."""
    if not seen.users:
        return None
    if record.stage is not Stage.RESTARTED:
        return RestartUsers(reason=put_back.reason)
    former = record.previous
    if former is None or former.standin or former.version == record.revoked:
        return None
    return put_back if seen.previous_kept and is_valid(former, now) else None
