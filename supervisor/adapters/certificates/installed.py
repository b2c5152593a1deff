"""Install a certificate in a folder, as kubelet's atomic writer does.

All files are in a folder of their own, `..VERSION`; `..data` is a link to it, and the names that
people use are links to files below `..data`. One rename gives `..data` another target, and so all
files another content, for those too who have mounted the folder. Every step goes down from the open
folder, and no link in it is followed.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from supervisor.adapters.certificates import owned, texts
from supervisor.adapters.certificates.owned import Owner
from supervisor.adapters.certificates.texts import DATA
from supervisor.adapters.certificates.unchanged import Places
from supervisor.kit.files import told
from supervisor.model.certificate import FILES
from supervisor.model.errors import Failure, Stalled

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SCRATCH = "..data_tmp"
_VERSION = re.compile(r"\.\.[0-9a-f]{16}(\.[0-9]+)?", re.ASCII)
WITH_KEY = ("privkey.pem", "combined.pem")
"""Files that hold the key."""
_READABLE = 0o044
_LARGEST = 1 << 20
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EISDIR, errno.ENXIO}


class Place:
    """A folder in which the certificate of a name is installed."""

    def __init__(self, name: str, folder: str, *, is_own: bool) -> None:
        """`is_own`: it is podvisor's own place, which holds nothing else."""
        self.name = name
        self.folder = folder
        self.is_own = is_own

    def install(self, pair: texts.Kept, version: str, *, mode: int) -> None:
        """Install it, whole or not at all. Raises Retry or Stalled."""
        new = self.write(pair, version, mode=mode)
        try:
            self.switch(new, pair)
        except BaseException:
            with suppress(Failure):
                self.sweep()
            raise

    def write(
        self, pair: texts.Kept, version: str, *, mode: int, owner: Owner | None = None
    ) -> str:
        """Write it beside what is there; returns the name of its folder. Raises Retry or Stalled.

        The files of the key are to be given to `owner` before it is switched to.
        """
        self._make(_folder_mode(mode, owner))
        with self._told(), self._opened() as place:
            before, files = self._target(place), texts.installed(self.name, pair)
            self._remove_copies(place, files)
            self._refuse_others(place)
            _sweep(place, {before})
            new = _unused(place, version)
            try:
                _write_version(place, new, files, mode, owner)
            except BaseException:
                _sweep(place, {before})
                raise
            return new

    def switch(self, new: str, pair: texts.Kept, *, owner: Owner | None = None) -> None:
        """Have what was written be what is installed, all of it at once. Raises Retry."""
        with self._told(), self._opened() as place:
            if owner:
                with _below(place, new) as version:
                    chain = pair.chain.encode()
                    owned.note(version, WITH_KEY, owner, digest=pair.digest, chain=chain)
                    os.fsync(version)
            for file in FILES:
                # Before there is anything behind them: so all of them appear at once.
                with suppress(FileExistsError):
                    os.symlink(f"{DATA}/{file}", file, dir_fd=place)
            os.symlink(new, _SCRATCH, dir_fd=place)
            os.rename(_SCRATCH, DATA, src_dir_fd=place, dst_dir_fd=place)
            os.fsync(place)

    def sweep(self) -> None:
        """Remove what was written, and is not what is installed. Raises Retry."""
        with self._told(), self._opened() as place:
            _sweep(place, {self._target(place)})

    def check(self) -> None:
        """See whether it could be installed; nothing is changed. Raises Retry or Stalled."""
        with self._told():
            there = self._there()
            try:
                with self._opened(there) as place:
                    if there == self.folder:
                        self._refuse_others(place)
                    if not os.access(f"/proc/self/fd/{place}", os.W_OK | os.X_OK):
                        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), there)
            except NotADirectoryError as error:
                raise self._no_folder(there) from error

    def holds(self, digest: str, *, mode: int, owner: Owner | None = None) -> bool:
        """Whether that is what stands there, all of it, as it should be. Raises Retry."""
        with told(f"read certificate {self.name} in {self.folder}"):
            try:
                with self._opened() as place:
                    return self._holds(place, digest, mode, owner)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return False
                raise

    def places(self, owner: Owner | None) -> Places:
        """What is looked at for that."""
        data = f"{self.folder}/{DATA}"
        links = (data, *(f"{self.folder}/{file}" for file in FILES))
        note = (texts.NOTE,) if owner else ()
        behind = (f"{data}/{file}" for file in (*FILES, texts.NAME, *note))
        return Places([*links, *behind], [self.folder, f"{data}/."])

    def identity(self) -> str:
        """Return the folder's inode, which is no other's while it is mounted; empty if none is.

        One that may not be looked at is not gone: raises Stalled, or Retry.
        """
        with told(f"look at {self.folder}, where certificate {self.name} is installed"):
            try:
                found = os.lstat(self.folder)
            except (FileNotFoundError, NotADirectoryError):
                return ""
            return str(found.st_ino) if stat.S_ISDIR(found.st_mode) else ""

    def remove(self) -> None:
        """Take it away, if it is the one that is installed there. Raises Retry or Stalled."""
        with told(f"remove certificate {self.name} from {self.folder}"):
            try:
                with self._opened() as place:
                    if self._owner(place) not in ("", self.name):
                        return
                    if self._target(place):
                        os.unlink(DATA, dir_fd=place)  # and with it all of them
                    for file in FILES:
                        if _link(place, file) == f"{DATA}/{file}":
                            os.unlink(file, dir_fd=place)
                    _sweep(place, set())
                    os.fsync(place)
            except (FileNotFoundError, NotADirectoryError):
                return
        if self.is_own:
            with suppress(OSError):  # a person's file is in it
                os.rmdir(self.folder)  # noqa: PTH106

    def _told(self) -> AbstractContextManager[None]:
        hint = "name another folder by Directory=, or let your user write there"
        own = "check owner and permissions"
        return told(self.doing, forbidden=own if self.is_own else hint)

    @property
    def doing(self) -> str:
        """What is being done when it is installed, in words."""
        return f"install certificate {self.name} in {self.folder}"

    def _make(self, folder_mode: int) -> None:
        parent = os.path.dirname(self.folder)  # noqa: PTH120
        with self._told():
            try:
                is_new = self._made(parent)
                with self._opened() as place:
                    if is_new or self.is_own:
                        os.fchmod(place, folder_mode)
            except (FileExistsError, NotADirectoryError) as error:
                raise self._no_folder(parent) from error

    def _made(self, parent: str) -> bool:
        """Make it, and those above; returns whether it was not there."""
        try:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            os.mkdir(self.folder, 0o700)  # noqa: PTH102
        except FileExistsError:
            if not os.path.lexists(self.folder):
                raise
            return False
        except FileNotFoundError as error:
            there = self._there()
            if not os.path.isdir(there):  # noqa: PTH112
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
            # A file system in which nobody may make any (/proc) says that it is not there.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), there) from error
        return True

    def _there(self) -> str:
        """Return the folder itself, or the nearest above that is there."""
        there = self.folder
        while not os.path.lexists(there):
            there = os.path.dirname(there)  # noqa: PTH120
        return there

    def _no_folder(self, parent: str) -> Stalled:
        if os.path.islink(self.folder):  # noqa: PTH114
            hint = "name the folder that it leads to by Directory="
            return Stalled(f"cannot {self.doing}: that is a link", hint=hint)
        there = self.folder if os.path.isdir(parent) else parent  # noqa: PTH112
        hint = "name another folder by Directory="
        return Stalled(f"cannot {self.doing}: {there} is no folder", hint=hint)

    @contextmanager
    def _opened(self, folder: str = "") -> Iterator[int]:
        place = os.open(folder or self.folder, _FOLDER)
        try:
            yield place
        finally:
            os.close(place)

    def _remove_copies(self, place: int, files: dict[str, bytes]) -> None:
        """Remove plain files of what is installed: who copies or restores may have no links."""
        before = {}
        is_copied = _named(place, DATA) == self.name  # which is a folder then
        if is_copied:
            with _below(place, DATA) as data:
                before = {file: _read(data, file)[0] for file in FILES}
        for file in FILES:
            found = _plain(place, file)
            if found is not None and found in (files[file], before.get(file)):
                os.unlink(file, dir_fd=place)
        if is_copied:
            _remove_version(place, DATA)

    def _refuse_others(self, place: int) -> None:
        for file in FILES:
            if _is_there(place, file) and _link(place, file) != f"{DATA}/{file}":
                raise self._in_the_way(file)
        if _is_there(place, DATA) and not self._target(place):
            raise self._in_the_way(DATA)

    def _in_the_way(self, file: str) -> Stalled:
        return Stalled(
            f"cannot {self.doing}: {self.folder}/{file} is in the way, and is not podvisor's",
            hint="move it away" if self.is_own else "move it away, or name another Directory=",
        )

    def _target(self, place: int) -> str:
        """Return the folder that `..data` leads to; empty if it does not lead to one of ours."""
        target = _link(place, DATA)
        return target if _VERSION.fullmatch(target) else ""

    def _owner(self, place: int) -> str:
        """Return the name of the certificate that is installed; empty if none is."""
        target = self._target(place)
        return _named(place, target) if target else ""

    def _holds(self, place: int, digest: str, mode: int, owner: Owner | None) -> bool:
        folder_mode = _folder_mode(mode, owner)
        if self.is_own and _mode(place) != folder_mode:
            return False
        if any(_link(place, file) != f"{DATA}/{file}" for file in FILES):
            return False
        with _below(place, self._target(place) or DATA) as version:
            if _mode(version) != folder_mode:
                return False
            unread = WITH_KEY if owner else ()
            readable = [file for file in (*FILES, texts.NAME) if file not in unread]
            found = {file: _read(version, file) for file in readable}
            chain = found[FILES[3]][0]
            if owner:
                is_as_given = owned.is_as_noted(
                    version, WITH_KEY, owner, digest=digest, chain=chain
                ) and all(_mode_of(version, file) == mode for file in WITH_KEY)
            else:
                is_as_given = all(_is_own(version, file) for file in WITH_KEY)
        key = "" if owner else found["privkey.pem"][0].decode(errors="replace")
        pair = texts.Kept(key, chain.decode(errors="replace"))
        wanted = texts.installed(self.name, pair)
        return (
            is_as_given
            and (owner is not None or pair.digest == digest)
            and all(found[file] == (wanted[file], _file_mode(file, mode)) for file in readable)
        )


