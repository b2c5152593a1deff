"""Files of a key that belong to another user of the containers, who alone may read them.

What was written and given away is noted beside: a change of it, of its mode or its owner, or
another file in its place has another time of change or another number, and nobody can set that
time. So damage is told without reading what podvisor itself may not read.
"""

import hashlib
import os
import stat
from collections.abc import Sequence

import msgspec

from supervisor.adapters.certificates.texts import NOTE
from supervisor.kit.json_reading import read_json

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1 << 16
Owner = tuple[int, int]
"""User and group, as in the user's containers."""


class _Note(msgspec.Struct, frozen=True):
    owner: Owner
    digest: str
    """Of the pair, as of `texts.Kept`."""
    chain: str
    """SHA-256 of the full chain."""
    marks: dict[str, tuple[int, ...]]
    """What tells each file from what it was, by its name."""


def note(folder: int, files: Sequence[str], owner: Owner, *, digest: str, chain: bytes) -> None:
    """Note in the open folder how these files are, which were just written and given away."""
    noted = _Note(owner, digest, _sum(chain), {file: _marks(folder, file) for file in files})
    descriptor = os.open(NOTE, _NEW_FILE, 0o600, dir_fd=folder)
    with open(descriptor, "wb") as writer:  # noqa: PTH123
        writer.write(msgspec.json.encode(noted))
        writer.flush()
        os.fsync(descriptor)


def is_as_noted(
    folder: int, files: Sequence[str], owner: Owner, *, digest: str, chain: bytes
) -> bool:
    """Whether that is what was noted there, and nothing changed since. Raises OSError."""
    with open(os.open(NOTE, _FILE, dir_fd=folder), "rb") as reader:  # noqa: PTH123
        noted = read_json(reader.read(_LARGEST), _Note)
    if noted is None:
        return False
    there = {file: _marks(folder, file) for file in files}
    return noted == _Note(owner, digest, _sum(chain), there)


def _marks(folder: int, file: str) -> tuple[int, ...]:
    status = os.stat(file, dir_fd=folder, follow_symlinks=False)
    return (
        stat.S_IFMT(status.st_mode),
        stat.S_IMODE(status.st_mode),
        status.st_ino,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
