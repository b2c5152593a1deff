"""Remembers, in a file, which records stand in DNS, for a process that comes after this one."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from supervisor.kit.files import write_whole


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """TXT records of one name that are to be taken away."""

    name: str
    zone: str
    """Name of the zone that holds them."""
    access: str
    """`ZoneAccess.zone` of how that is changed."""
    values: tuple[str, ...]


def read_notes(path: Path | None) -> list[Note]:
    """Return what was written last; nothing where that cannot be read."""
    if path is None:
        return []
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=list[Note])
    return []


def write_notes(path: Path | None, notes: Sequence[Note]) -> None:
    """Write them whole; no file is left for none. What cannot be written is not remembered."""
    if path is None:
        return
    with contextlib.suppress(OSError):
        if notes:
            write_whole(path, msgspec.json.encode(notes))
        else:
            path.unlink(missing_ok=True)
