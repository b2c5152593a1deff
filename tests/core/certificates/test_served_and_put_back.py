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
    TryAgain,
)
from supervisor.model.certificate import (
    CertificateRecord,
    CheckedServer,
    PutBack,
    Renewal,
    Stage,
)
from tests.core.certificates.samples import DAY, DESIRED, FOLDER, HOUR, NOW, asks, has, issued

SEEN = Seen(folder=FOLDER)
FRESH = issued()
ASKED = Renewal(version=FRESH.version, at=NOW + 60 * DAY, ask_at=NOW + HOUR)
URL = "https://localhost:443"
CHECKED = replace(DESIRED, check=(URL,))
NEW, FORMER = issued(2), issued(1, at=NOW - 61 * DAY)
USED = Seen(folder=FOLDER, users=("web.service",))


PATIENT = Renewal(version=NEW.version, at=NOW + 60 * DAY, ask_at=NOW + DAY)


def installed() -> CertificateRecord:
    """One of which the former was seen to be served."""
    servers = (CheckedServer(url=URL, is_seen=True, version=FORMER.version),)
    return records.installed(has(FORMER, servers=servers), NEW, folder=FOLDER, now=NOW)


def never_seen() -> CertificateRecord:
    return replace(installed(), servers=(CheckedServer(url=URL),))


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
    assert step == PutBackFormer(reason="the former is served", check=(URL,))
    record = records.put_back(
        record, step.reason, folder=FOLDER, now=NOW + 41, way=CHECKED.way, check=step.check
    )
    assert record.version == FORMER.version
    assert record.refused is not None
    assert record.refused.version == NEW.version
    # Half of what is left of its life later it is tried again; and when a person asks.
    record = records.saw(record, {URL: FORMER.version})
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
    record = replace(never_seen(), previous=None, renewal=replace(ASKED, version=NEW.version))
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
        issued=issued(9, terms=wanted.terms),
        reason="no",
        at=NOW - 1,
        again_at=NOW + 9 * DAY,
        way=wanted.way,
    )
    record = has(FRESH, refused=refused, renewal=ASKED)
    step = next_step(wanted, record, SEEN, NOW)
    assert step == Nothing(until=refused.again_at, reason="all is as it should be")
    assert isinstance(next_step(asks(key_type="rsa-4096"), record, SEEN, NOW), OrderOne)
    assert isinstance(next_step(DESIRED, record, SEEN, NOW), ForgetFailure)


def test_what_was_never_served_there_is_no_reason_to_take_the_new_one_away():
    record, step = look(never_seen(), "nobody answers", NOW)
    assert isinstance(step, Nothing)
    record, step = look(record, "nobody answers", NOW + 10)
    assert isinstance(step, Serve), "a restart makes nobody listen"
    record = replace(records.served(record), renewal=PATIENT)
    assert isinstance(next_step(CHECKED, record, USED, NOW + 10), LookServed)
    record, step = look(record, "nobody answers", NOW + 10)
    assert step == Nothing(until=NOW + 11, reason="nobody answers")
    record, step = look(record, "nobody answers", NOW + 40)
    assert step == Nothing(until=NOW + 40 + HOUR, reason="nobody answers")
    failing = replace(USED, failing="web.service does not run with it")
    assert isinstance(next_step(CHECKED, record, failing, NOW + 41), Nothing)


def test_who_answers_with_another_one_that_never_was_the_former_is_restarted_once():
    seen = replace(USED, unserved="another one is served", is_answered=True)
    record = records.looked(never_seen(), "another one is served", NOW)
    record = records.looked(record, "another one is served", NOW + 10)
    assert isinstance(next_step(CHECKED, record, seen, NOW + 10), RestartUsers)
    record = records.looked(records.restarted(record, NOW + 10), "another one is served", NOW + 10)
    record = records.looked(record, "another one is served", NOW + 20)
    assert isinstance(next_step(CHECKED, record, seen, NOW + 20), Serve)


def test_of_a_server_that_was_seen_only_with_an_older_one_nothing_is_put_back():
    servers = (CheckedServer(url=URL, version="older"),)
    record, _ = look(replace(installed(), servers=servers), "nobody answers", NOW)
    record, step = look(record, "nobody answers", NOW + 10)
    assert isinstance(step, RestartUsers)
    record, _ = look(records.restarted(record, NOW + 10), "nobody answers", NOW + 10)
    record, step = look(record, "nobody answers", NOW + 40)
    assert isinstance(step, Serve)


