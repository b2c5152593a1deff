"""Unpack the layers of an artifact into packs for a store, in a process that ends.

What is in them is hostile: whatever its paths say, nothing of it is written but into those packs,
and the process may use only so much memory and time.
"""

import resource
import signal
import stat
import zlib
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from supervisor.adapters.git.pack import Pack, trees
from supervisor.adapters.git.tree_policy import (
    name_problem,
    refused,
    screen,
    target_problem,
    too_large,
)
from supervisor.kit.helper import serve
from supervisor.kit.stamps import blob_id
from supervisor.kit.texts import one_line
from supervisor.model.errors import Finding
from supervisor.model.source import FileKind, TreeFile

if TYPE_CHECKING:
    import tarfile

_MAX_DEPTH = 64
_LONGEST_PATH = 4_096
_LONGEST_WORDS = 200
_BATCH_BYTES = 8 << 20
_MOST_FINDINGS = 1_000
_LAST_SECONDS = 5
"""What is still there to say that the time is up."""
_SPECIAL = {
    b"1": "is a hard link",
    b"3": "is a character device",
    b"4": "is a block device",
    b"6": "is a fifo",
}


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A layer, where it was downloaded to."""

    path: str
    file: str
    """Which file it is; empty for a compressed tar of several."""


class Unpacking(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be unpacked: layers of a source, a later one over those before."""

    source: str
    layers: tuple[Packed, ...]
    packs: str
    """How the paths of the packs begin."""
    file_size: int
    all_size: int
    """Of all that is in them together."""
    files: int
    """How many may be in them."""
    memory: int
    """How many bytes of it the process may take."""
    seconds: int
    """How many of the processor it may take."""


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    problem: str = ""
    """Why nothing did; empty if all is well."""
    hint: str = ""
    packs: tuple[str, ...] = ()
    """Files with all that there is."""
    tree: str = ""
    """Id of the tree that holds `files`."""
    files: tuple[TreeFile, ...] = ()
    findings: tuple[Finding, ...] = ()


class _TooMuch(Exception):
    """It holds more than it may; says more than what."""


class _TooLong(Exception):
    """The time is up."""


class _NoTar(Exception):
    """It is none that gzip compressed; says what is wrong with it."""


class _Bounded:
    """A stream of which only so much is read."""

    def __init__(self, stream: BinaryIO, room: int) -> None:
        self._stream = stream
        self.room = room

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self.room + 1))
        self.room -= len(content)
        if self.room < 0:
            raise _TooMuch("bytes")
        return content


class _Unpacker(msgspec.Struct):
    asked: Unpacking
    files: dict[str, TreeFile] = {}
    links: dict[str, str] = {}
    findings: dict[str, Finding] = {}
    """By path: what comes later counts."""
    packs: list[str] = []
    pack: Pack = msgspec.field(default_factory=Pack)
    room: int = 0
    """For so many bytes more."""
    seen: int = 0

    def take(self, layer: Packed) -> None:
        with Path(layer.path).open("rb") as stream:
            if layer.file:
                size = stream.seek(0, 2)
                stream.seek(0)
                self._file(layer.file, size, FileKind.FILE, stream)
                return
            self._tar(stream)

    def _tar(self, stream: BinaryIO) -> None:
        from gzip import BadGzipFile, GzipFile  # noqa: PLC0415  # not for the daemon
        from tarfile import TarError  # noqa: PLC0415

        # `tarfile` trusts the numbers in a header, and raises whatever they lead to.
        unreadable = (TarError, ValueError, ArithmeticError, LookupError, RecursionError)
        try:
            with GzipFile(fileobj=stream) as plain:
                bounded = _Bounded(cast("BinaryIO", plain), self.room)
                for member, content in _members(bounded):
                    self._member(member, content)
                self.room = bounded.room
        except (BadGzipFile, EOFError, zlib.error, *unreadable) as error:
            raise _NoTar(one_line(str(error), _LONGEST_WORDS)) from None

    def _member(self, member: "tarfile.TarInfo", content: BinaryIO | None) -> None:
        path = member.name.removeprefix("./")
        if member.isdir() or ".git" in path.split("/"):
            self._count()
        elif member.issym():
            if self._is_fit(path):
                self._link(path, member.linkname)
        elif not member.isreg() or member.issparse() or content is None:
            self._count()
            why = _SPECIAL.get(member.type, "is no plain file")
            self._refuse(path, why, "leave it out of the artifact")
        else:
            executable = member.mode & stat.S_IXUSR
            kind = FileKind.EXECUTABLE if executable else FileKind.FILE
            self._file(path, member.size, kind, content)

    def _file(self, path: str, size: int, kind: FileKind, stream: BinaryIO) -> None:
        if not self._is_fit(path):
            return
        if size > self.asked.file_size:
            limit = self.asked.file_size
            self._find(path, too_large(self.asked.source, _raw(path), size, limit))
            return
        content = stream.read(size)
        self._put(TreeFile(path, blob_id(content), kind, len(content)), content)

    def _link(self, path: str, target: str) -> None:
        if problem := target_problem(target):
            self._refuse(path, problem)
            return
        content = _raw(target)
        self._put(TreeFile(path, blob_id(content), FileKind.SYMLINK, len(content)), content)
        self.links[path] = target

    def _put(self, file: TreeFile, content: bytes) -> None:
        self._forget(file.path)
        self.pack.add("blob", content)
        self.files[file.path] = file
        if len(self.pack) > _BATCH_BYTES:
            self._write()

    def finish(self) -> Unpacked:
        """Sort out what cannot be taken, and write the rest."""
        kept, problems = screen(
            self.asked.source, self.files.values(), self.links, file_size=self.asked.file_size
        )
        findings = (*self.findings.values(), *problems)
        _limit(findings)
        tree, content = trees(kept)
        for one in content:
            self.pack.add("tree", one)
        self._write()
        return Unpacked(packs=tuple(self.packs), tree=tree, files=kept, findings=findings)

    def _write(self) -> None:
        self.packs.append(f"{self.asked.packs}{len(self.packs)}")
        Path(self.packs[-1]).write_bytes(self.pack.finish())
        self.pack = Pack()

    def _is_fit(self, path: str) -> bool:
        self._count()
        if len(path) > _LONGEST_PATH or path.count("/") >= _MAX_DEPTH:
            self._refuse(path, "lies too deep")
        elif problem := name_problem(_raw(path)):
            self._refuse(path, problem, "rename or remove it")
        else:
            return True
        return False

    def _refuse(self, path: str, problem: str, hint: str = "") -> None:
        name = _raw(path[:_LONGEST_PATH])
        self._find(path, refused(self.asked.source, name, problem, hint))

    def _find(self, path: str, finding: Finding) -> None:
        self._forget(path)
        self.findings[path] = finding
        _limit(self.findings)

    def _forget(self, path: str) -> None:
        self.files.pop(path, None)
        self.links.pop(path, None)
        self.findings.pop(path, None)

    def _count(self) -> None:
        self.seen += 1
        if self.seen > self.asked.files:
            raise _TooMuch("files")


