"""How certificates stand, in a word, and why."""

import pytest
from msgspec.structs import replace

from supervisor.core.certificates import records
from supervisor.core.certificates.next_step import ALL_WELL
from supervisor.core.certificates.status import certificate_status
from supervisor.kit.texts import local_time
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import (
    CertificateRecord,
    DesiredCertificate,
    PutBack,
    Renewal,
    Stage,
)
from supervisor.model.certificate_status import CertificateState
from tests.core.certificates.samples import DAY, DESIRED, FOLDER, NOW, asks, has, issued

FRESH = issued()
REFUSAL = OrderRefusal(kind=FailureKind.VALIDATION, message="port 80 is closed", hint="open it")
FULL = records.files_failed(has(FRESH), "the disk is full", "make room", NOW)
PUT_BACK = PutBack(issued=issued(9), reason="it was not served", at=NOW, again_at=NOW + 9 * DAY)


def failed(record: CertificateRecord) -> CertificateRecord:
    return records.failed(record, REFUSAL, terms=DESIRED.terms, way="", now=NOW)


@pytest.mark.parametrize(
    ("record", "more", "state", "error"),
    [
        (has(FRESH), {}, "valid", ""),
        (CertificateRecord(), {}, "missing", ""),
        (CertificateRecord(), {"doing": "it is asked of letsencrypt"}, "ordered", ""),
        (has(FRESH), {"doing": "it is asked of letsencrypt"}, "ordered", ""),
        (has(FRESH, asked_at=NOW), {}, "ordered", ""),
        (has(issued(standin=True)), {}, "stand-in", ""),
        (has(FRESH, stage=Stage.INSTALLED), {}, "installed", ""),
        (failed(CertificateRecord()), {}, "failing", "port 80 is closed"),
        (failed(has(issued(standin=True))), {}, "failing", "port 80 is closed"),
        (failed(has(FRESH)), {}, "failing", "port 80 is closed"),
        (failed(has(issued(at=NOW - 91 * DAY))), {}, "expired", "port 80 is closed"),
        (has(issued(at=NOW - 91 * DAY)), {}, "expired", ""),
        (FULL, {}, "failing", "the disk is full"),
        (
            has(FRESH, refused=PUT_BACK),
            {},
            "failing",
            "a newer one was not served, so the former one was put back: it was not served",
        ),
        (
            has(
                FRESH,
                previous=issued(2),
                stage=Stage.INSTALLED,
                unserved="the former",
                looked_since=NOW - 3,
            ),
            {},
            "installed",
            "",
        ),
        (
            has(FRESH, stage=Stage.INSTALLED),
            {"uptake": "web is suspended"},
            "installed",
            "web is suspended",
        ),
        (
            has(FRESH, stage=Stage.RESTARTED, unserved="the former", looked_since=NOW - 3),
            {},
            "installed",
            "the former",
        ),
    ],
)
def test_a_word_for_each(record, more, state, error):
    one = certificate_status("web", record, NOW, asked=DESIRED, **more)
    assert (one.state, one.error) == (state, error)
    ailing = bool(error) or state in (CertificateState.EXPIRED, CertificateState.FAILING)
    assert one.is_ailing == ailing


def test_what_is_tried_again_says_by_which_command():
    one = certificate_status("web", FULL, NOW, asked=DESIRED, due_at=NOW + 9)
    assert one.state is CertificateState.FAILING
    assert (one.error, one.hint) == ("the disk is full", "make room")
    assert (one.retry_at, one.at_once) == (NOW + 9, "podvisor sync")
    one = certificate_status("web", failed(has(FRESH)), NOW, asked=DESIRED)
    assert one.at_once == "podvisor certs renew web --now"
    one = certificate_status("web", has(FRESH, refused=PUT_BACK), NOW, asked=DESIRED)
    assert (one.retry_at, one.at_once) == (NOW + 9 * DAY, "podvisor certs renew web")
    assert certificate_status("web", has(FRESH), NOW, asked=DESIRED).at_once == ""


def test_what_no_app_asks_for_any_more_is_not_tried_again():
    one = certificate_status("web", failed(has(FRESH)), NOW, is_asked_for=False)
    assert not one.is_asked_for
    assert (one.state, one.error, one.hint, one.at_once) == ("valid", "", "", "")
    assert (one.renew_at, one.why_then, one.retry_at) == (0.0, "", 0.0)


def test_what_is_installed_is_told_from_what_is_asked_for():
    one = certificate_status("web", has(FRESH), NOW, asked=DESIRED)
    assert (one.installed_for, one.installed_key_type, one.is_standin) == ((), "", False)
    assert (one.challenge, one.key_type) == ("http-01", "ecdsa-p256")
    other = asks(domains=("new.example.org",), key_type="rsa-2048")
    one = certificate_status("web", has(FRESH), NOW, asked=other)
    assert (one.domains, one.installed_for) == (("new.example.org",), ("web.example.org",))
    assert (one.key_type, one.installed_key_type) == ("rsa-2048", "ecdsa-p256")
    one = certificate_status("web", failed(has(issued(standin=True))), NOW, asked=DESIRED)
    assert (one.state, one.is_standin) == ("failing", True)


