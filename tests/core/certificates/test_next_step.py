"""What is next with a certificate: each line of what can be, and its reason."""

import pytest
from msgspec.structs import replace

from supervisor.core.certificates import limits, records, renewal
from supervisor.core.certificates.next_step import next_step
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.steps import (
    AskRenewalInfo,
    Forget,
    ForgetFailure,
    InstallAgain,
    Nothing,
    OrderOne,
    StandIn,
)
from supervisor.kit.texts import local_time
from supervisor.model.acme import FailureKind, OrderRefusal, RenewalInfo
from supervisor.model.certificate import (
    CertificateRecord,
    CertificateTerms,
    Counted,
    Renewal,
)
from tests.core.certificates.samples import DAY, DESIRED, FOLDER, HOUR, NOW, asks, has, issued

SEEN = Seen(folder=FOLDER)
GONE = Seen(folder=FOLDER, installed=False)
LOST = Seen(folder=FOLDER, installed=False, kept=False)
FRESH = issued()
ASKED = Renewal(version=FRESH.version, at=NOW + 60 * DAY, ask_at=NOW + HOUR)
STANDIN = replace(DESIRED, standin=True)


def failed(kind: FailureKind, record: CertificateRecord, *, at: float = NOW) -> CertificateRecord:
    refusal = OrderRefusal(kind=kind, message="nobody answers")
    return records.failed(record, refusal, terms=DESIRED.terms, way="", now=at)


@pytest.mark.parametrize(
    ("desired", "record", "seen", "step"),
    [
        (DESIRED, has(), SEEN, OrderOne(reason="there is none yet")),
        (STANDIN, has(), SEEN, StandIn(reason="there is none yet")),
        (
            STANDIN,
            has(issued(standin=True)),
            SEEN,
            OrderOne(reason="there is only a stand-in"),
        ),
        (
            STANDIN,
            has(issued(standin=True, lifetime=HOUR)),
            SEEN,
            StandIn(reason="the stand-in has expired"),
        ),
        (
            STANDIN,
            has(issued(standin=True)),
            LOST,
            StandIn(reason="the stand-in's files are damaged or gone"),
        ),
        (
            DESIRED,
            has(issued(lifetime=HOUR)),
            SEEN,
            OrderOne(reason=f"it expired {local_time(NOW - 23 * HOUR)}", replaces="ari.1"),
        ),
        (
            STANDIN,
            has(issued(lifetime=HOUR)),
            SEEN,
            OrderOne(reason=f"it expired {local_time(NOW - 23 * HOUR)}", replaces="ari.1"),
        ),
        (
            DESIRED,
            has(issued(at=NOW - 81 * DAY)),
            SEEN,
            # Its issuer is asked first, unless that was long ago.
            OrderOne(reason=f"it expires {local_time(NOW + 9 * DAY)}", replaces="ari.1"),
        ),
        (
            asks(domains=("web.example.org", "www.example.org")),
            has(FRESH),
            SEEN,
            OrderOne(reason="Domain= has other names", replaces="ari.1"),
        ),
        (
            asks(domains=("other.example.org",)),
            has(FRESH),
            SEEN,
            OrderOne(reason="Domain= has other names"),
        ),
        (
            asks(key_type="rsa-2048"),
            has(FRESH),
            SEEN,
            OrderOne(reason="KeyType= is rsa-2048 now", replaces="ari.1"),
        ),
        (asks(issuer="internal"), has(FRESH), SEEN, OrderOne(reason="Issuer= is internal now")),
        (
            asks(profile="shortlived"),
            has(FRESH),
            SEEN,
            OrderOne(reason="Profile= is shortlived now", replaces="ari.1"),
        ),
        (
            DESIRED,
            has(FRESH),
            GONE,
            InstallAgain(reason="its files are damaged or gone, or have another mode or owner"),
        ),
        (
            DESIRED,
            has(FRESH, installed_as=DESIRED.manner),
            GONE,
            InstallAgain(reason="its files are damaged or gone, or have another mode or owner"),
        ),
        (
            replace(DESIRED, owner=(999, 999)),
            has(FRESH, installed_as=DESIRED.manner),
            GONE,
            InstallAgain(reason="its file asks for another mode or owner"),
        ),
        (
            DESIRED,
            has(FRESH, installed_in="/elsewhere"),
            SEEN,
            InstallAgain(reason=f"its folder is {FOLDER} now"),
        ),
        (
            DESIRED,
            has(FRESH),
            LOST,
            OrderOne(
                reason="its files are damaged or gone, and so is what was kept of them",
                replaces="ari.1",
            ),
        ),
        (
            DESIRED,
            has(FRESH, asked_at=NOW),
            SEEN,
            OrderOne(reason="a person asked for it", replaces="ari.1"),
        ),
        (
            DESIRED,
            records.revoked(has(FRESH)),
            SEEN,
            OrderOne(reason="it was revoked", replaces="ari.1", new_key=True),
        ),
        (
            DESIRED,
            has(FRESH, renewal=Renewal(version=FRESH.version, at=NOW - 1, start=1, end=2)),
            SEEN,
            OrderOne(reason="its issuer suggests to renew it now", replaces="ari.1"),
        ),
        (
            DESIRED,
            has(FRESH),
            SEEN,
            AskRenewalInfo(reason="its issuer may suggest when to renew it"),
        ),
        (
            DESIRED,
            has(FRESH, renewal=ASKED),
            SEEN,
            Nothing(until=NOW + HOUR, reason="all is as it should be"),
        ),
        (
            DESIRED,
            has(FRESH, renewal=ASKED),
            Seen(folder=FOLDER, kept=False),
            Nothing(until=NOW + HOUR, reason="all is as it should be"),
        ),
        (
            DESIRED,
            failed(FailureKind.VALIDATION, has(FRESH, renewal=ASKED)),
            SEEN,
            ForgetFailure(reason="it is not asked for any more"),
        ),
        (None, has(FRESH), SEEN, Forget(reason="no app asks for it any more")),
        (None, CertificateRecord(), SEEN, Nothing(reason="nobody asks for it")),
        (
            None,
            has(FRESH),
            Seen(users=("web.service", "b.service")),
            Nothing(reason="no app asks for it any more, but web.service and 1 more runs with it"),
        ),
    ],
)
def test_what_is_next(desired, record, seen, step):
    assert next_step(desired, record, seen, NOW) == step


