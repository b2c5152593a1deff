"""CertificateFiles: pairs that are kept, and what is installed."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.adapters.certificates.owner_process import Gift, Given
from supervisor.controllers.ports import CertificateFiles
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms, DesiredCertificate, Issued
from supervisor.model.errors import Stalled
from tests.fakes.certificates import LARGEST_ID, FakeCertificateFiles, make_pair

pytestmark = pytest.mark.anyio

TERMS = CertificateTerms(domains=("web.example.org",))
FIRST = make_pair("first", TERMS.domains)
SECOND = make_pair("second", TERMS.domains)


class FakeSide:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = FakeCertificateFiles()

    def has(self, folder: str) -> bool:
        return folder in self.files.installed

    def damages(self, folder: str) -> None:
        self.files.damage(folder)

    def damages_kept(self, name: str, digest: str) -> None:
        del self.files.pairs[name, digest]

    @contextmanager
    def loses(self, folder: str) -> Iterator[None]:
        self.files.lose(folder)
        yield

    def closes(self, folder: str) -> None:
        self.files.unwritable.add(folder)


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = CertificateStore(
            kept_in=folder / "kept", installed_in=folder / "installed", give_away=self._give
        )

    async def _give(self, gift: Gift) -> Given:
        """As who may do that would."""
        if max(gift.owner) > LARGEST_ID:
            return Given(problem="there is none", hint="write another")
        return Given()

    def has(self, folder: str) -> bool:
        return Path(folder, "combined.pem").exists()

    def damages(self, folder: str) -> None:
        Path(folder, "privkey.pem").write_text("another")

    def damages_kept(self, name: str, digest: str) -> None:
        for path in (self.folder / "kept" / name).glob("*/chain.pem"):
            path.write_text("another")

    @contextmanager
    def loses(self, folder: str) -> Iterator[None]:
        mounted = os.open(folder, os.O_PATH)
        shutil.rmtree(folder)
        yield
        os.close(mounted)

    def closes(self, folder: str) -> None:
        Path(folder).write_text("no folder")


Side = FakeSide | RealSide


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, tmp_path: Path) -> Side:
    made: Side = request.param(tmp_path)
    return made


def files_of(side: Side) -> CertificateFiles:
    return side.files


def wanted(directory: str = "") -> DesiredCertificate:
    return DesiredCertificate(name="web", path="web.certificate", terms=TERMS, directory=directory)


async def keep(files: CertificateFiles, pair: Pair) -> Issued:
    return Issued(facts=pair.facts, terms=TERMS, digest=await files.keep("web", pair))


async def test_what_is_kept_comes_back(side: Side) -> None:
    files = files_of(side)
    first, second = await keep(files, FIRST), await keep(files, SECOND)
    assert first.digest != second.digest
    assert await keep(files, FIRST) == first, "again is the same"
    assert await files.kept("web", first) == FIRST
    assert await files.kept("web", second) == SECOND
    assert await files.kept("other", first) is None
    assert await files.is_kept("web", first)
    assert await files.is_kept("web", second)
    assert not await files.is_kept("other", first)


async def test_whether_it_can_be_installed_is_seen_without_doing_so(side: Side) -> None:
    files = files_of(side)
    one = wanted(f"{side.folder}/deep/mine")
    await files.check(one)
    assert not side.has(files.place(one))
    folder = await files.install(one, FIRST)
    await files.check(one)
    assert await files.is_installed(one, await keep(files, FIRST))
    other = wanted(f"{side.folder}/other")
    side.closes(f"{side.folder}/other")
    with pytest.raises(Stalled):
        await files.check(other)
    assert folder == f"{side.folder}/deep/mine"


async def test_what_is_damaged_does_not_come_back_until_it_is_kept_anew(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    assert await files.is_kept("web", first)
    side.damages_kept("web", first.digest)
    assert await files.kept("web", first) is None
    assert not await files.is_kept("web", first)
    assert await keep(files, FIRST) == first
    assert await files.kept("web", first) == FIRST
    assert await files.is_kept("web", first)


async def test_what_is_not_to_be_kept_goes(side: Side) -> None:
    files = files_of(side)
    first, second = await keep(files, FIRST), await keep(files, SECOND)
    await files.forget("web", [second])
    assert await files.kept("web", first) is None
    assert await files.kept("web", second) == SECOND
    await files.forget("web", [])
    await files.forget("other", [])
    assert await files.kept("web", second) is None


@pytest.mark.parametrize("place", ["", "served"])
async def test_one_is_installed_after_the_other(side: Side, place: str) -> None:
    files = files_of(side)
    certificate = wanted(place and f"{side.folder}/{place}")
    first, second = await keep(files, FIRST), await keep(files, SECOND)
    assert not await files.is_installed(certificate, first)
    folder = await files.install(certificate, FIRST)
    assert folder == files.place(certificate)
    assert await files.is_installed(certificate, first)
    assert not await files.is_installed(certificate, second)
    await files.install(certificate, SECOND)
    await files.install(certificate, SECOND)
    assert await files.is_installed(certificate, second)
    assert not await files.is_installed(certificate, first)
    await files.install(certificate, FIRST)
    assert await files.is_installed(certificate, first)


async def test_what_is_damaged_is_installed_again(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    folder = await files.install(wanted(), FIRST)
    side.damages(folder)
    assert not await files.is_installed(wanted(), first)
    await files.install(wanted(), FIRST)
    assert await files.is_installed(wanted(), first)


@pytest.mark.parametrize("place", ["", "served"])
async def test_a_folder_that_is_made_anew_is_another_one(side: Side, place: str) -> None:
    files = files_of(side)
    certificate = wanted(place and f"{side.folder}/{place}")
    assert await files.folder_id(certificate) == ""
    folder = await files.install(certificate, FIRST)
    first = await files.folder_id(certificate)
    await files.install(certificate, SECOND)
    assert await files.folder_id(certificate) == first != ""
    with side.loses(folder):
        assert await files.folder_id(certificate) == ""
        await files.install(certificate, SECOND)
        assert await files.folder_id(certificate) not in ("", first)


async def test_another_mode_is_not_installed(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    await files.install(wanted(), FIRST)
    other = replace(wanted(), mode=0o640)
    assert not await files.is_installed(other, first)
    await files.install(other, FIRST)
    assert await files.is_installed(other, first)


async def test_a_key_that_belongs_to_another_user(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    given, folder = replace(wanted(), owner=(999, 998)), ""
    for one, other in ((wanted(), given), (given, wanted()), (given, replace(given, owner=(1, 0)))):
        folder = await files.install(one, FIRST)
        assert await files.is_installed(one, first)
        assert not await files.is_installed(other, first)
    side.damages(folder)
    assert not await files.is_installed(given, first)
    await files.install(given, FIRST)
    with pytest.raises(Stalled, match="cannot install") as told:
        await files.install(replace(given, owner=(LARGEST_ID + 1, 0)), SECOND)
    assert told.value.hint
    assert await files.is_installed(given, first), "it stays as it was"


async def test_it_is_taken_away(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    folder = await files.install(wanted(), FIRST)
    await files.remove("web", folder)
    await files.remove("web", folder)
    assert not side.has(folder)
    assert not await files.is_installed(wanted(), first)
    assert await files.kept("web", first) == FIRST


async def test_only_whose_it_is_takes_it_away(side: Side) -> None:
    files = files_of(side)
    first = await keep(files, FIRST)
    certificate = wanted(f"{side.folder}/served")
    folder = await files.install(certificate, FIRST)
    await files.remove("other", folder)
    assert await files.is_installed(certificate, first)


async def test_a_folder_that_cannot_be_written_is_told(side: Side) -> None:
    files = files_of(side)
    certificate = wanted(f"{side.folder}/closed")
    side.closes(certificate.directory)
    with pytest.raises(Stalled, match=f"cannot install .*web.* in {certificate.directory}") as told:
        await files.install(certificate, FIRST)
    assert told.value.hint
    first = await keep(files, FIRST)
    assert not await files.is_installed(certificate, first)


async def test_an_owner_that_there_is_not_is_told_by_a_look(side: Side) -> None:
    files = files_of(side)
    await files.check(replace(wanted(), owner=(LARGEST_ID, 0)))
    with pytest.raises(Stalled) as told:
        await files.check(replace(wanted(), owner=(LARGEST_ID + 1, 0)))
    assert told.value.hint
    assert not side.has(files.place(wanted()))


async def told(names: AsyncIterator[str]) -> str:
    with anyio.fail_after(60):
        return await anext(names)


@pytest.mark.parametrize("place", ["", "served"])
async def test_what_somebody_does_to_what_is_installed_is_told(side: Side, place: str) -> None:
    files = files_of(side)
    certificate = wanted(place and f"{side.folder}/{place}")
    folder = await files.install(certificate, FIRST)
    async with files.watch() as names:
        side.damages(folder)
        assert await told(names) == "web"
        await files.install(certificate, FIRST)
        with side.loses(folder):
            assert await told(names) == "web"
        await files.install(certificate, SECOND)
        side.damages(folder)
        assert await told(names) == "web", "of the folder that was made anew, too"
