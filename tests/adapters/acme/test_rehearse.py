"""An order that is tried: all of it is looked at, said in plain words, and nothing stays."""

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from supervisor.adapters.acme import dns_look, self_look
from supervisor.adapters.acme import rehearse as rehearse_module
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.rehearse import rehearse
from supervisor.model.acme import AcmeIssuer, ZoneAccess
from supervisor.model.certificate import CertificateTerms, Challenge
from supervisor.model.rehearsal import Check, CheckState, Rehearsal, Rehearsed
from tests.adapters.acme import small_dns
from tests.adapters.acme.small_dns import Server, Zone
from tests.fakes.acme_orders import issued, order_at, with_issuer, with_terms
from tests.fakes.acme_server import AcmeServer, Refusal

WWW, BARE = "www.example.org", "example.org"
OK, UNSURE, UNTRIED, WRONG = (
    CheckState.OK,
    CheckState.UNSURE,
    CheckState.UNTRIED,
    CheckState.WRONG,
)


class Set:
    """An issuer, a staging issuer and a zone, and an order that is all right with them."""

    def __init__(self, folder: Path, zone: Zone, port: int) -> None:
        self.folder, self.zone = folder, zone
        self.real, self.staging = AcmeServer(), AcmeServer()
        for server in (self.real, self.staging):
            server.meta = {"caaIdentities": ["fake.example"], "profiles": {"one": "", "two": ""}}
        self.order = order_at(self.real, folder)
        self.change(resolvers=(f"127.0.0.1:{port}",), listen="127.0.0.1:0")

    def change(self, **changes: object) -> None:
        self.order = msgspec.structs.replace(self.order, **changes)

    def rehearsed(self, *, at: AcmeServer | None = None, is_nowhere: bool = False) -> Rehearsed:
        staging = at or self.staging
        issuer = AcmeIssuer(name="staging", directory=staging.directory)
        if at is self.real:
            issuer = self.order.issuer
        return rehearse(Rehearsal(order=self.order, staging=None if is_nowhere else issuer))

    def of(self, what: str, about: str = "", **given: bool) -> Check:
        """Return a check of what is tried."""
        checks = self.rehearsed(**given).checks
        found = [one for one in checks if one.what == what and one.about.startswith(about)]
        assert found, checks
        return found[0]


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    zone = small_dns.zone("org", {"ns.org": "127.0.0.1"})
    for name in (BARE, WWW):
        zone.put(name, "A", "127.0.0.1")
    with small_dns.serving({"127.0.0.1": Server([zone])}) as port, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # Issuers ask at port 80, which others have where tests run.
        monkeypatch.setattr(self_look, "HTTP_PORT", free.getsockname()[1])
        made = Set(tmp_path, zone, port)
        free.close()
        made.change(listen=f"127.0.0.1:{self_look.HTTP_PORT}")
        yield made
        made.real.close()
        made.staging.close()


def files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def test_what_is_right_is_said_and_nothing_stays(one: Set) -> None:
    found = one.rehearsed()
    assert {check.state for check in found.checks} == {OK}, found.checks
    assert found.is_issued
    assert [check.what for check in found.checks] == [
        *("issuer", "issuer"),
        *("caa", "caa"),
        *("dns", "dns"),
        *("port", "answer", "answer"),
        "order",
    ]
    assert one.real.requests == ["directory"], "no account, no order"
    assert len(one.staging.orders) == 1
    staging = account_path(one.folder / "accounts", one.staging.directory)
    of_staging = [f"accounts/{staging.stem}.json", f"accounts/{staging.name}"]
    assert files(one.folder) == of_staging, "which is of staging alone"


def test_an_account_at_the_issuer_is_found_and_not_used(one: Set) -> None:
    issued(one.order)
    kept, orders = files(one.folder), len(one.real.orders)
    assert "knows this machine's account" in one.of("issuer", "fake").message
    assert len(one.real.orders) == orders
    assert [file for file in files(one.folder) if "accounts" not in file] == [
        file for file in kept if "accounts" not in file
    ]


def test_what_staging_took_as_proven_is_proven_anew(one: Set) -> None:
    one.staging.remembers = True
    assert one.rehearsed().is_issued
    assert len(one.staging.orders) == 2
    assert "challenge" in one.staging.requests
    assert one.staging.proven == ["deactivated", "deactivated"], "in the end, too"


