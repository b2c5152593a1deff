"""What the kernel tells of files is read whole, and nothing of a watch that has ended."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.kit.inotify import Inotify, InotifyEvent, Mask


@pytest.fixture
def inotify() -> Iterator[Inotify]:
    with closing(Inotify()) as opened:
        yield opened


def watched(inotify: Inotify, path: Path, mask: int) -> int:
    watch = inotify.add(str(path), mask)
    assert watch is not None
    return watch


def test_names_of_any_length_come_without_their_padding(inotify: Inotify, tmp_path: Path) -> None:
    watch = watched(inotify, tmp_path, Mask.CREATE)
    names = [*("x" * length for length in range(1, 40)), "ü", os.fsdecode(b"\xff"), "y" * 255]
    for name in names:
        (tmp_path / name).touch()
    assert inotify.take() == [InotifyEvent(watch, Mask.CREATE, name) for name in names]
    assert inotify.take() == []


def test_what_happens_to_several_comes_in_its_order(inotify: Inotify, tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    of_folder = watched(inotify, folder, Mask.CREATE | Mask.DELETE_SELF)
    of_file = watched(inotify, file, Mask.MODIFY | Mask.ATTRIB)
    (folder / "deep").mkdir()
    file.write_text("x")
    (folder / "deep").rmdir()
    folder.rmdir()
    assert inotify.take() == [
        InotifyEvent(of_folder, Mask.CREATE | Mask.FOLDER, "deep"),
        InotifyEvent(of_file, Mask.MODIFY, ""),
        InotifyEvent(of_folder, Mask.DELETE_SELF, ""),
        InotifyEvent(of_folder, Mask.IGNORED, ""),
    ]


def test_nothing_is_told_of_a_watch_that_was_ended(inotify: Inotify, tmp_path: Path) -> None:
    ended, other = tmp_path / "ended", tmp_path / "other"
    ended.mkdir()
    other.mkdir()
    watch, kept = watched(inotify, ended, Mask.CREATE), watched(inotify, other, Mask.CREATE)
    (ended / "before").touch()
    inotify.remove(watch)
    inotify.remove(watch)
    (ended / "after").touch()
    (other / "file").touch()
    assert inotify.take() == [InotifyEvent(kept, Mask.CREATE, "file")], "no IGNORED either"


def test_a_watch_of_what_is_gone_may_be_ended(inotify: Inotify, tmp_path: Path) -> None:
    watch = watched(inotify, tmp_path / "..", Mask.CREATE)
    (tmp_path / "folder").mkdir()
    gone = watched(inotify, tmp_path / "folder", Mask.DELETE_SELF)
    (tmp_path / "folder").rmdir()
    inotify.remove(gone)
    assert inotify.take() == []
    assert inotify.add(str(tmp_path / "folder"), Mask.CREATE) is None
    inotify.remove(watch)


def test_more_than_the_kernel_keeps_ends_with_an_overflow(inotify: Inotify, tmp_path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch = watched(inotify, tmp_path, Mask.CREATE | Mask.DELETE)
    for _ in range(most // 2 + 1):
        (tmp_path / "file").touch()
        (tmp_path / "file").unlink()
    *told, last = inotify.take()
    assert len(told) == most
    assert {one.watch for one in told} == {watch}
    assert last == InotifyEvent(-1, Mask.OVERFLOW, "")
