"""How certificates stand, in a word, and why."""

import pytest
from msgspec.structs import replace

from supervisor.core.certificates import records
from supervisor.core.certificates.status import certificate_status
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import (
    CertificateRecord,
    CertificateState,
    DesiredCertificate,
    PutBack,
    Renewal,
    Stage,
)
from tests.core.certificates.samples import DAY, DESIRED, FOLDER, NOW, asks, has, issued

FRESH = issued()
REFUSAL = OrderRefusal(kind=FailureKind.VALIDATION, message="port 80 is closed", hint="open it")
PUT_BACK = PutBack(
    version="x", terms=DESIRED.terms, reason="it was not served", at=NOW, again_at=NOW + 9 * DAY
)


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
        (has(FRESH), {"trouble": "the disk is full"}, "failing", "the disk is full"),
        (
            has(FRESH, refused=PUT_BACK),
            {},
            "failing",
            "another one was put back: it was not served",
        ),
        (
            has(FRESH, stage=Stage.INSTALLED, unserved="the former", looked_since=NOW - 3),
            {},
            "installed",
            "",
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


def test_what_failed_for_other_terms_is_no_trouble():
    other: DesiredCertificate = asks(key_type="rsa-2048")
    one = certificate_status("web", failed(has(FRESH)), NOW, asked=other)
    assert (one.state, one.error) == ("valid", "")


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
        (has(FRESH, refused=PUT_BACK), "another try, after one was put back"),
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