def test_the_order_of_names_makes_no_other_certificate():
    made = issued(terms=CertificateTerms(domains=("b.example.org", "a.example.org")))
    renewed = Renewal(version=made.version, at=NOW + DAY, ask_at=NOW + HOUR)
    desired = asks(domains=("a.example.org", "b.example.org"))
    assert isinstance(next_step(desired, has(made, renewal=renewed), SEEN, NOW), Nothing)


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        (FailureKind.PASSING, [60, 300, 900, HOUR, HOUR]),
        (FailureKind.VALIDATION, [900, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 12 * HOUR]),
        (FailureKind.LIMITED, [HOUR, 3 * HOUR, 12 * HOUR, DAY]),
    ],
)
def test_what_failed_is_tried_later_and_later(kind, waits):
    record, now = has(), NOW
    for wait in waits:
        record = failed(kind, record, at=now)
        assert next_step(DESIRED, record, SEEN, now) == Nothing(
            until=now + wait, reason="nobody answers"
        )
        now += wait
        assert isinstance(next_step(DESIRED, record, SEEN, now), OrderOne)


def test_an_issuer_that_says_until_when_is_asked_then():
    refusal = OrderRefusal(kind=FailureKind.LIMITED, message="too many", retry_after=5 * HOUR)
    record = records.failed(has(), refusal, terms=DESIRED.terms, way="", now=NOW)
    step = next_step(DESIRED, record, SEEN, NOW)
    assert step == Nothing(until=NOW + 5 * HOUR + 60, reason="too many")


def test_what_was_refused_waits_for_a_person_or_a_change():
    record = failed(FailureKind.REFUSED, has())
    step = Nothing(until=0.0, reason="nobody answers")
    assert next_step(DESIRED, record, SEEN, NOW + 300 * DAY) == step
    other = asks(key_type="rsa-2048")
    assert isinstance(next_step(other, record, SEEN, NOW), OrderOne)
    assert isinstance(next_step(DESIRED, record, SEEN, NOW, way="other settings"), OrderOne)
    asked = records.asked(record, NOW, at_once=False)
    assert isinstance(next_step(DESIRED, asked, SEEN, NOW), OrderOne)


def test_a_person_may_ask_before_the_next_try_or_for_it():
    record = failed(FailureKind.VALIDATION, has(FRESH))
    later = records.asked(record, NOW, at_once=False)
    assert next_step(DESIRED, later, SEEN, NOW) == Nothing(until=NOW + 900, reason="nobody answers")
    now = records.asked(record, NOW, at_once=True)
    assert isinstance(next_step(DESIRED, now, SEEN, NOW), OrderOne)


