"""An order from its beginning to its end, with an issuer that is odd in every way."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from supervisor.adapters.acme import network
from supervisor.adapters.acme.issue import issue
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.revoke import revoke
from supervisor.core.x509.keys import key_pem, new_key
from supervisor.core.x509.pairs import pair_problem
from supervisor.model.acme import (
    ORDER_FILES,
    AcmeIssuer,
    FailureKind,
    Order,
    OrderRefusal,
    Pair,
    Revocation,
)
from supervisor.model.certificate import CertificateTerms, Challenge, KeyType
from tests.fakes.acme_server import AcmeServer, Refusal

DOMAINS = ("example.org", "www.example.org")


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


@pytest.fixture
def order(server: AcmeServer, tmp_path: Path) -> Order:
    return Order(
        name="web",
        folder=str(tmp_path / "web"),
        accounts=str(tmp_path / "accounts"),
        issuer=AcmeIssuer(name="fake", directory=server.directory, trust=server.authority.root_pem),
        terms=CertificateTerms(domains=DOMAINS, issuer="fake"),
        challenge=Challenge.HTTP,
        listen="127.0.0.1:0",
        timeout_seconds=30.0,
    )


def issued(order: Order) -> Pair:
    answer = issue(order)
    assert answer.pair, answer.refusal
    return answer.pair


def refused(order: Order) -> OrderRefusal:
    answer = issue(order)
    assert answer.refusal
    assert answer.refusal.message.isprintable()
    assert answer.refusal.hint.isprintable()
    return answer.refusal


def with_issuer(order: Order, **changes: str) -> Order:
    replace = msgspec.structs.replace
    return replace(order, issuer=replace(order.issuer, **changes))


def with_terms(order: Order, **changes: object) -> Order:
    replace = msgspec.structs.replace
    return replace(order, terms=replace(order.terms, **changes))


def is_open(order: Order) -> bool:
    return Path(order.folder, ORDER_FILES[0]).exists()


def served(pair: Pair, trust: str = "") -> str:
    return pair_problem(pair.key, pair.chain, names=DOMAINS, now=time.time(), trust=trust)


def test_a_certificate_is_had_with_the_fewest_requests(server: AcmeServer, order: Order) -> None:
    pair = issued(order)
    assert not served(pair, server.authority.root_pem)
    assert pair.facts.names == DOMAINS
    assert pair.facts.ari_id.count(".") == 1
    assert server.requests == [
        "directory",
        "newNonce",
        "newAccount",
        "newOrder",
        *["authorization"] * 2,
        *["challenge"] * 2,
        *["authorization"] * 2,
        "order",
        "finalize",
        "certificate",
        "certificate",
    ]
    key = account_path(Path(order.accounts), server.directory)
    assert key.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in key.parent.iterdir()] == [key.name]


def test_the_account_is_found_again(server: AcmeServer, order: Order) -> None:
    issued(order)
    account_path(Path(order.accounts), server.directory).chmod(0o644)
    issued(msgspec.structs.replace(order, replaces="a.b"))
    assert len(server.accounts) == 1
    assert account_path(Path(order.accounts), server.directory).stat().st_mode & 0o777 == 0o600
    server.accounts.clear()  # an issuer that forgets
    issued(msgspec.structs.replace(order, replaces="a.c"))
    assert len(server.accounts) == 1


def test_an_account_of_rsa_is_as_good(server: AcmeServer, order: Order) -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = account_path(Path(order.accounts), server.directory)
    path.parent.mkdir()
    path.write_bytes(pem)
    issued(order)
    assert path.read_bytes() == pem


def test_an_account_key_that_is_none_is_said(server: AcmeServer, order: Order) -> None:
    path = account_path(Path(order.accounts), server.directory)
    path.parent.mkdir()
    path.write_text("no key")
    found = refused(order)
    assert found.kind is FailureKind.REFUSED
    assert str(path) in found.message
    assert not server.requests


def test_what_the_account_needs_is_sent(server: AcmeServer, order: Order) -> None:
    server.meta = {"externalAccountRequired": True}
    found = refused(order)
    assert found.kind is FailureKind.REFUSED
    assert "eab_key_id" in found.hint
    assert "[certificates.issuers.fake]" in found.hint
    odd = refused(with_issuer(order, key_id="kid-1", key="+++"))
    assert "base64url" in odd.message
    issued(with_issuer(order, key_id="kid-1", key="c2VjcmV0LWtleQ", email="me@example.org"))
    asked = [payload for kind, payload in server.payloads if kind == "newAccount"]
    assert asked[-1]["termsOfServiceAgreed"] is True
    assert asked[-1]["contact"] == ["mailto:me@example.org"]
    assert asked[-1]["externalAccountBinding"]["signature"]


def test_a_renewal_names_what_it_replaces(server: AcmeServer, order: Order) -> None:
    first = issued(order)
    order = msgspec.structs.replace(order, replaces=first.facts.ari_id)
    second = issued(order)
    assert first.facts.serial != second.facts.serial
    assert [one.get("replaces") for one in server.orders] == [None, first.facts.ari_id]


@pytest.mark.parametrize("word", ["alreadyReplaced", "malformed", "unauthorized"])
def test_what_cannot_be_replaced_is_ordered_all_the_same(
    server: AcmeServer, order: Order, word: str
) -> None:
    server.refusals["newOrder"] = [Refusal(word, status=409)]
    issued(msgspec.structs.replace(order, replaces="a.b"))
    assert "replaces" not in server.orders[-1]


def test_nonces_may_be_bad_often(server: AcmeServer, order: Order) -> None:
    server.bad_nonces = 7
    issued(order)
    assert len(server.orders) == 1


def test_nonces_that_are_always_bad_are_said(
    server: AcmeServer, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_NONCE_PAUSE_SECONDS", 0.0)
    server.bad_nonces = 1_000
    found = refused(order)
    assert found.kind is FailureKind.PASSING
    assert "refuses each request as an old one" in found.message
    assert len(server.requests) < 50


def test_a_pause_is_as_long_as_the_issuer_asks(server: AcmeServer, order: Order) -> None:
    server.processing, server.retry_after = 2, "1"
    began = time.monotonic()
    issued(order)
    assert time.monotonic() - began >= 2
    assert server.requests.count("order") == 3


def test_a_pause_that_is_too_long_is_another_time(server: AcmeServer, order: Order) -> None:
    server.processing, server.retry_after = 2, "7000"
    found = refused(order)
    assert (found.kind, found.retry_after) == (FailureKind.PASSING, 7_000.0)
    assert "example.org" in found.message
    assert is_open(order)
    server.retry_after = "0"
    issued(order)
    assert (len(server.orders), len(server.chains)) == (1, 1)


@pytest.mark.parametrize("kind", [KeyType.ECDSA_P256, KeyType.ECDSA_P384, KeyType.RSA_2048])
def test_keys_are_of_their_type(server: AcmeServer, order: Order, kind: KeyType) -> None:
    order = with_terms(order, key_type=kind)
    assert not served(issued(order), server.authority.root_pem)


def test_a_key_is_used_again(server: AcmeServer, order: Order) -> None:
    key = key_pem(new_key(KeyType.ECDSA_P384))
    assert issued(msgspec.structs.replace(order, key=key)).key == key
    other = key_pem(new_key(KeyType.ECDSA_P384))
    assert issued(msgspec.structs.replace(order, key=other)).key == other
    assert len(server.orders) == 2


def test_the_chain_is_the_one_that_is_preferred_or_trusted(
    server: AcmeServer, order: Order
) -> None:
    other = server.other.root_pem
    assert served(issued(order), other)
    assert not served(issued(with_issuer(order, trust=other)), other)
    assert not served(issued(with_issuer(order, trust="", chain="Other root")), other)
    first = issued(with_issuer(order, trust="", chain="Nobody's root"))
    assert not served(first, server.authority.root_pem)
    assert len(server.orders) == 1


def test_a_root_that_is_not_trusted_is_refused(server: AcmeServer, order: Order) -> None:
    stranger = AcmeServer()
    stranger.close()
    found = refused(with_issuer(order, trust=stranger.authority.root_pem))
    assert found.kind is FailureKind.REFUSED
    assert "its chain leads to" in found.message
    assert "`trust`" in found.hint
    assert not is_open(order)


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
    assert len(found.message) < 500
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


def test_other_terms_are_another_order(server: AcmeServer, order: Order) -> None:
    server.processing, server.retry_after = 2, "7000"
    refused(order)
    server.processing = 0
    issued(with_terms(order, domains=("example.org",)))
    assert [len(one["identifiers"]) for one in server.orders] == [2, 1]


def test_an_order_that_the_issuer_forgot_is_made_anew(server: AcmeServer, order: Order) -> None:
    server.processing, server.retry_after = 2, "7000"
    refused(order)
    server.processing = 0
    server.refusals["order"] = [Refusal("malformed", "no such order", 404)]
    issued(order)
    assert len(server.orders) == 2


def test_an_issuer_that_is_gone_is_said(order: Order) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        directory = f"http://127.0.0.1:{nobody.getsockname()[1]}/directory"
        found = refused(with_issuer(order, directory=directory))
    assert found.kind is FailureKind.PASSING
    assert "cannot reach the issuer fake" in found.message
    assert "Connection refused" in found.message


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


def test_a_certificate_is_revoked_by_its_account_or_by_its_key(
    server: AcmeServer, order: Order
) -> None:
    pair = issued(order)
    asked = Revocation(order=msgspec.structs.replace(order, key=pair.key), chain=pair.chain)
    server.refusals["revokeCert"] = [Refusal("unauthorized", status=403)]
    assert revoke(asked).refusal is None
    assert len(server.revoked) == 1
    assert revoke(asked).refusal is None  # it is already
    server.refusals["revokeCert"] = [Refusal("unauthorized", status=403)] * 2
    refusal = revoke(asked).refusal
    assert refusal
    assert refusal.kind is FailureKind.REFUSED