def test_without_a_staging_issuer_no_order_is_made(one: Set) -> None:
    check = one.of("order", is_nowhere=True)
    assert check.state is UNTRIED
    assert "`staging` in [certificates.issuers.fake]" in check.hint
    assert one.real.requests == ["directory"]


def test_an_issuer_without_limits_may_be_its_own(one: Set) -> None:
    found = one.rehearsed(at=one.real)
    assert found.is_issued
    assert [check.about for check in found.checks if check.what == "issuer"] == ["fake"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"profile": "three"}, "the issuer has no profile “three”"),
        ({"profile": "one"}, ""),
    ],
)
def test_a_profile_that_is_not_offered_is_said(
    one: Set, change: dict[str, str], words: str
) -> None:
    one.order = with_terms(one.order, **change)
    check = one.of("issuer", "fake")
    assert words in check.message
    assert check.state is (WRONG if words else OK)
    if words:
        assert "one, two" in check.hint


def test_an_issuer_out_of_reach_is_said(one: Set) -> None:
    one.real.close()
    check = one.of("issuer", "fake")
    assert (check.state, check.message.startswith("cannot reach the issuer fake")) == (WRONG, True)


def test_no_order_is_tried_at_a_staging_issuer_out_of_reach(one: Set) -> None:
    one.staging.close()
    assert one.of("issuer", "staging").state is WRONG
    assert one.of("order").state is UNTRIED


def test_an_account_that_has_to_be_bound_is_said(one: Set) -> None:
    one.real.meta["externalAccountRequired"] = True
    assert "eab_key_id" in one.of("issuer", "fake").hint


def test_what_dns_forbids_is_said_with_what_to_write(one: Set) -> None:
    one.zone.put(WWW, "CAA", '0 issue "other.example"')
    assert one.of("caa", BARE).state is OK
    check = one.of("caa", WWW)
    assert check.state is WRONG
    assert f"CAA records of {WWW} let other.example issue certificates, not fake" in check.message
    assert '0 issue "fake.example"' in check.hint


def test_a_name_without_an_address_is_said(one: Set) -> None:
    del one.zone.records[WWW, "A"]
    check = one.of("dns", WWW)
    assert (check.state, check.message) == (WRONG, "it has no address")
    assert "needs an A or AAAA record" in check.hint


def test_a_name_that_leads_elsewhere_is_said_with_what_is_here(one: Set) -> None:
    one.zone.put(WWW, "AAAA", "2001:db8::7")
    check = one.of("dns", WWW)
    assert check.state is UNSURE
    leads = "it leads to 127.0.0.1, 2001:db8::7; 2001:db8::7 is not this machine's, and this"
    assert check.message.startswith(leads)
    assert "the AAAA record" in check.hint


def test_dns_that_does_not_answer_is_said_once(one: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_look, "_LOOK_UP_SECONDS", 0.1)
    one.change(resolvers=("127.0.0.1:1",))
    found = one.rehearsed()
    assert [check.what for check in found.checks] == ["issuer", "issuer", "dns", "order"]
    check = found.checks[2]
    assert (check.state, "no DNS server answers" in check.message) == (WRONG, True)


def test_a_port_that_is_taken_is_said_and_no_order_tried(one: Set) -> None:
    with socket.create_server(("127.0.0.1", self_look.HTTP_PORT)):
        found = {check.what: check for check in one.rehearsed().checks}
    assert "cannot listen on" in found["port"].message
    assert "answer" not in found
    assert found["order"].state is UNTRIED
    assert not one.staging.orders


def test_nobody_at_a_name_is_said(one: Set) -> None:
    one.zone.records[WWW, "A"] = {"127.0.0.9"}
    check = one.of("answer", f"{WWW} at 127.0.0.9")
    assert check.state is WRONG
    assert "nobody listens" in check.message
    assert f"must lead to {one.order.listen}" in check.hint


def test_what_the_issuer_says_of_an_order_is_said(one: Set) -> None:
    one.staging.failing = Refusal("connection", "Timeout during connect (likely firewall)")
    found = one.rehearsed()
    assert not found.is_issued
    check = found.checks[-1]
    assert check.state is WRONG
    assert "could not verify" in check.message
    assert "Timeout during connect (likely firewall)" in check.message


