"""Files of certificates are read again only after a change, and after each."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.adapters.certificates.unchanged import Places, Unchanged
from supervisor.kit.stamps import SETTLED_NS

ABOUT = ("kept", "web")


class Reading:
    """What reads a file, and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "key.pem"
        self.file.write_text("good")
        self.places = Places([str(self.file)], [str(folder)])
        self.times = 0

    def __call__(self) -> bool:
        self.times += 1
        return self.file.exists() and self.file.read_text() == "good"


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def settle() -> None:
    """Wait until a change must show in the stat."""
    time.sleep(2 * SETTLED_NS / 1e9)


def test_what_is_as_it_was_is_not_read_again(reading: Reading) -> None:
    settle()
    unchanged = Unchanged()
    assert all(unchanged.holds(ABOUT, reading.places, "good", reading) for _ in range(3))
    assert reading.times == 1
    assert unchanged.holds(ABOUT, reading.places, "another digest", reading)
    assert reading.times == 2
    unchanged.forget(ABOUT)
    assert unchanged.holds(ABOUT, reading.places, "another digest", reading)
    assert reading.times == 3


def test_what_was_just_written_is_read_until_a_change_would_show(reading: Reading) -> None:
    os.utime(reading.file, ns=(0, time.time_ns() + 60_000_000_000))
    unchanged = Unchanged()
    assert all(unchanged.holds(ABOUT, reading.places, "good", reading) for _ in range(3))
    assert reading.times == 3


def rewrite(file: Path) -> None:
    before = file.stat()
    file.write_text("evil")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(file: Path) -> None:
    (file.parent / "other").write_text("evil")
    (file.parent / "other").rename(file)


@pytest.mark.parametrize("change", [rewrite, replace, Path.unlink])
def test_a_change_is_seen(reading: Reading, change: Callable[[Path], None]) -> None:
    settle()
    unchanged = Unchanged()
    assert unchanged.holds(ABOUT, reading.places, "good", reading)
    change(reading.file)
    assert not unchanged.holds(ABOUT, reading.places, "good", reading)
    assert not unchanged.holds(ABOUT, reading.places, "good", reading)


@pytest.mark.parametrize("path", ["key.pem", "."])
def test_another_mode_is_a_change(reading: Reading, path: str) -> None:
    settle()
    unchanged = Unchanged()
    assert unchanged.holds(ABOUT, reading.places, "good", reading)
    (reading.file.parent / path).chmod(0o711)
    assert unchanged.holds(ABOUT, reading.places, "good", reading)
    assert reading.times == 2
