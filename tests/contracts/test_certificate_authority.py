"""Authority: podvisor's own."""

from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.certificates.authority import InternalAuthority
from supervisor.adapters.certificates.authority_process import sign
from supervisor.controllers.ports import Authority
from supervisor.kit import helper
from supervisor.model.certificate import CertificateTerms
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.errors import NotAllowed, Stalled
from tests.fakes.answers import answer_here
from tests.fakes.certificates import FakeAuthority
from tests.fakes.ports import FakeSecrets

pytestmark = pytest.mark.anyio

TERMS = CertificateTerms(domains=("web.home.arpa", "*.nas.internal"), issuer="internal")


class FakeSide:
    def __init__(self, folder: Path) -> None:
        self.authority = FakeAuthority(lambda: 1_000_000.0)


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.authority = InternalAuthority(
            folder / "state" / "authority",
            settings=CertificateSettings,
            read=FakeSecrets().read,
        )


@pytest.fixture(params=[FakeSide, RealSide])
def authority(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    if "in_a_process" not in request.fixturenames:
        answer_here(monkeypatch, helper, sign)
    made: Authority = request.param(tmp_path).authority
    return made


@pytest.fixture
def in_a_process() -> None:
    """The real one asks as the daemon has it."""


@pytest.mark.usefixtures("in_a_process")
async def test_it_is_made_with_the_first_certificate(authority: Authority) -> None:
    with pytest.raises(Stalled, match="no authority of podvisor's own yet"):
        await authority.root()
    first = await authority.issue(TERMS)
    root = await authority.root()
    assert root.startswith("-----BEGIN CERTIFICATE-----\n")
    second = await authority.issue(TERMS)
    assert await authority.root() == root
    assert first.facts.names == second.facts.names == ("*.nas.internal", "web.home.arpa")
    assert first.facts.fingerprint != second.facts.fingerprint
    assert first.facts.serial != second.facts.serial
    assert first.key != second.key
    assert 89 < first.facts.lifetime / 86_400 < 91


async def test_a_key_is_used_again(authority: Authority) -> None:
    first = await authority.issue(TERMS)
    second = await authority.issue(TERMS, key=first.key)
    assert second.key == first.key
    assert second.chain != first.chain


async def test_it_does_not_sign_for_others(authority: Authority) -> None:
    terms = CertificateTerms(domains=("web.home.arpa", "www.example.org"), issuer="internal")
    with pytest.raises(NotAllowed, match=r"may not sign for www\.example\.org") as told:
        await authority.issue(terms)
    with pytest.raises(NotAllowed, match=r"may not sign for www\.example\.org"):
        await authority.may_sign(terms)
    assert told.value.hint


async def test_that_it_may_sign_makes_nothing(authority: Authority) -> None:
    await authority.may_sign(TERMS)
    with pytest.raises(Stalled, match="no authority of podvisor's own yet"):
        await authority.root()
    await authority.issue(TERMS)
    root = await authority.root()
    await authority.may_sign(TERMS)
    assert await authority.root() == root