def test_nobody_asks_more_often_than_names_may_fail():
    record = has()
    for at in range(5):
        record = failed(FailureKind.VALIDATION, record, at=NOW + at)
        record = records.asked(record, NOW + at, at_once=True)
    known = limits.LETS_ENCRYPT
    step = next_step(DESIRED, record, SEEN, NOW + 60, limits=known)
    assert isinstance(step, Nothing)
    assert step.until == NOW + HOUR
    assert "5 times an hour" in step.reason
    # One that has this name among others is validated by it as well.
    other = asks(domains=("b.example.org", "web.example.org"))
    step = next_step(other, has(), SEEN, NOW + 60, limits=known, others=[record])
    assert isinstance(step, Nothing)
    alone = asks(domains=("b.example.org",))
    step = next_step(alone, has(), SEEN, NOW + 60, limits=known, others=[record])
    assert isinstance(step, OrderOne)


def test_certificates_for_the_same_names_share_what_is_counted():
    names = ("web.example.org",)
    spent = [Counted(at=NOW - at * DAY, issuer="letsencrypt", names=names) for at in range(1, 6)]
    one, other = has(orders=tuple(spent[:2])), has(orders=tuple(spent[2:]))
    step = next_step(DESIRED, one, SEEN, NOW, limits=limits.LETS_ENCRYPT, others=[other])
    assert isinstance(step, Nothing)
    assert step.until == NOW + 2 * DAY
    assert step.reason.startswith("there is none yet, but letsencrypt issues 5")
    assert isinstance(next_step(DESIRED, one, SEEN, NOW, others=[other]), OrderOne)
    staged = asks(issuer="letsencrypt-staging")
    step = next_step(staged, one, SEEN, NOW, limits=limits.LETS_ENCRYPT, others=[other])
    assert isinstance(step, OrderOne)
    # Who says which one it renews is not limited.
    current = replace(one, current=issued(at=NOW - 85 * DAY))
    step = next_step(DESIRED, current, SEEN, NOW, limits=limits.LETS_ENCRYPT, others=[other])
    assert isinstance(step, OrderOne)
    assert step.replaces


def test_limits_are_of_an_issuer_whatever_it_is_called():
    production = "https://acme-v02.api.letsencrypt.org/directory"
    assert limits.limits_of("le", production) == limits.LETS_ENCRYPT
    for own in ("http://localhost:14000/dir", "https://127.0.0.2/dir", "https://[::1]:14000/dir"):
        assert limits.limits_of("letsencrypt", own) == limits.LOOPBACK
    for other in ("https://ca.example.org/dir", "https://127.example.org/dir", ""):
        assert limits.limits_of("letsencrypt", other).failed_validations == 5
    assert limits.limits_of("internal", "") == limits.NONE


def test_an_issuer_that_wants_each_one_renewed_at_once_gets_a_pause():
    record, now = has(), NOW
    for number in range(1, 100):
        step = next_step(DESIRED, record, SEEN, now)
        if isinstance(step, AskRenewalInfo):
            info = RenewalInfo(start=NOW - 10 * DAY, end=NOW - 9 * DAY)
            chosen = renewal.answered(record.current, info, record.renewal, now)
            record = replace(record, renewal=chosen)
        elif isinstance(step, OrderOne):
            record = records.issued(record, new := issued(number, at=now), now)
            record = records.served(records.installed(record, new, folder=FOLDER, now=now))
        else:
            break
    assert len(record.orders) == 5
    assert step == Nothing(
        until=now + 6 * HOUR,
        reason="its issuer suggests to renew it now, but 5 certificates came within a day",
    )


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (0.0, "the clock says 1970-01-01, so nothing is ordered"),
        (
            NOW - 365 * DAY,
            "the clock says 2026-01-15, but it was issued on 2027-01-14, so nothing is ordered",
        ),
    ],
)
def test_with_a_clock_that_is_far_off_nothing_is_ordered(now, said):
    step = next_step(DESIRED, has(FRESH, asked_at=NOW), SEEN, now)
    assert step == Nothing(until=now + 600, reason=said)
    assert isinstance(next_step(DESIRED, has(FRESH), GONE, now), InstallAgain)


def test_what_was_made_here_while_the_clock_was_ahead_is_made_anew():
    desired = asks(issuer="internal")
    ahead = issued(at=NOW + 365 * DAY, terms=desired.terms)
    step = next_step(desired, has(ahead), SEEN, NOW)
    assert step == OrderOne(reason="it was made while the clock was ahead")


def test_a_wait_that_was_written_before_the_clock_was_set_back_is_over():
    record = failed(FailureKind.PASSING, has(), at=NOW + 365 * DAY)
    assert isinstance(next_step(DESIRED, record, SEEN, NOW), OrderOne)


def test_a_failing_renewal_wakes_nobody_but_to_be_told_of():
    current = issued(at=NOW - 61 * DAY)
    record = failed(FailureKind.REFUSED, has(current))
    step = next_step(DESIRED, record, SEEN, NOW)
    assert step == Nothing(until=NOW + 11 * DAY, reason="nobody answers")
