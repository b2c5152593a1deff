"""Issuer: what holds of every one; the real one with an issuer of our own. Pebble: on the host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.acme import issuer as adapter
from supervisor.adapters.acme.issue import issue
from supervisor.adapters.acme.issuer import AcmeCertificates
from supervisor.adapters.acme.rehearse import rehearse
from supervisor.adapters.acme.revoke import revoke
from supervisor.adapters.acme.standin import standin
from supervisor.controllers.ports import Issuer
from supervisor.model.acme import AcmeIssuer, FailureKind, Order, OrderRefusal, Pair
from supervisor.model.acme import RenewalInfo as Info
from supervisor.model.certificate import CertificateFacts, CertificateTerms, Challenge
from supervisor.model.errors import Retry, Stalled
from supervisor.model.rehearsal import Rehearsal
from tests.fakes.acme_server import AcmeServer, Refusal
from tests.fakes.answers import answer_here
from tests.fakes.certificates import FakeIssuer

pytestmark = pytest.mark.anyio

TERMS = CertificateTerms(domains=("web.example.org", "example.org"))
START, END = "1970-01-01T00:01:40Z", "1970-01-01T00:03:20Z"


class FakeSide:
    acme = AcmeIssuer(name="pebble", directory="https://127.0.0.1:14000/dir")

    def __init__(self, _: Path, __: pytest.MonkeyPatch) -> None:
        self.issuer = FakeIssuer(lambda: 1_000_000.0)
        self.issuer.seconds = 0.0

    def limits(self) -> None:
        refusal = OrderRefusal(kind=FailureKind.LIMITED, message="too many", retry_after=60.0)
        self.issuer.refusals["web"] = refusal

    def fails(self) -> None:
        self.issuer.failure = Retry("the process gave no answer")

    def suggests(self, facts: CertificateFacts) -> None:
        self.issuer.info[facts.ari_id] = Info(start=100.0, end=200.0)

    def will_not_revoke(self) -> None:
        self.issuer.failure = Stalled("not yours")

    @property
    def revoked(self) -> int:
        return len(self.issuer.revoked)

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.server = AcmeServer()
        self.acme = AcmeIssuer(name="fake", directory=self.server.directory)
        self.issuer = AcmeCertificates(accounts=folder / "accounts")
        self.patch = patch

    def limits(self) -> None:
        self.server.refusals["newOrder"] = [Refusal("rateLimited", "many", 429, "60")]

    def fails(self) -> None:
        for name in ("_ISSUE", "_STANDIN", "_REVOKE", "_REHEARSE"):
            self.patch.setattr(adapter, name, "supervisor.nowhere")
        self.server.refusals["renewalInfo"] = [Refusal("serverInternal", status=500)]

    def suggests(self, facts: CertificateFacts) -> None:
        self.server.windows[facts.ari_id] = START, END

    def will_not_revoke(self) -> None:
        self.server.refusals["revokeCert"] = [Refusal("unauthorized", status=403)] * 2

    @property
    def revoked(self) -> int:
        return len(self.server.revoked)

    def close(self) -> None:
        self.server.close()


Side = FakeSide | RealSide


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    made: Side = request.param(tmp_path, monkeypatch)
    if "in_processes" not in request.fixturenames:
        answer_here(monkeypatch, adapter, issue, rehearse, revoke, standin)
    yield made
    made.close()


@pytest.fixture
def in_processes() -> None:
    """The real one asks as the daemon has it: each kind of question once."""


def order(side: Side, folder: Path, *, key: str = "") -> Order:
    return Order(
        name="web",
        folder=str(folder),
        accounts=str(folder.parent / "accounts"),
        issuer=side.acme,
        terms=TERMS,
        challenge=Challenge.HTTP,
        key=key,
        listen="127.0.0.1:0",
        resolvers=("127.0.0.1:0",),  # nobody
    )


async def issued(side: Side, folder: Path, *, key: str = "") -> Pair:
    issuer: Issuer = side.issuer
    answer = await issuer.issue(order(side, folder, key=key))
    assert isinstance(answer, Pair)
    return answer


async def test_each_order_ends_with_another_certificate(side: Side, tmp_path: Path) -> None:
    first, second = [await issued(side, tmp_path / name) for name in ("one", "two")]
    assert first.facts.names == ("example.org", "web.example.org")
    assert first.facts.fingerprint != second.facts.fingerprint
    assert first.key != second.key
    third = await issued(side, tmp_path / "three", key=first.key)
    assert third.key == first.key


@pytest.mark.usefixtures("in_processes")
async def test_a_refusal_is_an_answer(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    side.limits()
    refusal = await issuer.issue(order(side, tmp_path / "one"))
    assert isinstance(refusal, OrderRefusal)
    assert refusal.kind is FailureKind.LIMITED
    assert refusal.retry_after == 60.0


async def test_what_cannot_be_said_is_tried_again(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    pair = await issued(side, tmp_path / "one")
    side.fails()
    with pytest.raises(Retry):
        await issuer.issue(order(side, tmp_path / "two"))
    with pytest.raises(Retry):
        await issuer.standin(TERMS)
    with pytest.raises(Retry):
        await issuer.rehearse(Rehearsal(order=order(side, tmp_path / "two")))
    with pytest.raises(Retry):
        await issuer.revoke(side.acme, (pair.key, pair.chain))
    with pytest.raises(Retry):
        await issuer.renewal_info(side.acme, pair.facts)


def is_empty(folder: Path) -> bool:
    return not [*folder.iterdir()]


@pytest.mark.usefixtures("in_processes")
async def test_what_is_tried_leaves_nothing(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    found = await issuer.rehearse(Rehearsal(order=order(side, tmp_path / "one")))
    assert not found.is_issued
    assert is_empty(tmp_path)


@pytest.mark.usefixtures("in_processes")
async def test_a_stand_in_has_the_names(side: Side) -> None:
    issuer: Issuer = side.issuer
    first, second = await issuer.standin(TERMS), await issuer.standin(TERMS)
    assert first.facts.names == ("example.org", "web.example.org")
    assert first.facts.fingerprint != second.facts.fingerprint


async def test_what_is_suggested_is_of_one_certificate(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    pair = await issued(side, tmp_path / "one")
    assert await issuer.renewal_info(side.acme, pair.facts) is None
    side.suggests(pair.facts)
    assert await issuer.renewal_info(side.acme, pair.facts) == Info(start=100.0, end=200.0)


@pytest.mark.usefixtures("in_processes")
async def test_what_is_revoked_is_void(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    pair = await issued(side, tmp_path / "one")
    await issuer.revoke(side.acme, (pair.key, pair.chain))
    assert side.revoked == 1


async def test_what_the_issuer_will_not_revoke_is_for_a_person(side: Side, tmp_path: Path) -> None:
    issuer: Issuer = side.issuer
    pair = await issued(side, tmp_path / "one")
    side.will_not_revoke()
    with pytest.raises(Stalled):
        await issuer.revoke(side.acme, (pair.key, pair.chain))
