"""An order from its beginning to its end."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from supervisor.adapters.acme import network
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.revoke import revoke
from supervisor.core.x509.keys import key_pem, new_key
from supervisor.core.x509.pairs import pair_problem
from supervisor.model.acme import ORDER_FILES, FailureKind, Order, Pair, Revocation
from supervisor.model.certificate import KeyType
from tests.fakes.acme_orders import DOMAINS, issued, order_at, refused, with_issuer, with_terms
from tests.fakes.acme_server import AcmeServer, Refusal


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
    assert {one.name for one in key.parent.iterdir()} == {key.name, f"{key.stem}.json"}


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


@pytest.mark.parametrize(("failures", "replaced"), [(1, "a.b"), (2, None)])
def test_an_issuer_that_fails_of_what_is_replaced_is_asked_without(
    server: AcmeServer, order: Order, failures: int, replaced: str | None
) -> None:
    """Some say so of what they do not know; it may have been trouble that passes."""
    renewal = msgspec.structs.replace(order, replaces="a.b")
    server.refusals["newOrder"] = [Refusal("serverInternal", status=500)] * failures
    issued(renewal)
    assert [one.get("replaces") for one in server.orders] == [replaced]


def test_an_issuer_that_fails_also_without_what_is_replaced_has_trouble(
    server: AcmeServer, order: Order
) -> None:
    server.refusals["newOrder"] = [Refusal("serverInternal", status=500)] * 3
    renewal = msgspec.structs.replace(order, replaces="a.b")
    assert refused(renewal).kind is FailureKind.PASSING
    issued(renewal)
    assert [one.get("replaces") for one in server.orders] == ["a.b"]


@pytest.mark.parametrize(("word", "status"), [("serverInternal", 503), ("", 503), ("", 429)])
def test_an_issuer_that_has_trouble_is_not_asked_without_what_is_replaced(
    server: AcmeServer, order: Order, word: str, status: int
) -> None:
    """That would count against its limits."""
    renewal = msgspec.structs.replace(order, replaces="a.b")
    server.refusals["newOrder"] = [Refusal(word, status=status)]
    assert refused(renewal).kind in {FailureKind.PASSING, FailureKind.LIMITED}
    issued(renewal)
    assert [one.get("replaces") for one in server.orders] == ["a.b"]


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