def test_what_is_waited_for_is_no_trouble():
    record = has(FRESH, stage=Stage.INSTALLED, unserved="the former", looked_since=NOW - 3)
    one = certificate_status("web", record, NOW, asked=DESIRED)
    assert one.waits_for == "it is not seen to be served yet: the former"
    assert not one.is_ailing
    starting = has(FRESH, stage=Stage.INSTALLED)
    one = certificate_status("web", starting, NOW, asked=DESIRED, waits_for="nobody listens")
    assert one.waits_for == "it is not seen to be served yet: nobody listens"
    why = "there is none yet, but letsencrypt issues 5 for the same names in a week"
    one = certificate_status("web", CertificateRecord(), NOW, asked=DESIRED, waits_for=why)
    assert (one.state, one.waits_for) == ("missing", why)
    one = certificate_status("web", has(FRESH), NOW, asked=DESIRED, waits_for="all is well")
    assert one.waits_for == ""


def test_what_failed_for_other_terms_is_no_trouble():
    other: DesiredCertificate = asks(key_type="rsa-2048")
    one = certificate_status("web", failed(has(FRESH)), NOW, asked=other)
    assert (one.state, one.error) == ("ordered", "")


def test_without_knowing_what_is_asked_for_the_record_says_it():
    one = certificate_status("web", failed(has(FRESH)), NOW)
    assert (one.app, one.domains, one.issuer) == ("web", ("web.example.org",), "letsencrypt")
    assert one.directory == FOLDER
    assert one.hint == "open it"
    assert one.retry_at == NOW + 900
    first = certificate_status("web", failed(CertificateRecord(app="web")), NOW)
    assert first.domains == ("web.example.org",)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (has(FRESH), "two thirds of its life are over"),
        (has(issued(lifetime=6 * DAY)), "half of its life is over"),
        (
            has(FRESH, renewal=Renewal(version=FRESH.version, at=NOW + DAY, start=1, end=2)),
            "as its issuer suggests",
        ),
        (
            has(FRESH, renewal=Renewal(version=FRESH.version, at=NOW + 99 * DAY, start=1, end=2)),
            "a twentieth of its life is left",
        ),
        (has(FRESH, refused=PUT_BACK), "another try, after the former one was put back"),
        (has(issued(standin=True)), ""),
        (has(), ""),
    ],
)
def test_why_the_next_renewal_is_when_it_is(record, why):
    one = certificate_status("web", record, NOW)
    assert one.why_then == why
    assert bool(one.renew_at) == bool(why)
    if record.current and not record.current.standin:
        assert one.renew_at <= replace(one).expires


def test_what_waits_for_a_change_is_not_said_to_be_renewed_by_itself():
    refusal = OrderRefusal(kind=FailureKind.REFUSED, message="it is for another name")
    record = records.failed(has(FRESH), refusal, terms=DESIRED.terms, way="", now=NOW)
    one = certificate_status("web", record, NOW, asked=DESIRED)
    assert one.error == "it is for another name"
    assert (one.renew_at, one.why_then, one.retry_at) == (0.0, "", 0.0)
    one = certificate_status("web", record, NOW, asked=asks(key_type="rsa-2048"))
    assert one.renew_at, "that is another order"


def test_what_is_due_is_said_before_it_is_ordered():
    late = NOW + 62 * DAY
    one = certificate_status("web", has(FRESH), late, asked=DESIRED, waits_for=ALL_WELL)
    assert (one.state, one.waits_for) == ("ordered", f"it expires {local_time(late + 27 * DAY)}")
    assert not one.is_ailing
    why = "it expires in 27 days, but letsencrypt issues 5 for the same names in a week"
    one = certificate_status("web", has(FRESH), late, asked=DESIRED, waits_for=why)
    assert (one.state, one.waits_for) == ("ordered", why)
    one = certificate_status("web", failed(has(FRESH)), late, asked=DESIRED)
    assert one.state == "failing"
    one = certificate_status("web", has(FRESH), NOW, asked=asks(profile="short"))
    assert (one.state, one.waits_for) == ("ordered", "Profile= is short now")
    one = certificate_status("web", has(FRESH), late, is_asked_for=False)
    assert (one.state, one.waits_for) == ("valid", "")


def test_what_its_issuer_says_of_a_renewal_is_told():
    chosen = Renewal(version=FRESH.version, at=NOW - 1, start=1, end=2, explanation="https://x")
    one = certificate_status("web", has(FRESH, renewal=chosen), NOW, asked=DESIRED)
    assert one.explanation == "https://x"
    assert one.waits_for == "its issuer suggests to renew it now (https://x)"
    assert certificate_status("web", has(issued(standin=True)), NOW).explanation == ""
