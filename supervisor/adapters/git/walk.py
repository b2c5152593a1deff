"""Look at a folder that serves as a source. Blocking: runs in a thread.

`survey` lists it by stat alone; `read_file` reads one file of a survey, and notices if it is not
the file that the survey saw. Nothing is followed: every step goes down from an open folder.
"""

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from supervisor.adapters.git.tree_policy import name_problem, refused, shown, too_large, unread
from supervisor.kit.stamps import Stamp, stamp_of
from supervisor.model.errors import Finding, Stalled
from supervisor.model.settings import LimitSettings
from supervisor.model.source import FileKind

_MAX_DEPTH = 64
_APPS = 20
"""So many apps of the largest size are taken for a folder's content; more is a mistaken path."""
_KINDS = {
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}
_EDITORS = (b"~", b".swp", b".swo", b".swx")
"""Vim's and Emacs's; Vim also tries whether it may write, with a file named 4913."""
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# Without blocking, for what was a file may have become a fifo.
_OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW


_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""What opening says of what is not there any more, or not as what it was."""


class Torn(Exception):
    """A file changed between two looks at it; names it."""


class Seen(NamedTuple):
    """One file, as the survey saw it."""

    path: str
    kind: FileKind
    stamp: Stamp
    target: str
    """Of a symlink."""


class Survey(NamedTuple):
    """The whole folder, as it was seen."""

    files: list[Seen]
    findings: list[Finding]
    empty: list[str]
    """Folders that hold nothing of all this."""


def survey(source: str, folder: str, limits: LimitSettings) -> Survey:
    """List a folder; what below it cannot be read is a finding.

    Raises Stalled if it is none, cannot be read, or is far too large, and Torn if something of it
    vanishes meanwhile.
    """
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Stalled(
            f"cannot read folder {folder}: {_why(error)}", hint="check the path and its permissions"
        ) from error
    seen = Survey([], [], [])
    try:
        for entry in _walk(seen, source, root, b"", depth=0, limits=limits):
            seen.files.append(entry)
            if len(seen.files) > _APPS * limits.app_files:
                raise Stalled(
                    f"cannot read folder {folder}: it holds more than"
                    f" {_APPS * limits.app_files} files",
                    hint="name the folder that holds the apps",
                )
    except OSError as error:
        raise Stalled(
            f"cannot read folder {folder}: {_why(error)}", hint="check its permissions"
        ) from error
    finally:
        os.close(root)
    seen.files.sort(key=lambda entry: entry.path)
    return seen


def read_file(folder: str, seen: Seen) -> bytes:
    """Read a file of a survey. Raises Torn if it changed since, OSError if it cannot be read."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        *parents, name = seen.path.split("/")
        for parent in parents:
            below = os.open(parent, _OPEN_FOLDER, dir_fd=place)
            os.close(place)
            place = below
        descriptor = os.open(name, _OPEN_FILE, dir_fd=place)
    except OSError as error:
        if error.errno in _GONE:
            raise Torn(seen.path) from error
        raise
    finally:
        os.close(place)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123
        if stamp_of(os.fstat(descriptor)) != seen.stamp:
            raise Torn(seen.path)
        content = bytearray()
        while chunk := file.read(min(1 << 20, seen.stamp.size + 1 - len(content))):
            content += chunk
            if len(content) > seen.stamp.size:
                break
        if len(content) != seen.stamp.size or stamp_of(os.fstat(descriptor)) != seen.stamp:
            raise Torn(seen.path)
    return bytes(content)


def _walk(
    seen: Survey, source: str, place: int, prefix: bytes, *, depth: int, limits: LimitSettings
) -> Iterator[Seen]:
    findings = seen.findings
    with os.scandir(place) as entries:
        names = sorted(os.fsencode(entry.name) for entry in entries)
    for name in names:
        if name == b".git":
            continue
        path = prefix + name
        if _is_an_editors(name):
            continue
        try:
            status = os.stat(name, dir_fd=place, follow_symlinks=False)
        except FileNotFoundError as error:
            raise Torn(shown(path)) from error
        if problem := name_problem(path):
            findings.append(refused(source, path, problem, "rename or remove it"))
            continue
        kind = stat.S_IFMT(status.st_mode)
        stamp = stamp_of(status)
        if kind == stat.S_IFDIR:
            if depth >= _MAX_DEPTH:
                findings.append(refused(source, path, "lies too deep"))
                continue
            holds = len(seen.files), len(findings)
            try:
                below = os.open(name, _OPEN_FOLDER, dir_fd=place)
                try:
                    yield from _walk(
                        seen, source, below, path + b"/", depth=depth + 1, limits=limits
                    )
                finally:
                    os.close(below)
            except OSError as error:
                if error.errno in _GONE:
                    raise Torn(path.decode()) from error
                findings.append(unread(source, path, error, hides=True))
            if holds == (len(seen.files), len(findings)):
                seen.empty.append(path.decode())
        elif kind == stat.S_IFLNK:
            target = os.fsdecode(os.readlink(name, dir_fd=place))
            yield Seen(path.decode(), FileKind.SYMLINK, stamp, target)
        elif kind != stat.S_IFREG:
            what = _KINDS.get(kind, "no file or folder")
            findings.append(refused(source, path, f"is {what}", "remove it from the source"))
        elif status.st_size > limits.file_size:
            findings.append(too_large(source, path, status.st_size, limits.file_size))
        else:
            executable = status.st_mode & stat.S_IXUSR
            yield Seen(
                path.decode(), FileKind.EXECUTABLE if executable else FileKind.FILE, stamp, ""
            )


def _is_an_editors(name: bytes) -> bool:
    """Whether it stands there only while somebody edits: a lock, a swap file, a backup."""
    autosaved = name.startswith(b"#") and name.endswith(b"#")
    return autosaved or name.startswith(b".#") or name.endswith(_EDITORS) or name == b"4913"


def _why(error: OSError) -> str:
    return error.strerror or str(error)
