"""Accounts at issuers: what they are told, and what becomes of one that is no more."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.revoke import revoke
from supervisor.model.acme import FailureKind, Order, Revocation
from tests.fakes.acme_orders import issued, order_at, refused, with_issuer
from tests.fakes.acme_server import AcmeServer, Refusal

A, B = "a@example.org", "b@example.org"


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


@pytest.fixture
def order(server: AcmeServer, tmp_path: Path) -> Order:
    return order_at(server, tmp_path)


class Orders:
    """One after the other, each for another certificate."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.number = 0

    def next(self, **issuer: str) -> Order:
        self.number += 1
        return with_issuer(replace(self.order, replaces=f"a.{self.number}"), **issuer)


@pytest.fixture
def orders(order: Order) -> Orders:
    return Orders(order)


def key_of(order: Order) -> Path:
    return account_path(Path(order.accounts), order.issuer.directory)


def test_another_address_is_told_once_with_the_next_order(
    server: AcmeServer, orders: Orders
) -> None:
    assert issued(orders.next(email=A)).notes == ()
    assert issued(orders.next(email=A)).notes == ()
    assert server.told == []
    assert issued(orders.next(email=B)).notes == (
        "fake was told the e-mail address of the settings",
    )
    assert issued(orders.next(email=B)).notes == ()
    (url,) = server.accounts
    assert server.told == [(url, {"contact": [f"mailto:{B}"]})]
    gone = "fake was told that there is no e-mail address any more"
    assert issued(orders.next()).notes == (gone,)
    assert issued(orders.next()).notes == ()
    assert server.told[1:] == [(url, {"contact": []})]


def test_an_account_of_before_is_told_what_it_does_not_say(
    server: AcmeServer, orders: Orders
) -> None:
    """As one that was imported: nobody knows what it was told."""
    issued(orders.next(email=A))
    key_of(orders.order).with_suffix(".json").unlink()
    issued(orders.next(email=A))
    assert server.told == [], "it says so itself"
    key_of(orders.order).with_suffix(".json").unlink()
    issued(orders.next())
    assert server.told == [], "nobody took it away"
    key_of(orders.order).with_suffix(".json").unlink()
    issued(orders.next(email=B))
    issued(orders.next(email=B))
    assert [told for _, told in server.told] == [{"contact": [f"mailto:{B}"]}]
    record = key_of(orders.order).with_suffix(".json")
    record.write_text(record.read_text().replace("/account/", "/account/1"))
    issued(orders.next(email=A))
    assert len(server.told) == 2


def test_an_address_that_is_not_taken_keeps_no_certificate_from_being_renewed(
    server: AcmeServer, orders: Orders
) -> None:
    issued(orders.next(email=A))
    server.refusals["account"] = [Refusal("invalidContact", "no such domain")]
    (note,) = issued(orders.next(email=B)).notes
    assert note.startswith("fake does not take the e-mail address of the settings")
    assert "no such domain" in note
    assert issued(orders.next(email=B)).notes == ()
    assert server.told == [], "it is not tried again and again"


def test_an_issuer_with_trouble_is_told_later(server: AcmeServer, orders: Orders) -> None:
    issued(orders.next(email=A))
    server.refusals["account"] = [Refusal("serverInternal", status=500)]
    assert issued(orders.next(email=B)).notes == ()
    assert len(issued(orders.next(email=B)).notes) == 1
    assert len(server.told) == 1


@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("status", ["deactivated", "revoked"])
def test_in_place_of_an_account_that_is_closed_another_one_is_made_once(
    server: AcmeServer, orders: Orders, status: str, *, is_said: bool
) -> None:
    issued(orders.next(email=A))
    (first,), before = server.accounts, key_of(orders.order).read_bytes()
    server.closed[first] = status if is_said else ""
    (note,) = issued(orders.next(email=A)).notes
    assert note.startswith("another account was made at fake: this machine's was")
    assert len(server.accounts) == 2
    assert key_of(orders.order).read_bytes() != before
    assert key_of(orders.order).with_suffix(".former.pem").read_bytes() == before
    assert key_of(orders.order).stat().st_mode & 0o777 == 0o600
    assert issued(orders.next(email=A)).notes == ()
    assert server.told == [], "the new one knows the address"

    server.closed[[*server.accounts][1]] = status if is_said else ""
    found = refused(orders.next(email=A))
    assert found.kind is FailureKind.REFUSED
    assert "closed again" in found.message
    assert len(server.accounts) == 2, "not again and again"
    long_ago = time.time() - 8 * 86_400
    os.utime(key_of(orders.order).with_suffix(".former.pem"), (long_ago, long_ago))
    issued(orders.next(email=A))
    assert len(server.accounts) == 3


def test_an_account_that_is_not_known_any_more_is_told_of_once(
    server: AcmeServer, orders: Orders
) -> None:
    issued(orders.next())
    server.accounts.clear()
    (note,) = issued(orders.next()).notes
    assert note == "another account was made at fake: this machine's was not known any more"
    assert issued(orders.next()).notes == ()
    assert len(server.accounts) == 1


def test_a_first_account_that_was_cut_short_is_no_news(server: AcmeServer, orders: Orders) -> None:
    server.refusals["newAccount"] = [Refusal("serverInternal", status=500)]
    refused(orders.next())
    assert key_of(orders.order).exists()
    assert issued(orders.next()).notes == ()


def test_what_is_told_is_told_of_an_order_that_fails_too(
    server: AcmeServer, orders: Orders
) -> None:
    issued(orders.next())
    server.accounts.clear()
    server.refusals["newOrder"] = [Refusal("rejectedIdentifier")]
    assert len(refused(orders.next()).notes) == 1


def test_an_issuer_that_closes_whatever_is_made_is_refused(
    server: AcmeServer, orders: Orders
) -> None:
    issued(orders.next())
    before = key_of(orders.order).read_bytes()
    server.refusals["newAccount"] = [Refusal("unauthorized"), Refusal("externalAccountRequired")]
    found = refused(orders.next())
    assert found.kind is FailureKind.REFUSED
    assert "the issuer wants an account with it to be named" in found.message
    assert "eab_key_id" in found.hint
    assert key_of(orders.order).read_bytes() == before, "it is kept until there is another"


def test_nothing_is_made_to_revoke_one(server: AcmeServer, orders: Orders) -> None:
    pair = issued(orders.next())
    server.accounts.clear()
    asked = replace(orders.order, key=pair.key)
    assert revoke(Revocation(order=asked, chain=pair.chain)).refusal is None
    assert len(server.revoked) == 1
    assert server.accounts == {}
