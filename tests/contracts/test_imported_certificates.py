"""ImportedCertificates: what waits for a file that asks for it."""

from pathlib import Path

import anyio
import pytest

from supervisor.adapters.certificates.imported import ImportedStore
from supervisor.controllers.ports import ImportedCertificates
from supervisor.model.acme import Pair
from supervisor.model.certificate import KeyType
from supervisor.model.errors import Failure
from supervisor.model.imported import Imported
from tests.fakes.certificates import FakeImported, make_pair

pytestmark = pytest.mark.anyio

FIRST, SECOND = (make_pair(text, ("web.example.org",)) for text in ("first", "second"))


def about(pair: Pair) -> Imported:
    return Imported(
        facts=pair.facts,
        directory="https://ca.example.org/dir",
        key_type=KeyType.ECDSA_P256,
        digest="",
        source="/etc/letsencrypt/live/web/fullchain.pem",
        at=1.0,
    )


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.port = FakeImported()

    async def put(self, pair: Pair) -> None:
        self.port.put(about(pair), pair)

    def damage(self, one: Imported) -> None:
        del self.port.pairs[one.version]


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "imported"
        self.port = ImportedStore(self.folder)

    async def put(self, pair: Pair) -> None:
        await self.port.put(about(pair), pair)

    def damage(self, one: Imported) -> None:
        (self.folder / one.version / "key.pem").write_text("another")


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> FakeSide | RealSide:
    made: FakeSide | RealSide = request.param(tmp_path)
    return made


async def test_what_waits_is_there_with_its_key_until_it_is_dropped(side: FakeSide) -> None:
    port: ImportedCertificates = side.port
    assert await port.all() == ()
    for pair in (FIRST, SECOND):
        await side.put(pair)
    found = {one.version: one for one in await port.all()}
    first = found[FIRST.facts.fingerprint[:16]]
    assert len(found) == 2
    assert first.facts == FIRST.facts
    assert await port.pair(first) == FIRST
    await port.drop(first)
    await port.drop(first)
    (left,) = await port.all()
    assert left.facts == SECOND.facts
    assert await port.pair(first) is None


async def test_what_is_damaged_is_not_given_out(side: FakeSide) -> None:
    await side.put(FIRST)
    (one,) = await side.port.all()
    side.damage(one)
    assert await side.port.pair(one) is None
    await side.port.drop(one)
    assert await side.port.all() == ()


async def test_what_waits_is_of_this_user_alone_and_junk_beside_it_is_passed_over(
    tmp_path: Path,
) -> None:
    side = RealSide(tmp_path)
    await side.put(FIRST)
    for path in side.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    (side.folder / "0000.json").write_text("{")
    (side.folder / "1111.json").mkdir()
    assert len(await side.port.all()) == 1


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "imported").write_text("no folder")
    with pytest.raises(Failure, match="imported"):
        await RealSide(tmp_path).put(FIRST)
    assert await anyio.Path(tmp_path / "imported").is_file()