def _folder_mode(mode: int, owner: Owner | None) -> int:
    return 0o755 if mode & _READABLE or owner else 0o700


def _file_mode(file: str, mode: int) -> int:
    return mode if file in WITH_KEY else 0o644


def _mode_of(place: int, file: str) -> int:
    return stat.S_IMODE(os.stat(file, dir_fd=place, follow_symlinks=False).st_mode)


def _is_own(place: int, file: str) -> bool:
    return os.stat(file, dir_fd=place, follow_symlinks=False).st_uid == os.geteuid()


def _write_version(
    place: int, name: str, files: dict[str, bytes], mode: int, owner: Owner | None
) -> None:
    os.mkdir(name, 0o700, dir_fd=place)
    with _below(place, name) as version:
        for file, content in files.items():
            descriptor = os.open(file, _NEW_FILE, 0o600, dir_fd=version)
            with open(descriptor, "wb") as writer:  # noqa: PTH123
                writer.write(content)
                writer.flush()
                os.fchmod(descriptor, _file_mode(file, mode))
                os.fsync(descriptor)
        os.fchmod(version, _folder_mode(mode, owner))
        os.fsync(version)


def _sweep(place: int, keep: set[str]) -> None:
    """Remove versions but for these, and what was cut short."""
    for name in os.listdir(place):
        if _VERSION.fullmatch(name) and name not in keep:
            _remove_version(place, name)
    with suppress(FileNotFoundError):
        os.unlink(_SCRATCH, dir_fd=place)


