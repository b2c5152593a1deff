"""What is kept beside a certificate: the order that it comes of goes with it."""

import json
from pathlib import Path

import pytest

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.model.acme import ORDER_FILES
from supervisor.model.certificate import CertificateTerms, Issued
from tests.fakes.certificates import make_pair

pytestmark = pytest.mark.anyio
NAMES = ("web.example.org",)
PAIR, OTHER = make_pair("one", NAMES), make_pair("stand-in", NAMES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with an order that PAIR came of."""
    folder = tmp_path / "kept" / "web"
    folder.mkdir(parents=True)
    (folder / ORDER_FILES[0]).write_text(json.dumps({"issued": PAIR.facts.fingerprint[:16]}))
    (folder / ORDER_FILES[1]).write_text(PAIR.key)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> CertificateStore:
    return CertificateStore(kept_in=tmp_path / "kept", installed_in=tmp_path / "installed")


def is_there(folder: Path) -> bool:
    return folder.exists()


async def test_an_order_has_ended_when_its_pair_is_in_use(
    folder: Path, store: CertificateStore
) -> None:
    digest = await store.keep("web", PAIR)
    assert all((folder / name).exists() for name in ORDER_FILES)  # nobody wrote it down yet
    issued = Issued(facts=PAIR.facts, terms=CertificateTerms(domains=NAMES), digest=digest)
    await store.forget("web", [issued])
    assert not any((folder / name).exists() for name in ORDER_FILES)


@pytest.mark.parametrize("text", ["", "{}", "[]", "no JSON", '{"issued": 1}'])
async def test_an_order_stays_while_nothing_came_of_it(
    folder: Path, store: CertificateStore, text: str
) -> None:
    digest = await store.keep("web", OTHER)
    (folder / ORDER_FILES[0]).write_text(text)
    issued = Issued(facts=OTHER.facts, terms=CertificateTerms(domains=NAMES), digest=digest)
    await store.forget("web", [issued])
    assert all((folder / name).exists() for name in ORDER_FILES)


async def test_an_order_goes_with_the_last_of_its_certificate(
    folder: Path, store: CertificateStore
) -> None:
    await store.forget("web", ())
    assert not is_there(folder)
