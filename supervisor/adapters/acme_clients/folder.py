"""A folder of somebody else's: read with care, never written.

Whatever lies there may be hostile: links that lead out of it, pipes, files without an end.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from supervisor.model.client_folders import Note

_LARGEST = 256 << 10
"""Of a file: the longest chains take some kilobytes."""
_MANY = 2_000
"""Of entries in a folder."""
PARTS = {"live", "archive", "renewal", "accounts", "certificates", "acme"}
"""Folders within a client's: who names one means all of it."""
_OF_GROUP, _OF_ALL, _INTO_GROUP, _INTO_ALL = 0o040, 0o004, 0o011, 0o001
"""Who may read a file, and who may look for one in a folder."""


class UnreadableError(Exception):
    """A file or folder that cannot be read, and why."""

    def __init__(self, path: Path, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.path = path
        self.why = why
        self.hint = hint

    @property
    def note(self) -> Note:
        """Say it."""
        return Note(path=str(self.path), text=self.why, hint=self.hint)


class MissingError(UnreadableError):
    """It is not there."""


class ClientFolder:
    """Below `root` all is read; what leads out of it is not."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.notes: list[Note] = []
        """What was seen on the way."""

    def folders(self, path: Path) -> Iterator[Path]:
        """Yield the folders in one, also those that links lead to. Raises UnreadableError."""
        return (one for one in self._entries(path) if stat.S_ISDIR(_mode(one)))

    def files(self, path: Path) -> Iterator[Path]:
        """Yield the files in one, also those that links lead to. Raises UnreadableError."""
        return (one for one in self._entries(path) if stat.S_ISREG(_mode(one)))

    def has(self, path: Path) -> bool:
        """Whether something is there, readable or not."""
        return os.path.lexists(path)

    def text(self, path: Path) -> str:
        """Return what stands in a file. Raises UnreadableError."""
        return self._read(path)[0]

    def secret(self, path: Path, *, hint: str) -> str:
        """Return what stands in a file with a key; if others can read it, that is noted."""
        text, mode = self._read(path)
        who = "everybody" if mode & _OF_ALL else "its group" if mode & _OF_GROUP else ""
        if who and self._is_open(path, _INTO_ALL if mode & _OF_ALL else _INTO_GROUP):
            note = Note(
                path=str(path),
                text=f"{who} on this machine can read this key (mode {mode:04o})",
                hint=hint,
                is_fault=False,
            )
            if note not in self.notes:
                self.notes.append(note)
        return text

    def json(self, path: Path) -> dict[str, object]:
        """Return an object of a JSON file. Raises UnreadableError."""
        try:
            found = msgspec.json.decode(self.text(path))
        except (ValueError, RecursionError) as error:
            raise UnreadableError(path, "it is not JSON, or damaged") from error
        if not isinstance(found, dict):
            raise UnreadableError(path, "it is JSON of another kind than is expected there")
        return found

    def written_at(self, path: Path) -> float:
        """When a file was written last; 0 if that is not to be known."""
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    def _entries(self, path: Path) -> list[Path]:
        real = self._inside(path)
        try:
            with os.scandir(real) as entries:
                names = []
                for entry in entries:
                    names.append(entry.name)
                    if len(names) > _MANY:
                        raise UnreadableError(path, f"there are more than {_MANY} files in it")
        except OSError as error:
            raise _unreadable(path, error, _to_copy(self.root)) from error
        return [path / name for name in sorted(names)]

    def _inside(self, path: Path) -> str:
        """Return where it really is. Raises UnreadableError if that is not below the root."""
        try:
            real = os.path.realpath(path, strict=True)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error, _to_copy(self.root)) from error
        if not self._is_inside(real):
            raise UnreadableError(
                path,
                f"it is a link that leads out of {self.root}",
                "name the folder in which all of it is, or copy what the link leads to",
            )
        return real

    def _is_open(self, path: Path, bit: int) -> bool:
        """Whether others can come as far as to a file."""
        above = Path(os.path.realpath(path)).parents
        return all(_mode(one) & bit for one in above)

    def _is_inside(self, real: str) -> bool:
        root = str(self.root)
        return real == root or real.startswith(root.rstrip("/") + "/")

    def _read(self, path: Path) -> tuple[str, int]:
        real = self._inside(path)
        try:
            if not stat.S_ISREG(os.lstat(real).st_mode):
                raise UnreadableError(path, "it is no file")
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(real, flags), "rb") as file:  # noqa: PTH123
                # Somebody may have put a link in the place of a folder meanwhile.
                if not self._is_inside(str(Path(f"/proc/self/fd/{file.fileno()}").readlink())):
                    raise UnreadableError(path, "it was moved while it was read")
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise _unreadable(path, error, _to_copy(self.root)) from error
        if len(content) > _LARGEST:
            raise UnreadableError(path, f"it is larger than {_LARGEST >> 10} KB")
        try:
            return content.decode(), stat.S_IMODE(mode)
        except UnicodeDecodeError as error:
            raise UnreadableError(path, "it is no text") from error


def kind_of(path: Path) -> int:
    """Return the kind of a file, as `stat` has it. Raises UnreadableError."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, _to_copy(path)) from error


def _unreadable(path: Path, error: OSError | ValueError, to_copy: Path) -> UnreadableError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MissingError(path, "it is not there")
    if isinstance(error, PermissionError):
        copy = f"~/{to_copy.name.lstrip('.') or 'files'}-copy"
        hint = (
            f"have a copy for yourself: sudo cp -a {to_copy} {copy} && sudo chown -R"
            f' "$(id -u):$(id -g)" {copy}; import that, and remove it then'
        )
        return UnreadableError(path, "only another user may read it", hint)
    why = getattr(error, "strerror", None) or "its name cannot be used"
    return UnreadableError(path, f"it cannot be read: {why}")


def _to_copy(path: Path) -> Path:
    """Return the whole of what a path is in: links in it lead to other parts."""
    for one in (path, *path.parents[:2]):
        if one.name in PARTS:
            return one.parent
    return path


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
