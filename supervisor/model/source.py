"""A source at one revision. Files are named by their Git blob id, never held in memory."""

import enum

import msgspec

from supervisor.model.errors import Finding


class FileKind(enum.StrEnum):
    """What a source may hold; anything else is refused by name."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


class TreeFile(msgspec.Struct, frozen=True, order=True):
    """One file of a snapshot or of an app."""

    path: str
    """Relative, with `/`, without `.` or `..`; relative to the snapshot's or the app's root."""
    oid: str
    """Git blob id (SHA-1 hex) of the content; for a symlink, of its target's text."""
    kind: FileKind = FileKind.FILE
    size: int = 0
    """Bytes."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a source holds at one revision."""

    source: str
    revision: str
    """A commit id; for a folder, the Git tree id of its content."""
    subject: str = ""
    """First line of the commit's message; empty for a folder."""
    files: tuple[TreeFile, ...]
    """Sorted by path."""
    findings: tuple[Finding, ...] = ()
    """What was refused while reading (devices, leaving symlinks, oversized files …)."""
    empty: tuple[str, ...] = ()
    """Folders that are there and hold nothing; none of a Git source, which has no such folders."""

    @property
    def paths(self) -> list[str]:
        """All that is in it, with what was refused."""
        return [
            *(file.path for file in self.files),
            *(one.path for one in self.findings if one.path),
        ]
