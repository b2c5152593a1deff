"""Issuer: what holds of every one. The real one is held to it on the host, with Pebble."""

import pytest

from supervisor.controllers.ports import Issuer
from supervisor.model.acme import AcmeIssuer, FailureKind, Order, OrderRefusal, Pair, RenewalInfo
from supervisor.model.certificate import CertificateTerms, Challenge
from supervisor.model.errors import Retry
from tests.fakes.certificates import FakeIssuer

pytestmark = pytest.mark.anyio

ACME = AcmeIssuer(name="pebble", directory="https://127.0.0.1:14000/dir")
TERMS = CertificateTerms(domains=("web.example.org", "example.org"))


@pytest.fixture
def fake() -> FakeIssuer:
    made = FakeIssuer(lambda: 1_000_000.0)
    made.seconds = 0.0
    return made


def order(*, key: str = "") -> Order:
    return Order(
        name="web",
        folder="/state/certificates/web",
        accounts="/state/accounts",
        issuer=ACME,
        terms=TERMS,
        challenge=Challenge.HTTP,
        key=key,
    )


async def issued(issuer: Issuer, *, key: str = "") -> Pair:
    answer = await issuer.issue(order(key=key))
    assert isinstance(answer, Pair)
    return answer


async def test_each_order_ends_with_another_certificate(fake: FakeIssuer) -> None:
    first, second = await issued(fake), await issued(fake)
    assert first.facts.names == ("example.org", "web.example.org")
    assert first.facts.fingerprint != second.facts.fingerprint
    assert first.key != second.key
    third = await issued(fake, key=first.key)
    assert third.key == first.key


async def test_a_refusal_is_an_answer(fake: FakeIssuer) -> None:
    refusal = OrderRefusal(kind=FailureKind.LIMITED, message="too many", retry_after=60.0)
    fake.refusals["web"] = refusal
    issuer: Issuer = fake
    assert await issuer.issue(order()) == refusal
    del fake.refusals["web"]
    fake.failure = Retry("the process gave no answer")
    with pytest.raises(Retry, match="no answer"):
        await issuer.issue(order())


async def test_a_stand_in_signs_itself(fake: FakeIssuer) -> None:
    issuer: Issuer = fake
    pair = await issuer.standin(TERMS)
    assert pair.facts.names == ("example.org", "web.example.org")
    assert not fake.orders


async def test_what_is_suggested_is_of_one_certificate(fake: FakeIssuer) -> None:
    issuer: Issuer = fake
    pair = await issued(issuer)
    assert await issuer.renewal_info(ACME, pair.facts) is None
    info = RenewalInfo(start=1.0, end=2.0)
    fake.info[pair.facts.ari_id] = info
    assert await issuer.renewal_info(ACME, pair.facts) == info
    await issuer.revoke(ACME, (pair.key, pair.chain))
    assert fake.revoked == [pair.chain]
