"""Whether a certificate is served, what is done if not, and what is put back."""

import pytest
from msgspec.structs import replace

from supervisor.core.certificates import records, warning
from supervisor.core.certificates.next_step import next_step
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.steps import (
    ForgetFailure,
    LookServed,
    Nothing,
    OrderOne,
    PutBackFormer,
    RestartUsers,
    Serve,
)
from supervisor.model.certificate import CertificateRecord, PutBack, Renewal, Stage
from tests.core.certificates.samples import DAY, DESIRED, FOLDER, HOUR, NOW, asks, has, issued

SEEN = Seen(folder=FOLDER)
FRESH = issued()
ASKED = Renewal(version=FRESH.version, at=NOW + 60 * DAY, ask_at=NOW + HOUR)
CHECKED = replace(DESIRED, check=("https://localhost:443",))
NEW, FORMER = issued(2), issued(1, at=NOW - 61 * DAY)
USED = Seen(folder=FOLDER, users=("web.service",))


def installed() -> CertificateRecord:
    return records.installed(has(FORMER), NEW, folder=FOLDER, now=NOW)


def look(record: CertificateRecord, why: str, now: float) -> tuple[CertificateRecord, object]:
    record = records.looked(record, why, now)
    return record, next_step(CHECKED, record, replace(USED, unserved=why), now)


def test_without_a_check_it_counts_as_served():
    assert isinstance(next_step(DESIRED, installed(), USED, NOW), Serve)


def test_nobody_looks_before_its_users_took_it_up():
    record = replace(installed(), renewal=replace(ASKED, version=NEW.version))
    step = next_step(CHECKED, record, replace(USED, waiting=("web.service",)), NOW)
    assert step == Nothing(until=NOW + 600, reason="web.service has not taken it up yet")
    assert isinstance(next_step(CHECKED, record, USED, NOW), LookServed)
    served = next_step(CHECKED, record, replace(USED, unserved=""), NOW)
    assert isinstance(served, Serve)


def test_what_is_not_served_restarts_its_users_and_is_put_back():
    record, step = look(installed(), "the former is served", NOW)
    assert step == Nothing(until=NOW + 1, reason="the former is served")
    assert isinstance(next_step(CHECKED, record, USED, NOW + 1), LookServed)
    record, step = look(record, "the former is served", NOW + 10)
    assert step == RestartUsers(reason="the former is served")
    record = records.restarted(record, NOW)
    assert record.version == NEW.version + "+"
    record, step = look(record, "the former is served", NOW + 11)
    assert step == Nothing(until=NOW + 12, reason="the former is served")
    record, step = look(record, "the former is served", NOW + 41)
    assert step == PutBackFormer(reason="the former is served")
    record = records.put_back(record, step.reason, folder=FOLDER, now=NOW + 41)
    assert record.version == FORMER.version
    assert record.refused is not None
    assert record.refused.version == NEW.version
    # Half of what is left of its life later it is tried again; and when a person asks.
    step = next_step(CHECKED, record, USED, NOW + 42)
    assert isinstance(step, Nothing)
    assert step.until == warning.next_at(record) < record.refused.again_at
    assert next_step(CHECKED, record, USED, step.until).until == record.refused.again_at
    left = FORMER.facts.not_after - (NOW + 41)
    assert record.refused.again_at == NOW + 41 + left / 2
    step = next_step(CHECKED, record, USED, record.refused.again_at)
    assert step == OrderOne(reason="the last one was put back, and another is tried")
    asked = records.asked(record, NOW + 50, at_once=False)
    assert isinstance(next_step(CHECKED, asked, USED, NOW + 50), OrderOne)


@pytest.mark.parametrize("desired", [DESIRED, CHECKED])
@pytest.mark.parametrize("late", [False, True])
def test_who_does_not_take_it_up_is_restarted_then_the_former_is_put_back(desired, late):
    waiting = replace(USED, waiting=("web.service",))
    why = "web.service has not taken it up" if late else "no such key type"
    seen, now = (waiting, NOW + 600) if late else (replace(waiting, failing=why), NOW)
    record = replace(installed(), renewal=replace(ASKED, version=NEW.version))
    if late:
        step = next_step(desired, record, waiting, NOW + 599)
        assert isinstance(step, Nothing)
        assert step.until == NOW + 600
        held = replace(waiting, held="web is suspended")
        step = next_step(desired, record, held, NOW + 600)
        assert isinstance(step, Nothing)
        assert step.reason == "web is suspended"
        assert step.until == NOW + HOUR, "nobody is woken for it"
    assert next_step(desired, record, seen, now) == RestartUsers(reason=why)
    record = records.restarted(record, now)
    if late:
        assert isinstance(next_step(desired, record, waiting, now + 599), Nothing)
        now += 600
    assert next_step(desired, record, seen, now) == PutBackFormer(reason=why)
    # Nothing is put back that cannot be: it stays, and that is said.
    step = next_step(desired, record, replace(seen, previous_kept=False), now)
    assert isinstance(step, Nothing)


