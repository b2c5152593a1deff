"""A key that belongs to another user: given away before it is seen, and never read again."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.adapters.certificates.owner_process import Gift, Given, covers, give, largest
from supervisor.model.certificate import CertificateTerms, DesiredCertificate, Issued
from supervisor.model.errors import Retry, Stalled
from tests.fakes.certificates import make_pair

pytestmark = pytest.mark.anyio
TERMS = CertificateTerms(domains=("web.example.org",))
FIRST, SECOND = (make_pair(text, TERMS.domains) for text in ("first", "second"))
WANTED = DesiredCertificate(name="web", path="web.certificate", terms=TERMS, owner=(999, 998))
KEYS = ("privkey.pem", "combined.pem")
Damage = Callable[[Path], None]


class House:
    def __init__(self, folder: Path) -> None:
        self.gifts: list[Gift] = []
        self.answer = Given()
        self.store = CertificateStore(
            kept_in=folder / "kept", installed_in=folder / "installed", give_away=self._give
        )
        self.place = folder / "installed" / "web"

    async def _give(self, gift: Gift) -> Given:
        """No owner is changed: that takes rights that tests have not."""
        self.gifts.append(gift)
        assert {*names(Path(gift.folder))} >= {*KEYS}
        assert self.installed != gift.folder
        return self.answer

    @property
    def installed(self) -> str:
        """Folder of what is installed."""
        return os.path.realpath(self.place / "..data")

    async def holds(self, wanted: DesiredCertificate = WANTED) -> bool:
        issued = Issued(facts=FIRST.facts, terms=TERMS, digest=await self.store.keep("web", FIRST))
        return await self.store.is_installed(wanted, issued)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_it_is_given_away_before_it_is_seen(house: House) -> None:
    await house.store.install(WANTED, FIRST)
    (gift,) = house.gifts
    assert (gift.owner, gift.files) == ((999, 998), KEYS)
    assert gift.folder == house.installed
    assert await house.holds()
    assert stat.S_IMODE((house.place / "privkey.pem").stat().st_mode) == 0o600
    for folder in (house.place, house.place / "..data"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "it has to come there"
    assert stat.S_IMODE((house.place / "..data" / "owned").stat().st_mode) == 0o600


async def test_who_has_none_is_not_asked(house: House) -> None:
    await house.store.install(replace(WANTED, owner=None), FIRST)
    assert not house.gifts


def later(path: Path) -> None:
    """Wait for the file system's clock: of what follows at once it cannot tell."""
    before, probe = path.stat().st_ctime_ns, path.parent.parent / "probe"
    while not probe.exists() or probe.stat().st_ctime_ns <= before:
        probe.unlink(missing_ok=True)
        probe.touch()
    probe.unlink()


def edited(folder: Path) -> None:
    text = (folder / "privkey.pem").read_text()
    (folder / "privkey.pem").write_text(text.swapcase())


def edited_unseen(folder: Path) -> None:
    """Also the times of a file can be set, but for one."""
    status = (folder / "combined.pem").stat()
    edited(folder)
    os.utime(folder / "privkey.pem", ns=(status.st_atime_ns, status.st_mtime_ns))


def readable(folder: Path) -> None:
    (folder / "privkey.pem").chmod(0o644)


def replaced(folder: Path) -> None:
    key = folder / "..data" / "combined.pem"
    text = key.read_text()
    key.unlink()
    key.write_text(text)
    key.chmod(0o600)


def removed(folder: Path) -> None:
    (folder / "..data" / "combined.pem").unlink()


def a_link(folder: Path) -> None:
    key = folder / "..data" / "privkey.pem"
    key.rename(folder / "moved")
    key.symlink_to("../moved")


def other_chain(folder: Path) -> None:
    for file in ("cert.pem", "chain.pem", "fullchain.pem"):
        (folder / file).write_text("")


def without_note(folder: Path) -> None:
    (folder / "..data" / "owned").unlink()


def broken_note(folder: Path) -> None:
    (folder / "..data" / "owned").write_text("{")


@pytest.mark.parametrize(
    "damage",
    [
        edited,
        edited_unseen,
        readable,
        replaced,
        removed,
        a_link,
        other_chain,
        without_note,
        broken_note,
    ],
)
async def test_damage_is_told_without_reading_it(house: House, damage: Damage) -> None:
    await house.store.install(WANTED, FIRST)
    later(house.place / "privkey.pem")
    damage(house.place)
    assert not await house.holds()
    await house.store.install(WANTED, FIRST)
    assert await house.holds()


@pytest.mark.parametrize(
    "other",
    [
        replace(WANTED, owner=(999, 0)),
        replace(WANTED, owner=(1, 998)),
        replace(WANTED, mode=0o640),
    ],
)
async def test_another_owner_or_mode_is_not_installed(
    house: House, other: DesiredCertificate
) -> None:
    await house.store.install(WANTED, FIRST)
    assert not await house.holds(other)
    await house.store.install(other, FIRST)
    assert await house.holds(other)


async def test_another_certificate_is_not_this_one(house: House) -> None:
    await house.store.install(WANTED, SECOND)
    assert not await house.holds()
    await house.store.install(WANTED, FIRST)
    assert await house.holds()


@pytest.mark.parametrize(("hint", "kind"), [("use another", Stalled), ("", Retry)])
async def test_a_key_that_cannot_be_given_away_is_not_installed(
    house: House, hint: str, kind: type[Exception]
) -> None:
    await house.store.install(WANTED, SECOND)
    before = names(house.place)
    house.answer = Given(problem="UID 999 is none", hint=hint)
    with pytest.raises(kind, match="its key cannot be given to 999:998: UID 999 is none"):
        await house.store.install(WANTED, FIRST)
    assert names(house.place) == before
    assert (house.place / "fullchain.pem").read_text() == SECOND.chain


async def test_nothing_of_it_is_left(house: House) -> None:
    await house.store.install(WANTED, FIRST)
    await house.store.remove("web", str(house.place))
    assert not house.place.exists()


def test_giving_to_who_one_is_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    status = (tmp_path / "key").stat()
    gift = Gift(folder=str(tmp_path), files=("key",), owner=(status.st_uid, status.st_gid))
    assert give(gift) == Given()


def test_what_is_in_the_way_of_giving(tmp_path: Path) -> None:
    gift = Gift(folder=str(tmp_path), files=("key",), owner=(os.getuid(), os.getgid()))
    given = give(gift)
    assert given.problem == "No such file or directory"
    assert given.hint


MAP = "         0       1000          1\n         1     100000      65536\n"


def test_ids_that_containers_have() -> None:
    assert all(covers(MAP, number) for number in (0, 1, 65_536))
    assert not covers(MAP, 65_537)
    assert not covers("0 1000 1\n", 1)
    assert largest(MAP) == 65_536
