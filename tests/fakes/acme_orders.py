"""Orders at the issuer of `acme_server`, in this process, and what comes of them."""

from pathlib import Path

import msgspec

from supervisor.adapters.acme.issue import issue
from supervisor.model.acme import AcmeIssuer, Order, OrderRefusal, Pair
from supervisor.model.certificate import CertificateTerms, Challenge
from tests.fakes.acme_server import AcmeServer

DOMAINS = ("example.org", "www.example.org")


def order_at(server: AcmeServer, folder: Path) -> Order:
    """Write one that listens at any port."""
    return Order(
        name="web",
        folder=str(folder / "web"),
        accounts=str(folder / "accounts"),
        issuer=AcmeIssuer(name="fake", directory=server.directory, trust=server.authority.root_pem),
        terms=CertificateTerms(domains=DOMAINS, issuer="fake"),
        challenge=Challenge.HTTP,
        listen="127.0.0.1:0",
        timeout_seconds=300.0,
        resolvers=("127.0.0.1:0",),  # nobody
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
