"""A source at one revision. Files are named by their Git blob id, never held in memory."""

import enum
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any, Self

import msgspec

from supervisor.model.errors import Finding
from supervisor.model.image import Pin
from supervisor.model.incident import IncidentCode


class FileKind(enum.StrEnum):
    """What a source may hold; anything else is refused by name."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


# Of what there may be thousands, the garbage collector need not know: frozen, it makes no cycles.
class TreeFile(msgspec.Struct, frozen=True, order=True, omit_defaults=True, gc=False):
    """One file of a snapshot or of an app."""

    path: str
    """Relative, with `/`, without `.` or `..`; relative to the snapshot's or the app's root."""
    oid: str
    """Git blob id (SHA-1 hex) of the content; for a symlink, of its target's text."""
    kind: FileKind = FileKind.FILE
    size: int = 0
    """Bytes."""
    text: str = ""
    """The content of a file that podvisor itself lays over an app's; empty if the store has it."""


def stored(files: Iterable[TreeFile]) -> dict[str, None]:
    """Return the blob ids of those of these files that are in the store, each once."""
    return {file.oid: None for file in files if not file.text}


def laid(files: Iterable[TreeFile]) -> dict[str, bytes]:
    """Return what the others hold, by blob id."""
    return {file.oid: file.text.encode() for file in files if file.text}


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that came with a snapshot."""

    revision: str
    subject: str = ""
    author: str = ""
    """These as of `Snapshot`."""
    paths: tuple[str, ...] = ()
    """What it changes, against its first parent."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a source holds at one revision."""

    source: str
    revision: str
    """A commit id; for an artifact, the hex of its manifest's digest; for a folder, the Git tree id
    of its content."""
    subject: str = ""
    """First line of the commit's message, or what an artifact was made from; empty for a folder."""
    author: str = ""
    """Name of the commit's author, as it says itself; empty for all else."""
    files: tuple[TreeFile, ...]
    """Sorted by path."""
    findings: tuple[Finding, ...] = ()
    """What was refused while reading (devices, leaving symlinks, oversized files …)."""
    empty: tuple[str, ...] = ()
    """Folders that are there and hold nothing; of a folder alone, for others have no such."""
    commits: tuple[Commit, ...] = ()
    """If several came since the snapshot before: those of its own line, the newest first."""

    @property
    def paths(self) -> list[str]:
        """All that is in it, with what was refused."""
        return [
            *(file.path for file in self.files),
            *(one.path for one in self.findings if one.path),
        ]

    def newest_of(self, *folders: str) -> "Snapshot | Commit":
        """Return the commit that changed something in one of these folders last.

        The snapshot itself, where that is not known: nothing in them changed, or one commit came.
        """
        found = [self._touched[folder] for folder in folders if folder in self._touched]
        return self.commits[min(found)] if found else self

    @cached_property
    def _touched(self) -> dict[str, int]:
        """Folder to the first of `commits` that changes something in it."""
        touched: dict[str, int] = {}
        for at, commit in enumerate(self.commits):
            for path in commit.paths:
                folder = path
                while folder:
                    folder = folder.rpartition("/")[0]
                    touched.setdefault(folder, at)
        return touched


class AppRevision(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An app at one revision of its source: what is wanted, installed or tried of it is one."""

    name: str
    source: str
    revision: str
    subject: str = ""
    """First line of the message of that commit, or what an artifact was made from; empty for a
    folder."""
    author: str = ""
    """Name of that commit's author, as it says itself: nobody vouches for it. Empty for all
    else."""
    root: str
    """Folder of the app within the source; empty for the source's root."""
    files: tuple[TreeFile, ...]
    """With paths relative to `root`, sorted: enough to install it, as long as the store holds the
    contents."""
    overlay: str = ""
    """Folder of the source whose files lie over those of `root`; empty if none does."""
    overlaid: tuple[str, ...] = ()
    """Paths of the files that come from it."""
    pins: tuple[Pin, ...] = ()
    """The versions of its images; each stands in one of `files`, a drop-in of podvisor's own."""

    @classmethod
    def of(cls, app: "AppRevision", **more: Any) -> Self:
        """Return the same revision as this kind of record, with the fields that only that has."""
        shared = {name: getattr(app, name) for name in AppRevision.__struct_fields__}
        return cls(**{**shared, **more})

    @cached_property
    def base(self) -> str:
        """As `content`, without the versions of its images: what people wrote."""
        drop_ins = {pin.drop_in for pin in self.pins}
        return self._identify([file for file in self.files if file.path not in drop_ins])

    def beneath(self, path: str) -> Iterator[TreeFile]:
        """Yield the file of this path, or those of this folder; few others are looked at."""
        here = self._place_of(path)
        if here < len(self.files) and self.files[here].path == path:
            yield self.files[here]
        for at in range(self._place_of(f"{path}/"), len(self.files)):
            if not self.files[at].path.startswith(f"{path}/"):
                return
            yield self.files[at]

    def _place_of(self, path: str) -> int:
        """Return where a path stands, or would stand, among the files."""
        return bisect_left(self.files, path, key=attrgetter("path"))

    def at(self, other: "AppRevision | Snapshot | Commit") -> Self:
        """Return the same content at another revision: that of something else."""
        if other.revision == self.revision:
            return self
        moved = msgspec.structs.replace(
            self, revision=other.revision, subject=other.subject, author=other.author
        )
        moved.__dict__.update(self.__dict__)  # what was worked out of it holds there too
        return moved

    @cached_property
    def content(self) -> str:
        """Identify what it is made of: a commit that does not touch the app gives no new one."""
        return self._identify(self.files) if self.pins else self.base

    def _identify(self, files: Iterable[TreeFile]) -> str:
        import hashlib  # noqa: PLC0415  # dear to a status without a daemon

        words = [self.source, self.root, self.overlay]
        for file in files:
            words += (file.path, file.oid, file.kind)
        text = "\0".join(words).encode(errors="surrogatepass")
        return hashlib.sha256(text).hexdigest()[:40]

    def finding(
        self,
        message: str,
        place: str = "",
        hint: str = "",
        *,
        command: str = "",
        line: int = 0,
        code: IncidentCode | None = None,
        subject: str = "",
        log: tuple[str, ...] = (),
        fatal: bool = True,
    ) -> Finding:
        """Say something of it; `place` is a path in its source, the others as of `Finding`."""
        return Finding(
            message=message,
            source=self.source,
            app=self.name,
            path=place,
            line=line,
            hint=hint,
            command=command,
            code=code,
            subject=subject,
            log=log,
            fatal=fatal,
        )

    def source_path(self, path: str) -> str:
        """Return where a file of it stands in its source, for people to find it."""
        folder = self.overlay if path in self.overlaid else self.root
        return f"{folder}/{path}" if folder else path
