"""What files below the owned folder hold, as Git blob ids; read again only when their stat moves.

Blocking; `folder` decides whether it runs in a thread.
"""

import hashlib
import math
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress

from supervisor.adapters.files.safe_fs import folder_at
from supervisor.kit.stamps import Stamp, blob_id, stamp_of
from supervisor.model.source import FileKind, TreeFile

_CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC


Known = dict[str, tuple[Stamp, TreeFile]]
"""Path to what was read there."""


class TooMuch(Exception):
    """More would have to be read than may be; `settled` is to be known the next time."""

    def __init__(self, settled: Known) -> None:
        super().__init__()
        self.settled = settled


def contents(
    root: str, paths: Collection[str], known: Known, *, most: float = math.inf
) -> tuple[list[TreeFile], Known]:
    """Return the files and links that are there, and what is to be known the next time.

    Raises TooMuch before more than `most` bytes are read.
    """
    files: list[TreeFile] = []
    settled: Known = {}
    now = time.time_ns()
    for path, name, place, stamp in _stamps(root, paths):
        if path in known and known[path][0] == stamp:
            file: TreeFile | None = known[path][1]
        elif (most := most - stamp.size) < 0:
            raise TooMuch(settled)
        else:
            file = _read(path, name, place, stamp)
        if file is None:
            continue
        files.append(file)
        if stamp.is_settled(now):
            settled[path] = (stamp, file)
    return files, settled


def first_bytes(root: str, paths: Collection[str], *, limit: int) -> dict[str, bytes]:
    """Return what the files and links among `paths` hold, up to `limit` bytes of each."""
    found: dict[str, bytes] = {}
    for path, name, place, stamp in _stamps(root, paths):
        try:
            if stat.S_ISLNK(stamp.mode):
                found[path] = os.fsencode(os.readlink(name, dir_fd=place))
            else:
                with open(os.open(name, _OPEN, dir_fd=place), "rb", buffering=0) as file:  # noqa: PTH123
                    found[path] = file.read(limit)
        except OSError:
            continue
    return found


def _stamps(root: str, paths: Collection[str]) -> Iterator[tuple[str, str, int, Stamp]]:
    """Yield files and links among `paths`, with name and open folder; not those in closed ones."""
    opened: str | None = None
    place: int | None = None
    with ExitStack() as stack:
        for path in sorted(paths, key=lambda path: (path.rpartition("/")[0], path)):
            parent, _, name = path.rpartition("/")
            if parent != opened:
                stack.close()
                place, opened = None, parent
                with suppress(PermissionError):
                    place = stack.enter_context(folder_at(root, parent))
            if place is None:
                continue
            try:
                status = os.stat(name, dir_fd=place, follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield path, name, place, stamp_of(status)


def _read(path: str, name: str, place: int, stamp: Stamp) -> TreeFile | None:
    """Read one; None if it is gone. One that cannot be read counts as other content."""
    if stat.S_ISLNK(stamp.mode):
        try:
            target = os.fsencode(os.readlink(name, dir_fd=place))
        except OSError:
            return None
        return TreeFile(path, blob_id(target), FileKind.SYMLINK, len(target))
    kind = FileKind.EXECUTABLE if stamp.mode & stat.S_IXUSR else FileKind.FILE
    digest = hashlib.sha1(b"blob %d\0" % stamp.size, usedforsecurity=False)
    try:
        with open(os.open(name, _OPEN, dir_fd=place), "rb", buffering=0) as file:  # noqa: PTH123
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    except OSError:
        return TreeFile(path, "", kind, stamp.size)
    return TreeFile(path, digest.hexdigest(), kind, stamp.size)
