"""`certs`, at a daemon that answers what it is told to, and without one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.certificates.questions import ROOT
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.core.certificates import records
from supervisor.kit.clock import SystemClock
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import CertificateRecord, CertificateTerms
from supervisor.model.certificate_status import CertificateList, CertificateState, CertificateStatus
from supervisor.model.observed import UnitInputs
from supervisor.model.rehearsal import Check, CheckState, PersistRecord, RehearsalReport
from supervisor.model.settings import LedgerSettings
from supervisor.model.status import AppState, AppStatus, Status
from tests.core.certificates.samples import has, issued

Podvisor = Callable[..., Any]

DAY = 86_400.0
NOW = time.time()
"""All is half a day off what is shown: how slow a test is must not show."""
GOOD = CertificateStatus(
    name="web",
    app="site",
    state=CertificateState.VALID,
    domains=("example.org", "www.example.org"),
    issuer="letsencrypt",
    expires=NOW + 80.5 * DAY,
    serial="3F2A91",
    renew_at=NOW + 50.5 * DAY,
    why_then="as its issuer suggests",
    directory="/home/pi/.local/share/podvisor/certificates/web",
    units=("web.service",),
)
BAD = msgspec.structs.replace(
    GOOD,
    name="mail",
    state=CertificateState.FAILING,
    domains=("mail.example.org",),
    error="nobody answers at mail.example.org",
    hint="is port 80 open?",
    retry_at=NOW + 2.5 * DAY,
    at_once="podvisor certs renew mail --now",
)


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def listed(*certificates: CertificateStatus) -> Any:
    return plain(CertificateList(running=True, certificates=certificates))


def test_certificates_are_listed_with_when_they_are_renewed_and_why_then(
    podvisor: Podvisor, daemon: Any
) -> None:
    daemon.answer("/v1/certificates", listed(GOOD))
    said = podvisor("certs")
    assert said.code == 0
    header, line = said.out.splitlines()
    assert " ".join(header.split()) == "NAME STATE DOMAINS ISSUER EXPIRES RENEWAL WHY THEN"
    assert line.split("  ")[0] == "web"
    for word in ("example.org www.example.org", "in 80 days", "in 50 days", "as its issuer"):
        assert word in line


def test_what_failed_is_said_with_what_to_do(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates", listed(BAD, GOOD))
    said = podvisor("certs")
    assert said.code == 3
    assert said.out.splitlines()[-3:] == [
        "✗ certificate mail: nobody answers at mail.example.org; it expires in 80 days",
        "  is port 80 open?",
        "  tried again in 2 days; at once: podvisor certs renew mail --now",
    ]


def test_what_waits_for_a_change_is_listed_so(podvisor: Podvisor, daemon: Any) -> None:
    waits = msgspec.structs.replace(BAD, renew_at=0.0, why_then="", retry_at=0.0)
    daemon.answer("/v1/certificates", listed(waits))
    line = podvisor("certs").out.splitlines()[1]
    assert line.split()[-4:] == ["-", "not", "by", "itself"]


STANDIN = msgspec.structs.replace(BAD, is_standin=True)
LEFT = msgspec.structs.replace(GOOD, is_asked_for=False, renew_at=0.0, why_then="")
UNSEEN = msgspec.structs.replace(
    GOOD,
    state=CertificateState.INSTALLED,
    check=("https://localhost:1",),
    waits_for="it is not seen to be served yet: nobody listens at localhost:1",
)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (STANDIN, ("stand-in", "only a self-signed stand-in is there; nobody answers")),
        (LEFT, ("no app asks for it any more; it is removed when nothing uses it",)),
        (UNSEEN, ("… certificate web: it is not seen to be served yet: nobody listens",)),
    ],
)
def test_what_a_person_should_know_of_one_is_said(
    podvisor: Podvisor, daemon: Any, one: CertificateStatus, words: tuple[str, ...]
) -> None:
    daemon.answer("/v1/certificates", listed(one))
    for said in (podvisor("certs").out, podvisor("certs", "show", one.name).out):
        for word in words:
            assert word in said
    if one is LEFT:
        assert "podvisor certs renew" not in said


def test_what_is_installed_is_told_from_what_is_asked_for(podvisor: Podvisor, daemon: Any) -> None:
    one = msgspec.structs.replace(
        BAD,
        signed_by="Old CA",
        installed_for=("former.example.org",),
        installed_key_type="rsa-2048",
        key_type="ecdsa-p256",
        challenge="http-01",
        check=("https://localhost",),
    )
    daemon.answer("/v1/certificates", listed(one))
    said = podvisor("certs", "show", "mail")
    facts = dict(line.split("  ", 1) for line in said.out.partition("\n\n")[0].splitlines())
    facts = {key: value.strip() for key, value in facts.items()}
    assert facts["installed"] == "signed by Old CA, for former.example.org, with a key of rsa-2048"
    assert facts["domains"] == "mail.example.org"
    assert facts["key type"] == "ecdsa-p256"
    assert facts["challenge"] == "http-01"
    assert facts["seen at"].startswith("https://localhost: ")
    assert facts["next try"].endswith("(in 2 days)")
    assert "renewal" not in facts  # it is not what comes next


def test_where_it_is_served_is_said_of_each_address(podvisor: Podvisor, daemon: Any) -> None:
    urls = ("https://localhost", "https://localhost:1")
    one = msgspec.structs.replace(UNSEEN, check=urls, unseen=urls[1:])
    daemon.answer("/v1/certificates", listed(one))
    lines = podvisor("certs", "show", "web").out.splitlines()
    seen = [" ".join(line.split()) for line in lines if line.startswith("seen at")]
    assert seen == [
        "seen at https://localhost: it is served",
        "seen at https://localhost:1: not yet",
    ]


def test_there_may_be_no_certificate(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates", listed())
    said = podvisor("certs")
    assert (said.code, said.out) == (0, "No app asks for a certificate.\n")


def test_one_is_shown_whole(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates", listed(BAD, GOOD))
    said = podvisor("certs", "show", "web")
    assert said.code == 0
    facts = dict(line.split("  ", 1) for line in said.out.splitlines())
    assert facts["used by"].strip() == "web.service"
    assert "3F2A91" in facts["serial number"]
    assert facts["renewal"].endswith("(in 50 days), as its issuer suggests")
    assert podvisor("certs", "show", "mail").code == 3
    told = msgspec.json.decode(
        podvisor("certs", "show", "web", "--json").out, type=CertificateStatus
    )
    assert told == GOOD
    for word in ("wbe", "web.certificate"):
        unknown = podvisor("certs", "show", word)
        assert unknown.code == 1
        assert "did you mean “web”?" in unknown.err
    hint = podvisor("certs", "show", "something").err
    assert "podvisor sync, if its file was just written" in hint


def test_json_is_what_the_daemon_says(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates", listed(BAD))
    said = podvisor("certs", "--json")
    assert said.code == 3
    assert json.loads(said.out) == listed(BAD)


@pytest.mark.parametrize(("after", "code"), [(GOOD, 0), (BAD, 3)])
def test_another_one_is_asked_for(
    podvisor: Podvisor, daemon: Any, after: CertificateStatus, code: int
) -> None:
    event = {"time": NOW, "kind": "certificate", "app": "site", "reason": "issued", "ok": True}
    daemon.answer("/v1/certificates/renew", {"event": event}, {"reply": listed(after)})
    said = podvisor("certs", "renew", after.name, "--now")
    assert said.code == code
    assert "issued" in said.out
    assert daemon.asked[-1].body == {"name": after.name, "now": True}


def test_that_nothing_was_tried_is_said(podvisor: Podvisor, daemon: Any) -> None:
    why = "the last try failed; tried again in 14min, at once with --now"
    daemon.answer("/v1/certificates/renew", {"reply": {**listed(GOOD), "untried": why}})
    said = podvisor("certs", "renew", "web")
    assert said.code == 3
    assert said.out.startswith(f"Nothing was tried: {why}.\n")


def test_of_one_that_is_had_it_is_said_since_when(podvisor: Podvisor, daemon: Any) -> None:
    had = msgspec.structs.replace(
        GOOD,
        state=CertificateState.ORDERED,
        waits_for="it is asked of letsencrypt: it expires 2026-12-01 09:05:10 CET",
        had_since=NOW - 2.5 * DAY,
    )
    daemon.answer("/v1/certificates", listed(had))
    words = f"certificate web: {had.waits_for}; begun 2 days ago"
    for said in (podvisor("certs", "show", "web"), podvisor("certs")):
        assert words in said.out


@pytest.mark.parametrize("order", ["renew", "revoke"])
def test_one_that_is_installed_and_not_in_use_is_not_what_was_asked_for(
    podvisor: Podvisor, daemon: Any, order: str
) -> None:
    daemon.answer(f"/v1/certificates/{order}", {"reply": listed(UNSEEN)})
    said = podvisor("certs", order, "web")
    assert said.code == 3
    assert "it is not seen to be served yet" in said.out


def test_one_is_declared_void(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates/revoke", {"reply": listed(GOOD)})
    assert podvisor("certs", "revoke", "web").code == 0
    assert daemon.asked[-1].body == {"name": "web"}
    refusal = {"detail": "no app asks for a certificate wbe", "hint": "podvisor certs shows them"}
    daemon.answer("/v1/certificates/revoke", refusal)
    assert podvisor("certs", "revoke", "wbe").code == 1


REPORT = RehearsalReport(
    name="web",
    issuer="letsencrypt",
    tried_at="letsencrypt-staging",
    checks=(
        Check(what="caa", about="example.org", message="DNS lets letsencrypt.org issue for it"),
        Check(
            what="dns",
            about="example.org",
            state=CheckState.UNSURE,
            message="it leads to 192.0.2.1",
            hint="right if that is your router",
        ),
        Check(what="order", about="letsencrypt-staging", message="it issued one"),
    ),
)
CLOSED = Check(what="port", state=CheckState.WRONG, message="it is closed", hint="open it")


def test_what_came_of_a_rehearsal_is_drawn(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/certificates/test", plain(REPORT))
    said = podvisor("certs", "test", "web")
    assert said.code == 0
    assert daemon.asked[-1].body == {"name": "web", "issuer": ""}
    assert said.out.splitlines() == [
        "✓ caa    example.org: DNS lets letsencrypt.org issue for it",
        "! dns    example.org: it leads to 192.0.2.1",
        "         right if that is your router",
        "✓ order  letsencrypt-staging: it issued one",
        "",
        "✓ certificate web: all is well, as an order at letsencrypt-staging shows",
        "  nothing was installed or kept, and nothing counts against its issuer's limits",
    ]
    assert json.loads(podvisor("certs", "test", "web", "--json").out) == plain(REPORT)


def test_without_an_order_less_is_known(podvisor: Podvisor, daemon: Any) -> None:
    report = msgspec.structs.replace(REPORT, checks=REPORT.checks[:2], tried_at="")
    daemon.answer("/v1/certificates/test", plain(report))
    said = podvisor("certs", "test", "web")
    assert said.code == 0
    assert "✓ certificate web: nothing is wrong, as far as it can be seen from here" in said.out


def test_of_a_record_that_people_write_it_is_said_who_shows_it(
    podvisor: Podvisor, daemon: Any
) -> None:
    one = msgspec.structs.replace(GOOD, challenge="dns-persist-01")
    daemon.answer("/v1/certificates", listed(one))
    said = podvisor("certs", "show", "web")
    assert "podvisor certs test web shows it, and looks whether it stands there" in said.out


def test_what_is_wrong_is_counted(podvisor: Podvisor, daemon: Any) -> None:
    record = PersistRecord(name="_validation-persist.a.org", value="ca.org; accounturi=x")
    report = msgspec.structs.replace(
        REPORT, checks=(*REPORT.checks[:1], CLOSED), tried_at="", records=(record,)
    )
    daemon.answer("/v1/certificates/test", plain(report))
    said = podvisor("certs", "test", "web", "--issuer", "other")
    assert said.code == 3
    assert daemon.asked[-1].body == {"name": "web", "issuer": "other"}
    assert "✗ port  it is closed" in said.out.splitlines()
    assert '  _validation-persist.a.org. IN TXT "ca.org; accounturi=x"' in said.out.splitlines()
    assert "✗ certificate web: 1 thing is wrong" in said.out.splitlines()


def test_a_place_that_is_in_the_reason_is_said_once(podvisor: Podvisor, daemon: Any) -> None:
    why = "cannot install certificate web in /etc/tls: Permission denied"
    folder = Check(what="folder", about="/etc/tls", state=CheckState.WRONG, message=why)
    users = Check(what="users", about="web", message="used by web.service")
    report = msgspec.structs.replace(REPORT, checks=(folder, users))
    daemon.answer("/v1/certificates/test", plain(report))
    lines = podvisor("certs", "test", "web").out.splitlines()
    assert f"✗ folder  {why}" in lines
    assert "✓ users   web: used by web.service" in lines


def test_a_rehearsal_needs_the_daemon(podvisor: Podvisor) -> None:
    assert podvisor("certs", "test", "web").code == 4


def test_a_status_tells_of_it_and_is_not_well(podvisor: Podvisor, daemon: Any) -> None:
    expired = msgspec.structs.replace(BAD, state=CertificateState.EXPIRED, expires=NOW - 1.5 * DAY)
    web = AppStatus(name="site", source="home", state=AppState.READY, certificates=(expired,))
    daemon.answer("/v1/status", plain(Status(running=True, version="1", apps=(web,))))
    said = podvisor("status")
    assert said.code == 3
    assert (
        "  ✗ certificate mail: it expired 1 day ago; nobody answers at mail.example.org"
        in said.out.splitlines()
    )
    assert said.out.splitlines()[-1] == "1 app ready; 1 certificate not well."
    (app,) = json.loads(podvisor("status", "--json").out)["apps"]
    assert app["certificates"][0]["state"] == "expired"


def test_without_a_daemon_the_ledger_says_what_is_installed(podvisor: Podvisor, home: Path) -> None:
    ledger = SqliteLedger(
        home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
    )
    ledger.put(has(issued(at=NOW - DAY)), "web")
    refusal = OrderRefusal(kind=FailureKind.VALIDATION, message="nobody answers")
    terms = CertificateTerms(domains=("mail.example.org",))
    failed = records.failed(CertificateRecord(app="post"), refusal, terms=terms, way="", now=NOW)
    ledger.put(failed, "mail")
    ledger.put(CertificateRecord(), "gone")
    ledger.put_unit("site", "web.service", UnitInputs(digest="", certificates={"web": "1"}))
    ledger.close()
    said = podvisor("certs")
    assert said.code == 4
    assert "The daemon is not running" in said.out
    assert "nobody answers" in said.out
    told = msgspec.json.decode(podvisor("certs", "--json").out, type=CertificateList)
    assert [(one.name, one.state) for one in told.certificates] == [
        ("mail", "failing"),
        ("web", "valid"),
    ]
    assert told.certificates[1].units == ("web.service",)


def test_the_root_is_printed_without_a_daemon(podvisor: Podvisor, home: Path) -> None:
    said = podvisor("certs", "root")
    assert said.code == 1
    assert "Issuer=internal" in said.err
    folder = home / "state/podvisor/authority"
    folder.mkdir(parents=True)
    (folder / ROOT).write_text("-----BEGIN CERTIFICATE-----\n")
    said = podvisor("certs", "root")
    assert (said.code, said.out) == (0, "-----BEGIN CERTIFICATE-----\n")