def test_the_former_that_is_seen_to_be_served_can_be_put_back():
    record = records.saw(never_seen(), {URL: FORMER.version})
    record = records.looked(records.restarted(record, NOW), "the former", NOW)
    step = look(record, "the former", NOW + 30)[1]
    assert step == PutBackFormer(reason="the former", check=(URL,))


def test_another_check_is_looked_at_and_nothing_is_restarted_for_it():
    fresh = has(
        FRESH,
        renewal=replace(ASKED, ask_at=NOW + DAY),
        servers=(CheckedServer(url="x", is_seen=True, version="y"),),
    )
    record = records.to_be_seen_at(fresh, CHECKED.check)
    assert record.servers == (CheckedServer(url=URL),)
    assert records.to_be_seen_at(record, CHECKED.check) is record
    waiting = replace(USED, waiting=("web.service",))
    assert isinstance(next_step(CHECKED, record, waiting, NOW), Nothing)
    assert next_step(CHECKED, record, USED, NOW) == LookServed(reason=f"it was not seen at {URL}")
    for seconds in range(31):
        record, step = look(record, "nobody answers", NOW + seconds)
        assert isinstance(step, Nothing)
    assert step.until == NOW + 30 + HOUR
    assert isinstance(next_step(CHECKED, record, USED, step.until), LookServed)
    record = records.saw(record, {URL: FRESH.version})
    assert isinstance(next_step(CHECKED, record, replace(USED, unserved=""), NOW + 31), Serve)
    served = records.served(record)
    assert next_step(CHECKED, served, USED, NOW + 31).reason == "all is as it should be"
    assert records.to_be_seen_at(served, (URL, "z")).servers == (
        CheckedServer(url=URL, is_seen=True, version=FRESH.version),
        CheckedServer(url="z"),
    )
    assert not isinstance(next_step(DESIRED, fresh, USED, NOW), LookServed)


def test_an_order_that_is_due_does_not_wait_for_another_check():
    record = records.to_be_seen_at(has(FORMER), CHECKED.check)
    _, step = look(record, "nobody answers", NOW)
    assert isinstance(step, OrderOne)


def put_back(*, check: tuple[str, ...]) -> CertificateRecord:
    record = records.put_back(
        installed(), "no", folder=FOLDER, now=NOW, way=CHECKED.way, check=check
    )
    return records.saw(record, {URL: FORMER.version})


@pytest.mark.parametrize(
    ("check", "change", "is_tried"),
    [
        ((URL,), {}, False),
        ((URL,), {"check": ("https://localhost:8443",)}, True),
        ((URL,), {"check": ()}, True),
        ((URL,), {"mode": 0o640}, True),
        ((), {"check": ("https://localhost:8443",)}, False),
        ((), {"restart": ("web.service",)}, True),
        ((), {"reload": ("web.service",)}, True),
        ((), {"secrets": ("web",)}, True),
        ((), {"owner": (999, 999)}, True),
    ],
)
def test_what_was_put_back_is_tried_again_when_its_file_says_another_way(check, change, is_tried):
    desired, record = replace(CHECKED, **change), put_back(check=check)
    record = records.to_be_seen_at(record, desired.check)
    record = records.saw(record, dict.fromkeys(desired.check, FORMER.version))
    step = next_step(desired, record, USED, NOW + 1)
    assert isinstance(step, TryAgain) == is_tried
    after = records.tried_again(record, NOW + 1)
    assert (after.ready, after.refused) == (record.refused.issued, None)
    assert record.refused.version == NEW.version
    late = records.tried_again(record, NOW + 100 * DAY)
    assert (late.ready, late.refused) == (None, None)
    void = records.tried_again(replace(record, revoked=NEW.version), NOW + 1)
    assert (void.ready, void.refused) == (None, None)


def test_what_was_put_back_is_to_be_seen_to_be_served_anew():
    record = records.put_back(installed(), "no", folder=FOLDER, now=NOW)
    assert isinstance(next_step(CHECKED, record, USED, NOW + 1), LookServed)


def test_who_wants_another_one_does_not_wait_until_the_first_is_served():
    record = records.asked(replace(never_seen(), previous=None), NOW, at_once=False)
    assert isinstance(look(record, "nobody answers", NOW)[1], OrderOne)
