"""Why there is no certificate: an issuer that is odd in every way, and what is said of it."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from supervisor.adapters.acme.refusals import of_challenge
from supervisor.adapters.acme.replies import Meta, Problem
from supervisor.core.x509.keys import key_pem, new_key
from supervisor.model.acme import ORDER_FILES, FailureKind, Order
from supervisor.model.certificate import KeyType
from tests.adapters.acme import small_dns
from tests.fakes.acme_orders import issued, order_at, refused, with_issuer, with_terms
from tests.fakes.acme_server import AcmeServer, Authority, Refusal
from tests.fakes.handshakes import TlsServer


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


@pytest.fixture
def order(server: AcmeServer, tmp_path: Path) -> Order:
    return order_at(server, tmp_path)


def is_open(order: Order) -> bool:
    return Path(order.folder, ORDER_FILES[0]).exists()


def test_a_root_that_is_not_trusted_is_refused(server: AcmeServer, order: Order) -> None:
    stranger = AcmeServer()
    stranger.close()
    found = refused(with_issuer(order, trust=stranger.authority.root_pem))
    assert found.kind is FailureKind.REFUSED
    assert "its chain leads to" in found.message
    assert "`trust`" in found.hint
    issued(order)  # it is good once the right root is trusted
    assert (len(server.orders), len(server.chains)) == (1, 1)


def test_another_name_is_refused(server: AcmeServer, order: Order) -> None:
    server.names = ("example.com",)
    found = refused(order)
    assert found.kind is FailureKind.REFUSED
    assert "it is not for example.org, www.example.org, but for example.com" in found.message
    assert not is_open(order)


@pytest.mark.parametrize(("days", "word"), [(30, "only from"), (-100, "was valid until")])
def test_a_certificate_of_another_time_is_refused(
    server: AcmeServer, order: Order, days: int, word: str
) -> None:
    server.starts = timedelta(days=days)
    found = refused(order)
    assert word in found.message
    assert "clock" in found.hint


def test_a_certificate_that_is_valid_only_soon_is_waited_for(
    server: AcmeServer, order: Order
) -> None:
    """The clock of a machine without a battery is behind until somebody tells it the time."""
    server.starts = timedelta(minutes=10)
    found = refused(order)
    assert found.kind is FailureKind.PASSING
    assert is_open(order)
    refused(order)
    assert (len(server.orders), len(server.chains)) == (1, 1)


@pytest.mark.parametrize(("days", "word"), [(365, "behind"), (-365, "ahead of")])
def test_a_clock_that_is_off_is_said_before_anything_is_ordered(
    server: AcmeServer, order: Order, days: int, word: str
) -> None:
    server.date = timedelta(days=days)
    found = refused(order)
    assert f"this machine's clock is 365 days {word} the clock of the issuer" in found.message
    assert "timedatectl" in found.hint
    assert not server.orders


def test_profiles_are_those_that_the_issuer_has(server: AcmeServer, order: Order) -> None:
    order = with_terms(order, profile="short")
    assert "it has none" in refused(order).hint
    server.meta = {"profiles": {"classic": "one", "tlsserver": "two"}}
    found = refused(order)
    assert found.kind is FailureKind.REFUSED
    assert "no profile “short”" in found.message
    assert "classic, tlsserver" in found.hint
    assert not server.orders
    server.meta = {"profiles": {"short": "one"}}
    issued(order)
    assert server.orders[-1]["profile"] == "short"


REFUSALS = {
    "rateLimited": (FailureKind.LIMITED, "limits are used up"),
    "rejectedIdentifier": (FailureKind.REFUSED, "has no certificates for it"),
    "unsupportedIdentifier": (FailureKind.REFUSED, "names of this kind"),
    "userActionRequired": (FailureKind.REFUSED, "terms have changed"),
    "serverInternal": (FailureKind.PASSING, "trouble of its own"),
    "invalidProfile": (FailureKind.REFUSED, "does not take the profile"),
    "malformed": (FailureKind.REFUSED, "no such thing"),
    "whatever": (FailureKind.REFUSED, "no such thing"),
}


@pytest.mark.parametrize("word", REFUSALS)
def test_refusals_are_said_in_plain_words(server: AcmeServer, order: Order, word: str) -> None:
    of = {"identifier": {"type": "dns", "value": "www.example.org"}}
    inner = {"type": f"urn:ietf:params:acme:error:{word}", "detail": "no such thing"} | of
    more = {"subproblems": [inner], "instance": "https://issuer.example/terms"}
    server.refusals["newOrder"] = [Refusal(word, "several", 403, "3600", more)]
    found = refused(order)
    kind, words = REFUSALS[word]
    assert found.kind is kind
    assert words in found.message
    assert "for www.example.org by fake" in found.message
    assert found.retry_after == 3_600.0


EVERYWHERE = (
    "directory",
    "newNonce",
    "newAccount",
    "newOrder",
    "authorization",
    "challenge",
    "order",
    "finalize",
    "certificate",
)


@pytest.mark.parametrize("status", [429, 503])
def test_trouble_passes_wherever_it_comes_and_the_order_goes_on(
    server: AcmeServer, order: Order, status: int
) -> None:
    for kind in EVERYWHERE:
        server.refusals[kind] = [Refusal("", "", status, "60", {"type": "about:blank"})]
        found = refused(order)
        assert found.kind in {FailureKind.PASSING, FailureKind.LIMITED}, kind
        assert found.retry_after == 60.0, kind
    issued(order)
    assert (len(server.orders), len(server.chains)) == (1, 1)


def test_only_what_was_asked_for_is_proven(server: AcmeServer, order: Order) -> None:
    server.asks_for = "example.com"
    found = refused(order)
    assert "answers oddly: it asks for example.com" in found.message
    assert "challenge" not in server.requests


@pytest.mark.parametrize("days", [100, -100])
def test_a_clock_by_which_the_issuer_is_not_to_be_trusted_is_said(order: Order, days: int) -> None:
    key = new_key(KeyType.ECDSA_P256)
    start = datetime.now(UTC) + timedelta(days=days)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    authority = Authority("Own")
    chain = authority.issue(key.public_key(), names, start=start, days=90)
    with TlsServer(chain, key_pem(key)) as port:
        directory = f"https://localhost:{port}/directory"
        found = refused(with_issuer(order, directory=directory, authority=authority.root_pem))
    assert found.kind is FailureKind.PASSING
    assert "its own certificate is not trusted" in found.message
    assert "clock" in found.hint


@pytest.mark.parametrize("status", [429, 503])
def test_answers_that_are_no_problem_documents_are_understood(
    server: AcmeServer, order: Order, status: int
) -> None:
    more = {"type": "about:blank", "detail": ["odd"]}
    server.refusals["newOrder"] = [Refusal("", "", status, "60", more)]
    found = refused(order)
    assert found.kind is {429: FailureKind.LIMITED, 503: FailureKind.PASSING}[status]
    assert found.retry_after == 60.0


def test_what_an_issuer_says_is_bounded_and_printable(server: AcmeServer, order: Order) -> None:
    text = "\x1b[31mred\n" + "x" * 10_000
    server.refusals["newOrder"] = [Refusal("malformed", text)]
    found = refused(order)
    assert len(found.message) < 600
    assert "\\x1b" in found.message


FAILING = {
    "connection": "port 80 of example.org must lead to 127.0.0.1:0",
    "dns": "needs an A or AAAA record",
    "unauthorized": "somebody else answers at port 80 of example.org",
    "caa": '0 issue "ca.example"',
}


@pytest.mark.parametrize("word", FAILING)
def test_a_name_that_is_not_proven_is_said(server: AcmeServer, order: Order, word: str) -> None:
    server.failing = Refusal(word, "192.0.2.1: no luck")
    server.meta = {"caaIdentities": ["ca.example"]}
    found = refused(order)
    assert found.kind is FailureKind.VALIDATION
    assert "could not verify example.org by http-01: 192.0.2.1: no luck" in found.message
    assert FAILING[word] in found.hint
    assert not is_open(order)
    server.failing = None
    issued(order)
    assert len(server.orders) == 2


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("connection", "; seen from here, example.org leads to 192.0.2.1, 2001:db8::1"),
        ("unauthorized", "; seen from here, example.org leads to 192.0.2.1, 2001:db8::1"),
        ("caa", "; seen from here, the CAA records of example.org let nobody issue certificates"),
    ],
)
def test_what_dns_says_of_a_name_that_is_not_proven_is_said(
    server: AcmeServer, order: Order, word: str, seen: str
) -> None:
    zone = small_dns.zone("example.org", {"ns.example.org": "127.0.0.1"})
    zone.put("example.org", "A", "192.0.2.1")
    zone.put("example.org", "AAAA", "2001:db8::1")
    zone.put("example.org", "CAA", '0 issue ";"')
    server.failing = Refusal(word, "no luck")
    server.meta = {"caaIdentities": ["ca.example"]}
    with small_dns.serving({"127.0.0.1": small_dns.Server([zone])}) as port:
        found = refused(msgspec.structs.replace(order, resolvers=(f"127.0.0.1:{port}",)))
    assert seen in found.hint


@pytest.mark.parametrize("word", ["dns", "connection", "unauthorized"])
def test_a_name_without_an_address_is_said(server: AcmeServer, order: Order, word: str) -> None:
    zone = small_dns.zone("example.org", {"ns.example.org": "127.0.0.1"})
    server.failing = Refusal(word, "no luck")
    with small_dns.serving({"127.0.0.1": small_dns.Server([zone])}) as port:
        found = refused(msgspec.structs.replace(order, resolvers=(f"127.0.0.1:{port}",)))
    assert found.hint.endswith("; seen from here, example.org has no address")


def test_the_end_of_what_an_issuer_says_is_there(server: AcmeServer, order: Order) -> None:
    said = f"Fetching http://example.org/.well-known/acme-challenge/{'x' * 43}: "
    said += "dial tcp: lookup example.org: no such host; " * 3 + "that is why"
    server.failing = Refusal("dns", said)
    assert "that is why; nor could" in refused(order).message


ANYWHERE = "0.0.0.0:80", "[::]:80"
LEADS = {
    "connection": "port 80 of example.org must lead to {}: look at its address",
    "unauthorized": "/.well-known/acme-challenge/ handed on to {}",
}


@pytest.mark.parametrize("word", LEADS)
@pytest.mark.parametrize(
    ("listen", "place"),
    [
        ("127.0.0.1:8402", "127.0.0.1:8402 on this machine"),
        *((one, "port 80 of this machine") for one in ANYWHERE),
    ],
)
def test_where_the_issuer_has_to_come_in_is_said(
    order: Order, word: str, listen: str, place: str
) -> None:
    problem = Problem(type=f"urn:ietf:params:acme:error:{word}", detail="no luck")
    asked = msgspec.structs.replace(order, listen=listen)
    hint = of_challenge(problem, asked, "example.org", Meta()).refusal.hint
    assert LEADS[word].format(place) in hint
    shown = msgspec.structs.replace(asked, webroot="/srv/acme")
    hint = of_challenge(problem, shown, "example.org", Meta()).refusal.hint
    assert "/srv/acme" in hint
    assert "/srv/acme on this machine" not in hint
    assert "web server" in hint


def test_a_wildcard_is_for_dns(server: AcmeServer, order: Order) -> None:
    found = refused(with_terms(order, domains=("*.example.org",)))
    assert found.kind is FailureKind.REFUSED
    assert "does not verify *.example.org by http-01" in found.message
    assert "dns-01" in found.hint


def test_a_port_that_is_taken_is_said_and_the_order_goes_on(
    server: AcmeServer, order: Order
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = refused(msgspec.structs.replace(order, listen=f"127.0.0.1:{port}"))
    assert found.kind is FailureKind.PASSING
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in found.message
    assert "http_listen" in found.hint
    issued(order)
    assert len(server.orders) == 1


def test_an_issuer_that_is_gone_is_said(order: Order) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        directory = f"http://127.0.0.1:{nobody.getsockname()[1]}/directory"
        found = refused(with_issuer(order, directory=directory))
    assert found.kind is FailureKind.PASSING
    assert "cannot reach the issuer fake" in found.message
    assert "Connection refused" in found.message


def test_a_proxy_that_is_gone_is_said(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        place = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"http://me:secret@{place}")
        found = refused(with_issuer(order, directory="https://issuer.example/directory"))
    assert found.kind is FailureKind.PASSING
    assert f"(https://issuer.example/directory) by the proxy {place}: " in found.message
    assert "Connection refused" in found.message
    assert "https_proxy" in found.hint
    assert "secret" not in found.message + found.hint


@pytest.mark.parametrize("body", ["<html>", "[]", '{"newNonce": 1}', '{"newNonce": "ftp://x"}'])
def test_an_answer_that_is_none_is_said(server: AcmeServer, order: Order, body: str) -> None:
    for kind in ("directory", "newAccount", "newOrder", "authorization", "order", "finalize"):
        server.says[kind] = body
        found = refused(order)
        assert found.kind is FailureKind.PASSING, kind
        assert "answers oddly" in found.message
        del server.says[kind]
        Path(order.folder, ORDER_FILES[0]).unlink(missing_ok=True)


def test_a_folder_that_cannot_be_written_is_said(server: AcmeServer, order: Order) -> None:
    Path(order.folder).write_text("a file")
    found = refused(order)
    assert found.kind is FailureKind.PASSING
    assert "cannot keep the order for example.org, www.example.org" in found.message
    assert not server.orders
