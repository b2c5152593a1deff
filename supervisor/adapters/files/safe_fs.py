"""Files below one folder, and never outside it: each step goes down from an open folder.

What is written appears whole under its name or not at all.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from supervisor.kit import files, libc
from supervisor.model.errors import Stalled
from supervisor.model.source import FileKind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODES = {FileKind.FILE: 0o644, FileKind.EXECUTABLE: 0o755}
_SYNCED_EACH = 8
"""Files that are synced one by one; more than these with all of their file system."""
_PREFIX, _SUFFIX = ".podvisor-", ".tmp"

Removable = Callable[[str], bool]
"""Whether what stands at a path (relative to the root) is ours to take out of the way."""


class InTheWay(Exception):
    """Something that is not ours stands where a file or folder should be; names its path."""


def is_leftover(name: str) -> bool:
    """Whether a name is that of a half-written file."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what fails into one of the two failures; `doing` completes "cannot …"."""
    try:
        with files.told(doing):
            yield
    except InTheWay as error:
        raise Stalled(
            f"cannot {doing}: {error} is in the way, and is not podvisor's",
            hint=f"move {error} away",
        ) from error


def put(
    root: str,
    files: Sequence[tuple[str, bytes, FileKind]],
    *,
    removable: Removable = lambda _: False,
) -> None:
    """Write files (of a link, the content is its target), each atomically, making their folders.

    They take their places in this order, once all of them are on the disk. One that cannot be
    written is told of as one of the two failures.
    """
    waiting: list[tuple[str, str]] = []
    try:
        for path, content, kind in files:
            with told(f"write {root}/{path}"):
                temporary = _write_beside(root, path, content, kind, removable)
            waiting.append((path, temporary))
        if len(files) > _SYNCED_EACH:
            with told(f"write {root}"), _opened(root, []) as place:
                libc.call("syncfs", place)  # one wait, where each file would have its own
        else:
            for path, temporary in waiting:
                with told(f"write {root}/{path}"), _opened(root, path.split("/")[:-1]) as place:
                    _sync(place, temporary)
        while waiting:
            path, temporary = waiting[0]
            with told(f"write {root}/{path}"):
                _take_place(root, path, temporary, removable)
            del waiting[0]
        for parent in dict.fromkeys(path.rpartition("/")[0] for path, _, _ in files):
            with told(f"write {root}/{parent}"):
                _keep_folder(root, f"{parent}/")
    except BaseException:
        for path, temporary in waiting:
            with suppress(OSError, InTheWay), _opened(root, path.split("/")[:-1]) as place:
                os.unlink(temporary, dir_fd=place)
        raise


def sweep(root: str, folders: Iterable[str]) -> None:
    """Remove from folders below `root` what a crash left half-written, as far as they are open."""
    for folder in folders:
        with suppress(PermissionError), folder_at(root, folder) as place:
            if place is None:
                continue
            for name in os.listdir(place):  # noqa: PTH208
                if is_leftover(name):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=place)


def _write_beside(
    root: str, path: str, content: bytes, kind: FileKind, removable: Removable
) -> str:
    """Write it under another name, which is returned, in the folder where it belongs."""
    temporary = f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}"
    with _opened(root, path.split("/")[:-1], make=True, removable=removable) as place:
        try:
            if kind is FileKind.SYMLINK:
                os.symlink(content, temporary, dir_fd=place)
            else:
                descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=place)
                with open(descriptor, "wb") as file:  # noqa: PTH123
                    file.write(content)
                    os.fchmod(descriptor, _MODES[kind])
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=place)
            raise
    return temporary


def _take_place(root: str, path: str, temporary: str, removable: Removable) -> None:
    """Give what was written beside its own name."""
    *parents, name = path.split("/")
    with _opened(root, parents) as place:
        try:
            os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
        except IsADirectoryError:
            _clear(place, name, path, root=root, removable=removable)
            os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)


def _keep_folder(root: str, path: str) -> None:
    """Have the names in the folder of `path` outlast a power cut."""
    with folder_at(root, path.rpartition("/")[0]) as place:
        if place is not None:
            os.fsync(place)


def _sync(place: int, name: str) -> None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return  # a link is in its folder, which is synced
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(root: str, path: str, *, keep: int) -> None:
    """Remove a file if there is one, and folders left empty, but for the topmost `keep`."""
    *parents, name = path.split("/")
    try:
        with _opened(root, parents) as place:
            status = os.stat(name, dir_fd=place, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=place)
    except (FileNotFoundError, InTheWay):
        pass
    remove_empty(root, "/".join(parents), keep=keep)


def remove_empty(root: str, folder: str, *, keep: int) -> None:
    """Remove a folder if it is empty, then those above it, but for the topmost `keep`."""
    parents = folder.split("/") if folder else []
    while len(parents) > keep:
        *parents, name = parents
        try:
            with _opened(root, parents) as place:
                os.rmdir(name, dir_fd=place)
        except (FileNotFoundError, InTheWay):
            continue
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY):
                return
            raise


@contextmanager
def folder_at(root: str, path: str) -> Iterator[int | None]:
    """Open a folder below `root` for looking; None if there is none that is a real folder."""
    with ExitStack() as stack:
        place = None
        with suppress(FileNotFoundError, InTheWay):
            place = stack.enter_context(_opened(root, path.split("/") if path else []))
        yield place


@contextmanager
def _opened(
    root: str,
    parts: list[str],
    *,
    make: bool = False,
    removable: Removable = lambda _: False,
) -> Iterator[int]:
    place = _open_root(root, make=make)
    try:
        for depth, part in enumerate(parts, start=1):
            below = _step(place, part, parts[:depth], root=root, make=make, removable=removable)
            os.close(place)
            place = below
        yield place
    finally:
        os.close(place)


def _open_root(root: str, *, make: bool) -> int:
    try:
        return os.open(root, _FOLDER)
    except FileNotFoundError:
        if not make:
            raise
    except NotADirectoryError as error:
        raise InTheWay(root) from error
    os.makedirs(os.path.dirname(root), exist_ok=True)  # noqa: PTH103, PTH120
    with suppress(FileExistsError):
        os.mkdir(root, 0o700)  # noqa: PTH102
    return os.open(root, _FOLDER)


def _step(
    place: int, part: str, path: list[str], *, root: str, make: bool, removable: Removable
) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=place)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        if not make or not removable("/".join(path)):
            raise InTheWay("/".join([root, *path])) from error
        os.unlink(part, dir_fd=place)
    with suppress(FileExistsError):
        os.mkdir(part, dir_fd=place)
    below = os.open(part, _FOLDER, dir_fd=place)
    # Whatever the umask: containers read below it under other user ids.
    os.fchmod(below, 0o755)
    return below


def _clear(place: int, name: str, path: str, *, root: str, removable: Removable) -> None:
    """Remove a folder that holds nothing but what is ours."""
    below = os.open(name, _FOLDER, dir_fd=place)
    try:
        with os.scandir(below) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_folder in found:
            inner_path = f"{path}/{inner}"
            if is_folder:
                _clear(below, inner, inner_path, root=root, removable=removable)
            elif removable(inner_path) or is_leftover(inner):
                os.unlink(inner, dir_fd=below)
            else:
                raise InTheWay(f"{root}/{inner_path}")
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=place)
