"""Work on files that is killed before each of its calls, or that runs out of room at each byte.

`test_cut_short` runs this as a program: it forks, and so has no threads. It prints a line for each
kind of work; what must not be ends it.
"""

import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from supervisor.adapters.certificates import kept, texts
from supervisor.adapters.certificates.installed import Place
from supervisor.model.certificate import FILES
from supervisor.model.errors import Retry
from tests.fakes.certificates import make_pair

CALLS = {
    "open",
    "os.chmod",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
}
NAMES = ("web.example.org",)
FIRST, SECOND = (texts.kept(make_pair(one, NAMES)) for one in ("first", "second"))
V1, V2 = "1" * 16, "2" * 16
KILLED, FULL = 9, 7


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Whether it was killed before it had done so many calls."""

    def begin() -> None:
        left = number

        def hook(event: str, _: tuple) -> None:
            nonlocal left
            if event in CALLS:
                left -= 1
                if left < 0:
                    os._exit(KILLED)

        sys.addaudithook(hook)

    return _forked(begin, work) == KILLED


def full_at(size: int, work: Callable[[], object]) -> bool:
    """Whether files that may not be larger were too small for it."""

    def begin() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return _forked(begin, work) == FULL


def _forked(begin: Callable[[], None], work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            begin()
            work()
        except Retry:
            os._exit(FULL)
        except BaseException as error:  # noqa: BLE001  # the child ends here, whatever it is
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED, FULL), code
    return code


def fresh(folder: Path, *, pair: texts.Kept | None = None) -> Place:
    shutil.rmtree(folder, ignore_errors=True)
    place = Place("web", str(folder), is_own=True)
    if pair:
        place.install(pair, V1, mode=0o600)
        (folder / "a person's").write_text("own")
    return place


def seen(folder: Path) -> texts.Kept | None:
    """Return the pair that all files agree on; None if none of them is there."""
    found = {one: (folder / one).read_text() for one in FILES if (folder / one).exists()}
    if not found:
        return None
    pair = texts.Kept(found["privkey.pem"], found["fullchain.pem"])
    wanted = texts.installed("web", pair)
    assert found == {one: wanted[one].decode() for one in FILES}
    return pair


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def is_tidy(folder: Path) -> bool:
    hidden = [one for one in names(folder) if one.startswith(".")]
    return hidden[-1] == "..data" and len(hidden) <= 3 and "..data_tmp" not in hidden


def install(folder: Path, before: texts.Kept | None) -> str:
    states = set()
    for number in range(1_000):
        place = fresh(folder, pair=before)
        killed = killed_at(number, lambda: place.install(SECOND, V2, mode=0o600))  # noqa: B023
        states.add(found := seen(folder) if folder.exists() else None)
        assert found in (before, SECOND)
        assert killed or found == SECOND
        place.install(SECOND, V2, mode=0o600)
        assert seen(folder) == SECOND
        assert place.holds(SECOND.digest, mode=0o600)
        assert is_tidy(folder), names(folder)
        if not killed:
            assert states == {before, SECOND}
            return f"installed {number}"
    raise AssertionError


def install_without_room(folder: Path, before: texts.Kept | None) -> str:
    for size in range(0, 5_000, 97):
        place = fresh(folder, pair=before)
        full = full_at(size, lambda: place.install(SECOND, V2, mode=0o600))  # noqa: B023
        assert seen(folder) == (before if full else SECOND)
        versions = [one for one in names(folder) if one.startswith("..2")]
        assert bool(versions) != full, "nothing is left that takes up the room"
        if not full:
            return f"full {size}"
    raise AssertionError


def remove(folder: Path) -> str:
    for number in range(1_000):
        place = fresh(folder, pair=FIRST)
        killed = killed_at(number, place.remove)
        assert seen(folder) in (FIRST, None)
        place.remove()
        assert names(folder) == ["a person's"]
        if not killed:
            return f"removed {number}"
    raise AssertionError


def keep(folder: Path, there: texts.Kept | None) -> str:
    """Keep one beside another; `there` is what stands where it is to be."""
    for number in range(1_000):
        shutil.rmtree(folder, ignore_errors=True)
        kept.keep(folder, V1, FIRST)
        if there:
            kept.keep(folder, V2, there)
        killed = killed_at(number, lambda: kept.keep(folder, V2, SECOND))
        assert kept.kept(folder, V1, FIRST.digest) == FIRST
        assert killed or kept.kept(folder, V2, SECOND.digest) == SECOND
        kept.keep(folder, V2, SECOND)
        assert kept.kept(folder, V2, SECOND.digest) == SECOND
        kept.forget(folder, [V1, V2])
        assert names(folder) == [V1, V2]
        if not killed:
            return f"kept {number}"
    raise AssertionError


def keep_without_room(folder: Path) -> str:
    for size in range(0, 5_000, 97):
        shutil.rmtree(folder, ignore_errors=True)
        kept.keep(folder, V1, FIRST)
        full = full_at(size, lambda: kept.keep(folder, V2, SECOND))
        assert kept.kept(folder, V1, FIRST.digest) == FIRST
        assert kept.kept(folder, V2, SECOND.digest) == (None if full else SECOND)
        assert names(folder) == ([V1] if full else [V1, V2])
        if not full:
            return f"full {size}"
    raise AssertionError


if __name__ == "__main__":
    root = Path(sys.argv[1])
    os.fsync = lambda _: None  # no power is cut here, and disks take their time
    for before in (FIRST, None):
        print(install(root / "installed", before))  # noqa: T201
        print(install_without_room(root / "installed", before))  # noqa: T201
    print(remove(root / "installed"))  # noqa: T201
    for there in (None, FIRST):
        print(keep(root / "kept" / "web", there))  # noqa: T201
    print(keep_without_room(root / "kept" / "web"))  # noqa: T201
