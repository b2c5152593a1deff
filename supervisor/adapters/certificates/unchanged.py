"""What was read of files and found as it should be: not read again until a stat of them moves."""

import os
import time
from collections.abc import Callable, Sequence

import msgspec

from supervisor.kit.stamps import stamp_of


class Places(msgspec.Struct, frozen=True):
    """What is looked at: of folders only which they are, and their modes."""

    files: Sequence[str]
    folders: Sequence[str] = ()


class Unchanged(msgspec.Struct):
    """Remembers a number for each thing that was as it should be."""

    _marks: dict[tuple[str, str], int] = {}

    def holds(
        self, about: tuple[str, str], places: Places, as_what: object, read: Callable[[], bool]
    ) -> bool:
        """Whether `read` says so, or said so of the same files; `as_what` is what it compares with.

        `about` is a kind and a name, of which one is remembered.
        """
        mark, is_settled = _mark(places, as_what)
        if mark and self._marks.get(about) == mark:
            return True
        self._marks.pop(about, None)
        # The mark is older than what is read: a change between the two moves the next one.
        found = read()
        if found and mark and is_settled:
            self._marks[about] = mark
        return found

    def forget(self, *about: tuple[str, str]) -> None:
        """Nothing is known of these any more."""
        for one in about:
            self._marks.pop(one, None)


def _mark(places: Places, as_what: object) -> tuple[int, bool]:
    """Return a number that is another one after any change; 0 if something is not there."""
    now = time.time_ns()
    try:
        stamps = [stamp_of(os.lstat(file)) for file in places.files]
        folders = [os.lstat(folder) for folder in places.folders]
    except OSError:
        return 0, False
    which = [(one.st_dev, one.st_ino, one.st_mode) for one in folders]
    mark = hash((as_what, *stamps, *which))
    return mark, all(stamp.is_settled(now) for stamp in stamps)
