"""Issuers that take RFC 8555 lightly, and those of many servers, which know things at times."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.acme import resume
from supervisor.adapters.acme.issue import issue
from supervisor.adapters.acme.proofs import shown
from supervisor.core.x509.pairs import pair_problem
from supervisor.model.acme import ORDER_FILES, FailureKind, Order
from supervisor.model.certificate import Challenge
from tests.fakes.acme_orders import DOMAINS, issued, order_at, refused, with_issuer, with_terms
from tests.fakes.acme_server import AcmeServer, Refusal, Reply

PART = re.compile(r"-----BEGIN.*?-----END CERTIFICATE-----\n", re.DOTALL)
LATE = Refusal("malformed", "No order for ID 5", 404)


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


@pytest.fixture
def order(server: AcmeServer, tmp_path: Path) -> Order:
    return order_at(server, tmp_path)


def beside(order: Order, name: str) -> Order:
    """The order of another certificate of the same names."""
    folder = Path(order.folder).with_name(name)
    return msgspec.structs.replace(order, name=name, folder=str(folder))


# --- null

NULLS = [
    ("directory", "meta"),
    *(
        ("directory", f"meta.{key}")
        for key in ("caaIdentities", "termsOfService", "externalAccountRequired", "profiles")
    ),
    ("directory", "renewalInfo"),
    ("newAccount", "orders"),
    ("newAccount", "status"),
    ("newOrder", "certificate"),
    ("order", "authorizations"),
    ("order", "identifiers"),
    ("order", "expires"),
    ("authorization", "wildcard"),
    ("authorization", "challenges.0.token"),
    ("authorization", "challenges.0.url"),
    ("authorization", "challenges.1.error"),
]


@pytest.mark.parametrize(("where", "key"), NULLS)
def test_null_is_not_said(server: AcmeServer, order: Order, where: str, key: str) -> None:
    *path, last = key.split(".")

    def amend(kind: str, body: Any) -> None:
        if kind == where:
            for step in path:
                body = body[int(step) if step.isdigit() else step]
            body[last] = None

    server.amends = amend
    issued(order)


def test_a_refusal_with_null_in_it_is_understood(server: AcmeServer, order: Order) -> None:
    more = {"subproblems": None, "identifier": None, "instance": None, "status": None}
    server.refusals["newOrder"] = [Refusal("rateLimited", "too many", 400, "60", more)]
    found = refused(order)
    assert (found.kind, found.retry_after) == (FailureKind.LIMITED, 60.0)
    assert "too many" in found.message


# --- one order for two certificates


def test_two_certificates_of_the_same_names_that_get_one_order_are_both_had(
    server: AcmeServer, order: Order
) -> None:
    server.reuses_orders = True
    server.processing, server.retry_after = 2, "7000"
    refused(order)  # it goes on later
    server.processing, server.retry_after = 0, "0"
    second = issued(beside(order, "other"))
    first = issued(order)
    assert first.key != second.key
    for pair in (first, second):
        assert not pair_problem(pair.key, pair.chain, names=DOMAINS, now=pair.facts.not_before)
    assert len(server.orders) == 2


def test_two_at_one_time_that_get_one_order_are_both_had(server: AcmeServer, order: Order) -> None:
    server.reuses_orders = True
    issued(beside(order, "first"))  # with whom they have the account
    orders = [beside(order, name) for name in ("one", "two")]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(issue(one))) for one in orders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer.pair for answer in answers), answers
    assert len({answer.pair.key for answer in answers}) == 2


def test_an_issuer_that_always_gives_the_certificate_of_another_is_asked_again_later(
    server: AcmeServer, order: Order
) -> None:
    issued(order)

    def amend(kind: str, body: dict[str, Any]) -> None:
        if kind == "newOrder":
            body |= {"status": "valid", "certificate": f"{server.url}/certificate/0"}

    server.amends = amend
    found = refused(beside(order, "other"))
    assert found.kind is FailureKind.PASSING
    assert "of the same names and another key" in found.message
    assert len(server.chains) == 1


# --- not known yet, and never done


@pytest.mark.parametrize(
    "where", ["newAccount", "newOrder", "order", "authorization", "finalize", "certificate"]
)
def test_what_is_not_known_yet_is_asked_for_again(
    server: AcmeServer, order: Order, where: str
) -> None:
    server.refusals[where] = [LATE]
    assert refused(order).kind is FailureKind.PASSING
    issued(order)
    assert (len(server.orders), len(server.chains)) == (1, 1)


@pytest.mark.parametrize("where", ["newAccount", "newOrder"])
def test_an_account_that_is_not_known_yet_is_asked_for_again(
    server: AcmeServer, order: Order, where: str
) -> None:
    server.refusals[where] = [Refusal("accountDoesNotExist", "no such account")] * 2
    found = refused(order)
    assert found.kind is FailureKind.PASSING
    assert "account" in found.message
    server.refusals.clear()
    issued(order)
    assert len(server.accounts) == 1


def test_an_order_that_was_asked_for_and_is_ready_still_is_not_asked_for_again(
    server: AcmeServer, order: Order
) -> None:
    looks = 0

    def amend(kind: str, body: dict[str, Any]) -> None:
        nonlocal looks
        looks += kind == "order" and bool(server.chains)
        if kind in {"order", "finalize"} and server.chains and looks < 3:
            body["status"] = "ready"

    server.amends = amend
    issued(order)
    assert server.requests.count("finalize") == 1
    assert server.requests.count("order") == 4


def test_an_order_that_has_expired_is_left_for_another(server: AcmeServer, order: Order) -> None:
    moments = [datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(seconds=1)]

    def amend(kind: str, body: dict[str, Any]) -> None:
        if kind == "order":
            body["expires"] = moments[0].isoformat()

    server.amends = amend
    server.processing, server.retry_after = 1_000, "7000"
    for _ in range(2):
        refused(order)
    assert len(server.orders) == 1
    moments.pop(0)
    refused(order)
    assert len(server.orders) == 2


def test_an_order_that_is_never_done_is_left_for_another(
    server: AcmeServer, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.processing, server.retry_after = 1_000, "7000"
    for _ in range(2):
        refused(order)
    assert len(server.orders) == 1
    monkeypatch.setattr(resume, "_LONGEST_ORDER", 0.0)
    refused(order)
    assert len(server.orders) == 2
    server.processing = 0
    issued(order)  # what has come of it is never too old
    assert len(server.orders) == 2


# --- names


def test_a_wildcard_that_is_not_said_to_be_one_is_proven(
    server: AcmeServer, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows: list[str] = []

    def amend(kind: str, body: dict[str, Any]) -> None:
        if kind == "authorization":
            del body["wildcard"]
            # What does without DNS here does for it.
            body["challenges"] = [{**one, "type": "dns-01"} for one in body["challenges"][:1]]
            body["challenges"][0] |= {
                "token": "token-of-22-characters-",
                "status": server.proven[-1],
                "url": f"{server.url}/challenge/{len(server.orders) - 1}/0",
            }

    def show(proofs: Any, asked: Order, **options: Any) -> Any:
        shows.extend(one.domain for one in proofs)
        http = msgspec.structs.replace(asked, challenge=Challenge.HTTP)
        return shown(proofs, http, **options)

    monkeypatch.setattr("supervisor.adapters.acme.issue.shown", show)
    server.amends = amend
    wild = with_terms(order, domains=("*.example.org",))
    issued(msgspec.structs.replace(wild, challenge=Challenge.DNS))
    assert shows == ["example.org"]


# --- chains


def chain_as(server: AcmeServer, *parts: int, more: str = "", alternate: bool = True) -> None:
    """Have it give the certificate (0), the one above it (1) and the root (2) in this order."""
    real = server._on_certificate  # what it gives is what is changed

    def changed(rest: str, *given: Any) -> Reply:
        reply = real(rest, *given)
        if "/" in rest and not alternate:
            return reply
        found = [*PART.findall(reply.body), server.authority.root_pem]
        return Reply(200, "".join(found[part] for part in parts) + more, reply.headers)

    server._on_certificate = changed  # type: ignore[method-assign]


@pytest.mark.parametrize("parts", [(0, 1), (0, 1, 2), (0, 2, 1), (0, 0, 1), (0, 1, 1, 2)], ids=str)
def test_a_chain_is_put_in_order(server: AcmeServer, order: Order, parts: tuple[int, ...]) -> None:
    chain_as(server, *parts)
    pair = issued(order)
    assert len(PART.findall(pair.chain)) == 2
    now, roots = pair.facts.not_before, server.authority.root_pem
    assert not pair_problem(pair.key, pair.chain, names=DOMAINS, now=now, trust=roots)


def test_what_stands_in_no_line_is_refused(server: AcmeServer, order: Order) -> None:
    chain_as(server, 0, more=server.other.root_pem + server.authority.root_pem)
    found = refused(with_issuer(order, trust=""))
    assert "stands next in its chain, and has not signed" in found.message


def test_where_one_chain_cannot_be_used_another_is_taken(server: AcmeServer, order: Order) -> None:
    """As while the default chain of an issuer held an authority that had expired."""
    chain_as(server, 0, more=server.other.root_pem + server.authority.root_pem, alternate=False)
    pair = issued(with_issuer(order, trust=""))
    assert pair.facts.issuer == "Other intermediate"


@pytest.mark.parametrize("more", ["-----BEGIN CERTIFICATE-----\nMIIB", "<html>"])
def test_a_certificate_that_came_cut_off_is_had_again(
    server: AcmeServer, order: Order, more: str
) -> None:
    real = server._on_certificate
    chain_as(server, *((0,) if "BEGIN" in more else ()), more=more)
    found = refused(with_issuer(order, trust=""))
    assert found.kind is FailureKind.PASSING
    assert "none, or cut off" in found.message
    server._on_certificate = real  # type: ignore[method-assign]
    issued(order)
    assert (len(server.orders), len(server.chains)) == (1, 1)


# --- accounts, and where the issuer is


@pytest.mark.parametrize("word", ["unauthorized", "malformed"])
def test_a_binding_that_is_used_up_is_said(server: AcmeServer, order: Order, word: str) -> None:
    server.refusals["newAccount"] = [Refusal(word, "unknown external account binding", 403)]
    found = refused(with_issuer(order, key_id="kid-1", key="c2VjcmV0LWtleQ"))
    assert found.kind is FailureKind.REFUSED
    assert "for one account" in found.hint
    assert "[certificates.issuers.fake]" in found.hint


def test_an_issuer_that_has_moved_is_said(server: AcmeServer, order: Order) -> None:
    class Moved(AcmeServer):
        def _reply(self, *_: Any) -> Reply:
            return Reply(301, "", {"Location": "/new/directory"})

    old = Moved()
    try:
        found = refused(with_issuer(order, directory=old.directory))
    finally:
        old.close()
    assert found.kind is FailureKind.PASSING
    assert f"{old.url}/new/directory" in found.message
    assert "`directory` of [certificates.issuers.fake]" in found.hint
    assert not Path(order.folder, ORDER_FILES[0]).exists()


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (Reply(404, "<html>"), "its directory is HTTP 404"),
        (Reply(403, ""), "its directory is HTTP 403"),
        (Reply(200, "<html>"), "/directory: "),
        (Reply(200, {"keyChange": "https://issuer.example"}), "missing required field"),
    ],
    ids=str,
)
def test_what_is_no_directory_is_said_with_its_url(
    server: AcmeServer, order: Order, there: Reply, why: str
) -> None:
    server._reply = lambda *_: there  # type: ignore[method-assign]
    found = refused(order)
    assert found.kind is FailureKind.PASSING
    assert "the issuer fake answers oddly: " in found.message
    assert why in found.message
    assert f"`directory` of [certificates.issuers.fake] is right: {server.directory}" in found.hint


def test_all_names_that_could_not_be_proven_are_said(server: AcmeServer, order: Order) -> None:
    server.failing = Refusal("dns", "no such host")
    found = refused(with_terms(order, domains=("a.example", "b.example", "c.example")))
    assert found.kind is FailureKind.VALIDATION
    assert found.message == (
        "fake could not verify a.example by http-01: no such host;"
        " nor could it verify b.example, c.example"
    )
    assert found.hint.startswith("a.example needs an A or AAAA record")
