"""What is installed in a folder, beside what a person has there."""

import os
import shutil
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.adapters.certificates import texts
from supervisor.adapters.certificates.installed import Place
from supervisor.model.certificate import FILES
from supervisor.model.errors import Failure, Stalled
from tests.fakes.certificates import make_pair

NAMES = ("web.example.org",)
FIRST, SECOND = (texts.kept(make_pair(one, NAMES)) for one in ("first", "second"))
V1, V2 = "1" * 16, "2" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "web"


@pytest.fixture
def place(folder: Path) -> Place:
    return Place("web", str(folder), is_own=False)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def holds(place: Place, pair: texts.Kept = FIRST) -> bool:
    return place.holds(pair.digest, mode=0o600)


def test_files_hold_what_they_are_named_for(place: Place, folder: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    held = {one: (folder / one).read_text() for one in FILES}
    assert held["privkey.pem"] == FIRST.key
    assert held["fullchain.pem"] == held["cert.pem"] + held["chain.pem"] == FIRST.chain
    assert held["cert.pem"].count("BEGIN CERTIFICATE") == 1
    assert held["chain.pem"].count("BEGIN CERTIFICATE") == 1
    assert held["combined.pem"] == FIRST.key + FIRST.chain


def test_a_certificate_alone_has_nothing_between_it_and_its_root(tmp_path: Path) -> None:
    alone = texts.Kept(FIRST.key, FIRST.chain.partition("-----END CERTIFICATE-----\n")[0])
    alone = texts.Kept(alone.key, f"{alone.chain}-----END CERTIFICATE-----\n")
    place = Place("web", str(tmp_path), is_own=True)
    place.install(alone, V1, mode=0o600)
    assert (tmp_path / "chain.pem").read_text() == ""
    assert (tmp_path / "cert.pem").read_text() == alone.chain
    assert place.holds(alone.digest, mode=0o600)


def test_all_links_stay_in_the_folder(place: Place, folder: Path, tmp_path: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    assert {one: (folder / one).readlink() for one in FILES} == {
        one: Path(f"..data/{one}") for one in FILES
    }
    assert (folder / "..data").readlink() == Path(f"..{V1}")
    folder.rename(tmp_path / "mounted")
    assert (tmp_path / "mounted" / "combined.pem").read_text() == FIRST.key + FIRST.chain


@pytest.mark.parametrize(
    ("asked", "of_folder"),
    [(0o600, 0o700), (0o400, 0o700), (0o640, 0o755), (0o644, 0o755), (0o660, 0o755)],
)
def test_modes_are_those_that_were_asked_for(
    place: Place, folder: Path, asked: int, of_folder: int
) -> None:
    before = os.umask(0o077)
    try:
        place.install(FIRST, V1, mode=asked)
    finally:
        os.umask(before)
    assert {one: mode(folder / one) for one in FILES} == {
        "privkey.pem": asked,
        "combined.pem": asked,
        "cert.pem": 0o644,
        "chain.pem": 0o644,
        "fullchain.pem": 0o644,
    }
    assert mode(folder) == mode(folder / "..data") == of_folder
    assert place.holds(FIRST.digest, mode=asked)
    assert not place.holds(FIRST.digest, mode=0o444)


def test_only_the_one_before_stays(place: Place, folder: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    place.install(SECOND, V2, mode=0o600)
    place.install(FIRST, "3" * 16, mode=0o600)
    hidden = sorted(one.name for one in folder.iterdir() if one.name.startswith(".."))
    assert hidden == [f"..{V2}", f"..{'3' * 16}", "..data"]


def test_what_a_person_has_there_stays(place: Place, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    for name in ("dhparam.pem", "..notes", "..0123", ".hidden"):
        (folder / name).write_text("own")
    place.install(FIRST, V1, mode=0o600)
    place.install(SECOND, V2, mode=0o600)
    assert mode(folder) == 0o750
    place.remove()
    assert sorted(one.name for one in folder.iterdir()) == [
        "..0123",
        "..notes",
        ".hidden",
        "dhparam.pem",
    ]


@pytest.mark.parametrize("name", [*FILES, "..data"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_nothing_of_a_persons_is_overwritten(
    place: Place, folder: Path, tmp_path: Path, name: str, kind: str
) -> None:
    folder.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    match kind:
        case "file":
            (folder / name).write_text("own")
        case "folder":
            (folder / name).mkdir()
        case "link":
            (folder / name).symlink_to(elsewhere)
        case "dangling":
            (folder / name).symlink_to("nowhere")
    before = os.lstat(folder / name)
    with pytest.raises(Stalled, match=f"{folder}/{name} is in the way") as told:
        place.install(FIRST, V1, mode=0o600)
    assert told.value.hint == "move it away, or name another Directory="
    place.remove()
    assert os.lstat(folder / name).st_ino == before.st_ino
    assert [one.name for one in folder.iterdir()] == [name]
    assert not [*elsewhere.iterdir()]
    assert not holds(place)


def test_a_folder_that_is_a_link_is_not_followed(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Place("web", str(elsewhere), is_own=False).install(FIRST, V1, mode=0o600)
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(Stalled, match="that is a link") as told:
        place.install(SECOND, V2, mode=0o600)
    assert told.value.hint == "name the folder that it leads to by Directory="
    assert not holds(place)
    place.remove()
    assert holds(Place("web", str(elsewhere), is_own=False))


def test_a_version_that_leads_elsewhere_is_not_followed(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    place.install(FIRST, V1, mode=0o600)
    elsewhere = tmp_path / "elsewhere"
    (folder / f"..{V1}").rename(elsewhere)
    (folder / f"..{V1}").symlink_to(elsewhere)
    assert not holds(place)
    place.install(SECOND, V2, mode=0o600)
    assert holds(place, SECOND)
    place.install(FIRST, V1, mode=0o600)
    place.remove()
    assert sorted(one.name for one in elsewhere.iterdir()) == sorted([*FILES, texts.NAME])


@pytest.mark.parametrize("parent", ["file", "link"])
def test_a_parent_that_is_no_folder_is_told(tmp_path: Path, parent: str) -> None:
    at = tmp_path / "data"
    if parent == "file":
        at.write_text("own")
    else:
        at.symlink_to("nowhere")
    place = Place("web", str(at / "web"), is_own=False)
    with pytest.raises(Stalled, match=f"cannot install .* {at} is no folder") as told:
        place.install(FIRST, V1, mode=0o600)
    assert told.value.hint == "name another folder by Directory="
    assert not holds(place)
    place.remove()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(place: Place, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(Stalled, match=r"cannot install .* Permission denied") as told:
        place.install(FIRST, V1, mode=0o600)
    assert told.value.hint == "name another folder by Directory=, or let your user write there"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_podvisors_own_folder_may_be_written_again_but_not_what_holds_it(folder: Path) -> None:
    own = Place("web", str(folder), is_own=True)
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    own.install(FIRST, V1, mode=0o600)
    assert holds(own)
    own.remove()
    folder.parent.chmod(0o500)
    with pytest.raises(Stalled, match=r"cannot install .* Permission denied") as told:
        own.install(FIRST, V1, mode=0o600)
    assert told.value.hint == "check owner and permissions"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_that_cannot_be_looked_at_is_not_gone(place: Place, folder: Path) -> None:
    """Who has mounted it sees it still, and need not start anew."""
    place.install(FIRST, V1, mode=0o600)
    before = place.identity()
    folder.chmod(0)
    assert place.identity() == before
    folder.parent.chmod(0)
    with pytest.raises(Stalled, match="Permission denied"):
        place.identity()
    folder.parent.chmod(0o700)
    folder.chmod(0o700)
    folder.rename(folder.with_name("other"))
    assert place.identity() == ""
    folder.symlink_to("other")
    assert place.identity() == ""


def spoil_key(folder: Path) -> None:
    (folder / "privkey.pem").chmod(0o644)


def spoil_combined(folder: Path) -> None:
    (folder / "combined.pem").write_text("another")


def spoil_chain(folder: Path) -> None:
    (folder / "chain.pem").unlink()
    (folder / "chain.pem").write_text("another")


def lose_chain(folder: Path) -> None:
    (folder / "..data" / "chain.pem").unlink()


def lose_name(folder: Path) -> None:
    (folder / "cert.pem").unlink()


def lose_data(folder: Path) -> None:
    (folder / "..data").unlink()


def lose_version(folder: Path) -> None:
    (folder / f"..{V1}").rename(folder.parent / "lost")


def lose_all(folder: Path) -> None:
    folder.rename(folder.parent / "lost")


def open_version(folder: Path) -> None:
    (folder / f"..{V1}").chmod(0o755)


def have_a_pipe(folder: Path) -> None:
    (folder / "..data" / "cert.pem").unlink()
    os.mkfifo(folder / "..data" / "cert.pem")


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_key,
        spoil_combined,
        lose_chain,
        lose_name,
        lose_data,
        lose_version,
        lose_all,
        open_version,
        have_a_pipe,
    ],
)
def test_what_is_not_as_it_was_installed_is_seen_and_mended(
    place: Place, folder: Path, spoil
) -> None:
    place.install(FIRST, V1, mode=0o600)
    assert holds(place)
    spoil(folder)
    assert not holds(place)
    place.install(FIRST, V1, mode=0o600)
    assert holds(place)
    place.install(SECOND, V2, mode=0o600)
    place.install(FIRST, V1, mode=0o600)
    assert holds(place)


def copied(folder: Path, *, only: str = "*") -> None:
    """Have it be what a tool makes of it that follows links: a backup, say, that was restored."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir(mode=0o700)
    for path in away.glob(only):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)


@pytest.mark.parametrize("only", ["*", "*.pem"])
@pytest.mark.parametrize("is_own", [True, False])
def test_copies_without_links_are_installed_anew(folder: Path, only: str, *, is_own: bool) -> None:
    place = Place("web", str(folder), is_own=is_own)
    place.install(FIRST, V1, mode=0o600)
    copied(folder, only=only)
    assert not holds(place)
    place.install(FIRST, V1, mode=0o600)
    assert holds(place)


def test_copies_of_another_than_the_one_to_be_installed_are_known(
    place: Place, folder: Path
) -> None:
    place.install(FIRST, V1, mode=0o600)
    (folder / "of a person").write_text("own")
    copied(folder)
    place.install(SECOND, V2, mode=0o600)
    assert holds(place, SECOND)
    assert (folder / "of a person").read_text() == "own"
    assert {path.name for path in folder.glob("..*")} == {"..data", f"..{V2}"}


def test_what_a_person_wrote_over_a_copy_is_left(place: Place, folder: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    copied(folder)
    (folder / "cert.pem").write_text("own")
    with pytest.raises(Stalled, match=r"cert\.pem is in the way"):
        place.install(SECOND, V2, mode=0o600)
    assert (folder / "cert.pem").read_text() == "own"


def test_what_a_person_puts_over_it_is_seen_and_left(place: Place, folder: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    spoil_chain(folder)
    assert not holds(place)
    with pytest.raises(Stalled, match=r"chain\.pem is in the way"):
        place.install(FIRST, V1, mode=0o600)
    place.remove()
    assert [one.name for one in folder.iterdir()] == ["chain.pem"]


def test_readers_always_see_a_whole_one(place: Place, folder: Path) -> None:
    place.install(FIRST, V1, mode=0o600)
    seen: set[str] = set()
    over = threading.Event()

    def read() -> None:
        is_over = False
        while not is_over:
            is_over = over.is_set()
            # Who halts between two names for as long as two installations take finds nothing.
            with suppress(FileNotFoundError):
                seen.add((folder / "combined.pem").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(10):
            place.install(SECOND, V2, mode=0o600)
            place.install(FIRST, V1, mode=0o600)
    finally:
        over.set()
        reader.join()
    assert seen <= {FIRST.key + FIRST.chain, SECOND.key + SECOND.chain}
    assert seen


def test_a_look_says_what_an_installation_would(place: Place, folder: Path) -> None:
    place.check()
    assert not folder.parent.exists()
    folder.mkdir(parents=True)
    (folder / "privkey.pem").write_text("mine")
    for work in (place.check, lambda: place.install(FIRST, V1, mode=0o600)):
        with pytest.raises(Stalled, match=r"privkey\.pem is in the way"):
            work()
    (folder / "privkey.pem").unlink()
    place.check()
    folder.rmdir()
    folder.symlink_to(folder.parent)
    with pytest.raises(Stalled, match="that is a link"):
        place.check()
    folder.unlink()
    folder.parent.rmdir()
    folder.parent.write_text("no folder")
    with pytest.raises(Stalled, match="is no folder"):
        place.check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_look_says_that_a_folder_cannot_be_written(place: Place, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(Failure, match="Permission denied"):
        place.check()


@pytest.mark.parametrize("below", ["tls", "tls/web"])
def test_a_file_system_that_takes_no_folder_is_none_to_wait_for(below: str) -> None:
    place = Place("web", f"/proc/{below}", is_own=False)
    with pytest.raises(Stalled, match="Permission denied") as told:
        place.install(FIRST, V1, mode=0o600)
    assert "Directory=" in told.value.hint
