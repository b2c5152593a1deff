"""Reads and writes whole volumes, as root of the user's own user namespace, in a process that ends.

Run by `volume_archive`. What volumes hold belongs to subordinate ids, which only that root may
read; and podvisor's own service may not enter a namespace.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from subprocess import PIPE, Popen, run
from typing import NamedTuple

import msgspec

from supervisor.kit.helper import serve
from supervisor.kit.programs import is_installed

_TAR_BLOCK = 512
_PLAIN, _PACKED = ".tar", ".tar.zst"
_FOLDER = ".json"
"""Of the file that says whose a volume's own folder is: an export does not."""


class WorkError(SystemExit):
    """Ends the process, with these words."""


class VolumeWork(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with these volumes."""

    verb: str
    """`measure`, `save` or `load`."""
    volumes: dict[str, int]
    """To load, with the bytes that the file of each has."""
    folder: str = ""
    """Where the files are, or come; absolute. To save, it is there, and has none of them."""


class FolderRights(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a volume's own folder is, by the ids of the user namespace, and its mode."""

    user: int
    group: int
    mode: int


class SavedVolume(NamedTuple):
    """A volume in a snapshot."""

    archive: Path
    described: Path
    """The file of its rights."""
    rights: FolderRights


def carry_out(work: VolumeWork) -> dict[str, int]:
    """Do it; returns the bytes of each volume, or of its file."""
    if work.verb == "measure":
        return {name: _size(_mounted(name)) for name in work.volumes}
    folder = Path(work.folder)
    if work.verb == "save":
        return {name: _save(name, folder) for name in work.volumes}
    # Nothing is emptied before all that takes its place is there.
    saved = {name: saved_volume(name, folder, size) for name, size in work.volumes.items()}
    os.sync()  # that they are half put back is written down, and has to outlive a power cut
    for name, one in saved.items():
        _load(name, one)
    return {}


def _save(name: str, folder: Path) -> int:
    _save_rights(name, folder)
    is_packed = is_installed("zstd")
    export = ["podman", "volume", "export", name]
    path = folder / f"{name}{_PACKED if is_packed else _PLAIN}"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        if is_packed:
            pack = ["zstd", "-q", "-1", "-c"]
            with Popen(export, stdout=PIPE, stderr=PIPE) as exporting:
                with Popen(pack, stdin=exporting.stdout, stdout=file, stderr=PIPE) as packing:
                    if exporting.stdout:
                        exporting.stdout.close()  # or its end would not be heard if packing ends
                    _judge(packing, f"cannot pack volume {name}")
                _judge(exporting, f"cannot export volume {name}")
        else:
            with Popen(export, stdout=file, stderr=PIPE) as exporting:
                _judge(exporting, f"cannot export volume {name}")
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _save_rights(name: str, folder: Path) -> None:
    path = folder / f"{name}{_FOLDER}"
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        file.write(msgspec.json.encode(_rights(_mounted(name))))
        file.flush()
        os.fsync(file.fileno())


def _rights(folder: str) -> FolderRights:
    found = Path(folder).stat()
    return FolderRights(user=found.st_uid, group=found.st_gid, mode=S_IMODE(found.st_mode))


def saved_volume(name: str, folder: Path, size: int) -> SavedVolume:
    """Return a volume in a snapshot. Raises WorkError if it cannot be put back."""
    archive = _archive(name, folder, size)
    path = folder / f"{name}{_FOLDER}"
    try:
        rights = msgspec.json.decode(path.read_bytes(), type=FolderRights)
    except FileNotFoundError:
        raise WorkError(f"cannot put back volume {name}: {path} is gone") from None
    except msgspec.DecodeError:
        raise WorkError(_damaged(name, path)) from None
    return SavedVolume(archive=archive, described=path, rights=rights)


def _damaged(name: str, path: Path) -> str:
    return f"cannot put back volume {name}: {path} is not as it was written"


def _archive(name: str, folder: Path, size: int) -> Path:
    for suffix in (_PLAIN, _PACKED):
        path = folder / f"{name}{suffix}"
        if not path.exists():
            continue
        if path.stat().st_size != size:
            raise WorkError(_damaged(name, path))
        if suffix == _PACKED and not is_installed("zstd"):
            raise WorkError(
                f"cannot put back volume {name}: zstd, which packed it, is not installed"
            )
        return path
    raise WorkError(f"cannot put back volume {name}: its file is gone from {folder}")


def _load(name: str, saved: SavedVolume) -> None:
    """Have a volume hold what the file does, and nothing else; it is made if it is gone."""
    _podman("volume", "create", "--ignore", name)
    mounted = _mounted(name)
    _empty(Path(mounted))
    path = str(saved.archive)
    unpack = ["zstd", "-q", "-d", "-c", path] if path.endswith(_PACKED) else ["cat", path]
    with Popen(unpack, stdout=PIPE, stderr=PIPE) as reading:
        load = ["podman", "volume", "import", name, "-"]
        with Popen(load, stdin=reading.stdout, stderr=PIPE) as importing:
            _judge(importing, f"cannot put back volume {name}")
        _judge(reading, f"cannot read {path}")
    if _rights(mounted) != saved.rights:
        os.chown(mounted, saved.rights.user, saved.rights.group)
        Path(mounted).chmod(saved.rights.mode)
    os.sync()


def _empty(folder: Path) -> None:
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files:
            Path(path, name).unlink()
        for name in folders:
            one = Path(path, name)
            if one.is_symlink():
                one.unlink()
            else:
                one.rmdir()


def _mounted(name: str) -> str:
    """Have a volume mounted, as far as that takes anything, and return where."""
    return _podman("volume", "mount", name).strip()


def _podman(*arguments: str) -> str:
    done = run(["podman", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkError(f"podman {' '.join(arguments)}: {last}")
    return done.stdout


def _judge(process: Popen[bytes], doing: str) -> None:
    """Wait for its end. Raises WorkError, with what it said last, if that was not well."""
    _, errors = process.communicate()
    if process.returncode:
        said = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise WorkError(f"{doing}: {said[-1]}")


def _size(folder: str) -> int:
    """Return the bytes of an archive of a folder, about."""
    return sum(_blocks(size) + 2 * _TAR_BLOCK for size in _sizes(folder))


def _sizes(folder: str) -> Iterator[int]:
    for path, folders, files in os.walk(folder):
        yield from (0 for _ in folders)
        for name in files:
            found = os.lstat(f"{path}/{name}")  # there may be very many
            yield found.st_size


def _blocks(size: int) -> int:
    return -(-size // _TAR_BLOCK) * _TAR_BLOCK


if __name__ == "__main__":
    serve(carry_out, VolumeWork)
