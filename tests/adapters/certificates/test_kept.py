"""What is kept beside a certificate: the order that it comes of goes with it."""

from pathlib import Path

import pytest

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.model.acme import ORDER_FILES
from tests.fakes.certificates import make_pair

pytestmark = pytest.mark.anyio
NAMES = ("web.example.org",)
PAIR, OTHER = make_pair("one", NAMES), make_pair("stand-in", NAMES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with an order whose certificate is to have the key of PAIR."""
    folder = tmp_path / "kept" / "web"
    folder.mkdir(parents=True)
    for name in ORDER_FILES:
        (folder / name).write_text("{}")
    (folder / ORDER_FILES[1]).write_text(PAIR.key)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> CertificateStore:
    return CertificateStore(kept_in=tmp_path / "kept", installed_in=tmp_path / "installed")


def is_there(folder: Path) -> bool:
    return folder.exists()


async def test_an_order_has_ended_when_its_pair_is_kept(
    folder: Path, store: CertificateStore
) -> None:
    await store.keep("web", PAIR)
    assert not any((folder / name).exists() for name in ORDER_FILES)


async def test_an_order_stays_while_another_pair_is_kept(
    folder: Path, store: CertificateStore
) -> None:
    await store.keep("web", OTHER)
    assert all((folder / name).exists() for name in ORDER_FILES)


async def test_an_order_goes_with_the_last_of_its_certificate(
    folder: Path, store: CertificateStore
) -> None:
    await store.forget("web", ())
    assert not is_there(folder)