def _remove_version(place: int, name: str) -> None:
    # What somebody else put there stays, and does not keep the rest from being done.
    with suppress(OSError):
        with _below(place, name) as version:
            for file in (*FILES, texts.NAME, texts.NOTE):
                with suppress(FileNotFoundError):
                    os.unlink(file, dir_fd=version)
        os.rmdir(name, dir_fd=place)


def _unused(place: int, version: str) -> str:
    taken = set(os.listdir(place))
    names = (f"..{version}{f'.{number}' if number else ''}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


@contextmanager
def _below(place: int, name: str) -> Iterator[int]:
    folder = os.open(name, _FOLDER, dir_fd=place)
    try:
        yield folder
    finally:
        os.close(folder)


def _mode(place: int) -> int:
    return stat.S_IMODE(os.fstat(place).st_mode)


def _is_there(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _link(place: int, name: str) -> str:
    """Return the target of a link; empty if it is none, or not there."""
    try:
        return os.readlink(name, dir_fd=place)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL):
            return ""
        raise


def _read(place: int, name: str) -> tuple[bytes, int]:
    """Return what a plain file holds, and its mode; of anything else nothing."""
    descriptor = os.open(name, _FILE, dir_fd=place)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b"", 0
        return file.read(_LARGEST), stat.S_IMODE(status.st_mode)


def _plain(place: int, name: str) -> bytes | None:
    """Return what a plain file holds; None if there is none."""
    try:
        content, mode = _read(place, name)
    except OSError:
        return None
    return content if mode else None


def _named(place: int, version: str) -> str:
    """Return the name of the certificate that a folder is of; empty if it is of none."""
    try:
        with _below(place, version) as folder:
            return _read(folder, texts.NAME)[0].decode(errors="replace").strip()
    except OSError:
        return ""
