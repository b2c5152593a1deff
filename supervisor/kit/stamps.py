"""Whether a file is still the one that was read: by its stat, and by the id of its content.

The ids are Git's own, so that what is on disk compares with what a source holds.
"""

import hashlib
import os
from typing import NamedTuple

SETTLED_NS = 100_000_000
"""A file touched this shortly before it was read may change again without its stat showing it."""


class Stamp(NamedTuple):
    """What a file's stat says; equal stamps, equal content."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int
    mode: int

    def is_settled(self, now: int) -> bool:
        """Whether any later change must show in the stamp, of a file that is read `now` (in ns)."""
        return max(self.modified, self.changed) < now - SETTLED_NS


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the part of a stat that changes with the content."""
    return Stamp(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_mode,
    )


def object_id(kind: str, content: bytes) -> str:
    """Return the id that Git gives to an object."""
    digest = hashlib.sha1(f"{kind} {len(content)}\0".encode(), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def blob_id(content: bytes) -> str:
    """Return the id that Git gives to a file of this content."""
    return object_id("blob", content)