def test_a_folder_that_a_web_server_does_not_show_is_said(one: Set) -> None:
    webroot = one.folder / "www"
    webroot.mkdir()
    one.change(webroot=str(webroot), listen="")
    check = one.of("answer", WWW)
    assert "nobody listens" in check.message
    assert f"the web server here that shows {webroot}" in check.hint
    assert files(webroot) == []


def with_zone(one: Set, **access: str) -> None:
    given = {"provider": "rfc2136", "server": "127.0.0.1:1", **access}
    one.change(challenge=Challenge.DNS, zones=(ZoneAccess(zone="example.com", **given),))


def test_a_zone_that_is_not_in_the_settings_is_said(one: Set) -> None:
    with_zone(one)
    check = one.of("zone", WWW)
    assert check.state is WRONG
    assert "no zone in the settings holds it (example.com)" in check.message
    assert one.of("order").state is UNTRIED


def test_where_a_record_belongs_is_said_and_who_refuses_it(one: Set) -> None:
    one.zone.put("_acme-challenge.www.example.org", "CNAME", "www.example.com.")
    other = small_dns.zone("example.com", {"ns.example.com": "127.0.0.1"})
    with small_dns.serving({"127.0.0.1": Server([one.zone, other])}) as port:
        one.change(resolvers=(f"127.0.0.1:{port}",))
        with_zone(one)
        one.order = with_terms(one.order, domains=(WWW,))
        checks = {check.what: check for check in one.rehearsed().checks}
    said = (
        "its record belongs _acme-challenge.www.example.org leads to www.example.com, in the zone"
    )
    assert said in checks["zone"].message
    assert "cannot reach the DNS server 127.0.0.1:1" in checks["record"].message
    assert files(one.folder / "web") == ["dns.json"], "what may stand there goes the next time"


def persisting(one: Set) -> None:
    one.change(challenge=Challenge.DNS_PERSIST)
    one.order = with_terms(one.order, domains=(WWW,))


def test_a_record_that_persists_names_an_account_that_has_to_be_there(one: Set) -> None:
    persisting(one)
    found = one.rehearsed()
    assert [check.state for check in found.checks if check.what == "record"] == [UNTRIED]
    assert not found.records


def test_a_record_that_persists_is_shown_and_verified(one: Set) -> None:
    issued(with_issuer(one.order, trust=""))
    persisting(one)
    found = one.rehearsed()
    (record,) = found.records
    assert record.name == f"_validation-persist.{WWW}"
    account = next(iter(one.real.accounts))
    assert record.value == f"fake.example; accounturi={account}"
    check = next(check for check in found.checks if check.what == "record")
    assert (check.state, "there is no record" in check.message) == (WRONG, True)

    one.zone.put(record.name, "TXT", f'"{record.value}"')
    found = one.rehearsed()
    assert found.records[0].problem == ""
    assert found.checks[-1].state is UNTRIED, "staging has another account"
    found = one.rehearsed(at=one.real)
    assert found.is_issued, found.checks


def test_terms_are_never_those_of_an_order_before(one: Set) -> None:
    one.change(replaces="a.b")
    assert one.rehearsed().is_issued
    assert "replaces" not in one.staging.orders[0]


def test_an_address_is_looked_at_as_it_is(one: Set) -> None:
    terms = CertificateTerms(domains=("127.0.0.1",), issuer="fake")
    one.change(terms=terms)
    found = one.rehearsed()
    assert {check.state for check in found.checks if check.what in ("dns", "answer")} == {OK}


def test_what_a_router_hides_is_not_held_against_it(
    one: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hand the port on to us, and let nobody within see that."""
    monkeypatch.setattr(rehearse_module, "is_own", lambda address, _: address != "127.0.0.9")
    one.zone.records[WWW, "A"] = {"127.0.0.9"}
    for is_nowhere in (False, True):
        check = one.of("answer", f"{WWW} at 127.0.0.9", is_nowhere=is_nowhere)
        assert check.state is UNSURE
        assert "only the router's way" in check.hint


def test_of_an_issuer_without_a_name_in_dns_it_is_said_who_may(one: Set) -> None:
    one.real.meta = {}
    one.zone.put(BARE, "CAA", '0 issue "other.example"')
    check = one.of("caa", WWW)
    assert check.state is UNSURE
    assert check.message.startswith(f"the CAA records of {BARE} let other.example issue cert")
    assert "fake does not say by which name it goes there" in check.message
    one.zone.records[BARE, "CAA"] = set()
    assert "caa" not in {check.what for check in one.rehearsed().checks}