def _members(stream: _Bounded) -> Iterator[tuple["tarfile.TarInfo", BinaryIO | None]]:
    """Yield what an archive holds. Raises TarError, also for one that breaks off.

    `TarFile.next` would take whatever is no header for the end, and what follows for gone; opening
    calls it for the first.
    """
    import tarfile  # noqa: PLC0415  # not for the daemon

    fileobj, room = cast("BinaryIO", stream), stream.room
    with tarfile.open(fileobj=fileobj, mode="r|", encoding="utf-8") as archive:
        member = archive.firstmember  # type: ignore[attr-defined]
        if member is None and archive.offset:
            raise tarfile.ReadError("its first header is damaged")
        while member:
            # Its `seek` goes on, block by block, however far the end is behind.
            if archive.offset > room:
                raise _TooMuch("bytes")
            content = archive.extractfile(member) if member.isreg() else None
            yield member, cast("BinaryIO | None", content)
            archive.fileobj.seek(archive.offset)
            try:
                member = tarfile.TarInfo.fromtarfile(archive)
            except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
                return


def _limit(findings: Sized) -> None:
    if len(findings) > _MOST_FINDINGS:
        raise _TooMuch("paths that are refused")


def _raw(path: str) -> bytes:
    return path.encode(errors="surrogateescape")


def unpack(asked: Unpacking) -> Unpacked:
    """Write the packs, and tell what is in them."""
    made = _Unpacker(asked, room=asked.all_size)
    try:
        for layer in asked.layers:
            made.take(layer)
        return made.finish()
    except _TooMuch as error:
        limits = {"files": asked.files, "bytes": asked.all_size}
        limit = limits.get(str(error), _MOST_FINDINGS)
        hint = "an artifact is for what is deployed; keep other things in volumes or images"
        return Unpacked(problem=f"it holds more than {limit} {error}", hint=hint)
    except _NoTar as error:
        hint = "push it anew with `oras push` or `flux push artifact`"
        return Unpacked(problem=f"a layer is no tar that gzip compressed ({error})", hint=hint)
    except MemoryError:
        return Unpacked(problem="it takes too much memory", hint="leave out what is large")
    except _TooLong:
        hint = "leave out what is large, or raise [limits] fetch_timeout"
        return Unpacked(problem="it takes too long to unpack", hint=hint)


def _in_bounds(asked: Unpacking) -> Unpacked:
    def stop(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGXCPU, stop)
    resource.setrlimit(resource.RLIMIT_CPU, (asked.seconds, asked.seconds + _LAST_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (asked.memory, asked.memory))
    return unpack(asked)


if __name__ == "__main__":
    serve(_in_bounds, Unpacking)
