"""What somebody does to installed certificates is told, and what podvisor does is not."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms, DesiredCertificate, Issued
from tests.fakes.certificates import make_pair

pytestmark = pytest.mark.anyio
TERMS = CertificateTerms(domains=("web.example.org",))
FIRST, SECOND = (make_pair(text, TERMS.domains) for text in ("first", "second"))
LAST = "zz"
"""A burst tells of it after all others."""


def wanted(name: str, directory: str = "") -> DesiredCertificate:
    path = f"{name}.certificate"
    return DesiredCertificate(name=name, path=path, terms=TERMS, directory=directory)


class House:
    def __init__(self, folder: Path) -> None:
        self.place = folder / "installed"
        self.files = CertificateStore(kept_in=folder / "kept", installed_in=self.place)

    async def install(self, name: str, pair: Pair = FIRST, directory: str = "") -> Path:
        return Path(await self.files.install(wanted(name, directory), pair))

    @asynccontextmanager
    async def told(self) -> AsyncIterator[Callable[[], AsyncIterator[str]]]:
        """Watch, with one more certificate, of which `last` tells after all before it."""
        last = await self.install(LAST)
        async with self.files.watch() as names:

            async def next_ones() -> AsyncIterator[str]:
                (last / "cert.pem").chmod(0o600)
                with anyio.fail_after(60):
                    async for name in names:
                        if name == LAST:
                            return
                        yield name

            yield next_ones


def unlinked(folder: Path) -> None:
    (folder / "fullchain.pem").unlink()


def edited(folder: Path) -> None:
    (folder / "privkey.pem").write_text("another")


def replaced(folder: Path) -> None:
    (folder / "new").write_text("another")
    (folder / "new").rename(folder / "cert.pem")


def readable(folder: Path) -> None:
    (folder / "combined.pem").chmod(0o644)


def open_to_all(folder: Path) -> None:
    folder.chmod(0o755)


def without_content(folder: Path) -> None:
    shutil.rmtree((folder / "..data").resolve())


def led_elsewhere(folder: Path) -> None:
    (folder / "..data").unlink()
    (folder / "..data").symlink_to("/etc")


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def moved(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        unlinked,
        edited,
        replaced,
        readable,
        open_to_all,
        without_content,
        led_elsewhere,
        removed,
        moved,
    ],
)
@pytest.mark.parametrize("directory", ["", "served"])
async def test_what_somebody_does_is_told(
    tmp_path: Path, change: Callable[[Path], None], directory: str
) -> None:
    house = House(tmp_path)
    folder = await house.install("web", directory=directory and f"{tmp_path}/{directory}")
    async with house.told() as told:
        change(folder)
        assert [name async for name in told()] == ["web"]


async def test_what_podvisor_does_and_who_reads_is_not_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.install("web")
    async with house.told() as told:
        for pair in (SECOND, FIRST, FIRST):
            folder = await house.install("web", pair)
        issued = Issued(facts=FIRST.facts, terms=TERMS, digest=await house.files.keep("web", FIRST))
        assert await house.files.is_installed(wanted("web"), issued)
        (folder / "combined.pem").read_bytes()
        assert [name async for name in told()] == []
        await house.files.remove("web", str(folder))
        assert [name async for name in told()] == []
        await house.install("web")
        edited(folder)
        assert [name async for name in told()] == ["web"]


async def test_others_files_in_a_directory_of_ones_own_are_nobodys_concern(tmp_path: Path) -> None:
    house = House(tmp_path)
    folder = await house.install("web", directory=f"{tmp_path}/served")
    async with house.told() as told:
        (folder / "dovecot.conf").write_text("x")
        (folder / "dovecot.conf").unlink()
        assert [name async for name in told()] == []


async def test_where_it_was_before_is_not_watched(tmp_path: Path) -> None:
    house = House(tmp_path)
    former = await house.install("web", directory=f"{tmp_path}/former")
    folder = await house.install("web", directory=f"{tmp_path}/served")
    async with house.told() as told:
        edited(former)
        assert [name async for name in told()] == []
        await house.files.remove("web", str(former))
        edited(folder)
        assert [name async for name in told()] == ["web"]


async def test_what_is_looked_at_is_watched_from_then_on(tmp_path: Path) -> None:
    await House(tmp_path).install("web")
    house = House(tmp_path)
    issued = Issued(facts=FIRST.facts, terms=TERMS, digest=await house.files.keep("web", FIRST))
    async with house.told() as told:
        assert await house.files.is_installed(wanted("web"), issued)
        edited(house.place / "web")
        assert [name async for name in told()] == ["web"]


async def test_there_are_two_watches_for_each(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.told():
        for _ in range(3):
            for number in range(4):
                await house.install(f"web{number}", SECOND)
                await house.install(f"web{number}", FIRST)
        assert watches() == 2 * 5
        await house.files.remove("web0", str(house.place / "web0"))
        assert watches() == 2 * 4


def watches() -> int:
    """Of this process, in all."""
    infos = tuple(Path("/proc/self/fdinfo").iterdir())
    return sum(one.read_text().count("inotify wd:") for one in infos if one.exists())