def test_of_a_first_one_nobody_restarts_for_a_port_that_does_not_answer():
    record = replace(installed(), previous=None, renewal=replace(ASKED, version=NEW.version))
    record = records.looked(record, "nobody answers", NOW)
    record = records.looked(record, "nobody answers", NOW + 60)
    seen = replace(USED, unserved="nobody answers")
    assert isinstance(next_step(CHECKED, record, seen, NOW + 60), Nothing)
    down = replace(seen, failing="web.service does not run with it")
    assert isinstance(next_step(CHECKED, record, down, NOW + 60), RestartUsers)
    other = replace(seen, is_answered=True)
    assert isinstance(next_step(CHECKED, record, other, NOW + 60), RestartUsers)


def test_one_that_was_restarted_and_answers_is_not_waited_for_as_one_that_does_not():
    record = replace(installed(), stage=Stage.RESTARTED, looked_since=NOW, looked_at=NOW)
    late = records.looked(record, "it is not served", NOW + 10)
    seen = replace(USED, unserved="it is not served")
    assert isinstance(next_step(CHECKED, late, seen, NOW + 10), Nothing)
    answered = replace(seen, is_answered=True)
    assert isinstance(next_step(CHECKED, late, answered, NOW + 10), PutBackFormer)
    soon = records.looked(record, "it is not served", NOW + 9)
    assert isinstance(next_step(CHECKED, soon, answered, NOW + 9), Nothing)


@pytest.mark.parametrize(
    ("former", "seen"),
    [
        (None, USED),
        (issued(1, at=NOW - 91 * DAY), USED),
        (FORMER, replace(USED, previous_kept=False)),
        (FORMER, Seen(folder=FOLDER)),
    ],
)
def test_what_nothing_can_be_put_back_for_stays_and_is_looked_at_again(former, seen):
    record = replace(installed(), previous=former, stage=Stage.RESTARTED)
    record = replace(record, renewal=Renewal(version=NEW.version, at=NOW + DAY, ask_at=NOW + DAY))
    record = records.looked(record, "it is not served", NOW)
    record = records.looked(record, "it is not served", NOW + 30)
    step = next_step(CHECKED, record, replace(seen, unserved="it is not served"), NOW + 30)
    assert step == Nothing(until=NOW + 30 + HOUR, reason="it is not served")
    assert step == next_step(CHECKED, record, seen, NOW + 31)
    assert isinstance(next_step(CHECKED, record, seen, NOW + 30 + HOUR), LookServed)


def test_what_was_revoked_is_never_put_back():
    record = replace(records.revoked(has(FORMER)), stage=Stage.SERVED)
    record = records.installed(record, NEW, folder=FOLDER, now=NOW)
    record = replace(record, stage=Stage.RESTARTED)
    record = records.looked(record, "no", NOW)
    step = next_step(CHECKED, record, replace(USED, unserved="no"), NOW + 60)
    assert not isinstance(step, PutBackFormer)


def test_what_was_put_back_for_other_terms_is_no_reason_to_wait():
    wanted = asks(domains=("web.example.org", "www.example.org"))
    refused = PutBack(
        version="x", terms=wanted.terms, reason="no", at=NOW - 1, again_at=NOW + 9 * DAY
    )
    record = has(FRESH, refused=refused, renewal=ASKED)
    step = next_step(wanted, record, SEEN, NOW)
    assert step == Nothing(until=refused.again_at, reason="all is as it should be")
    assert isinstance(next_step(asks(key_type="rsa-4096"), record, SEEN, NOW), OrderOne)
    assert isinstance(next_step(DESIRED, record, SEEN, NOW), ForgetFailure)
