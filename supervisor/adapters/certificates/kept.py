"""Pairs that are kept in podvisor's own folder: `NAME/VERSION/key.pem` and `chain.pem`."""

import errno
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from supervisor.adapters.certificates.texts import Kept
from supervisor.adapters.certificates.unchanged import Places
from supervisor.kit.files import told, write_whole
from supervisor.kit.folders import remove_tree
from supervisor.model.acme import ORDER_FILES

_KEY, _CHAIN = "key.pem", "chain.pem"
_VERSION = re.compile(r"[0-9a-f]{16}")
_NEW = re.compile(r"\.[0-9a-f]{16}\.(new|old)")
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO}
_OF_OTHERS = 0o077
_LARGEST = 1 << 20


class _Order(msgspec.Struct, frozen=True):
    issued: str = ""


def keep(folder: Path, version: str, pair: Kept) -> None:
    """Keep a pair beside the others of its certificate. Raises Retry or Stalled."""
    with told(f"keep certificate {folder.name} in {folder}"):
        if _read(folder / version) != pair:
            _write(folder, version, pair)


def kept(folder: Path, version: str, digest: str) -> Kept | None:
    """Return what was kept; None if it is not there, or not as it was. Raises Retry or Stalled."""
    with told(f"read what is kept of certificate {folder.name} in {folder}"):
        pair = _read(folder / version)
    return pair if pair and pair.digest == digest else None


def places(folder: Path, version: str) -> Places:
    """Return what is read for one."""
    return Places([f"{folder}/{version}/{file}" for file in (_KEY, _CHAIN)])


def forget(folder: Path, keep: Collection[str]) -> None:
    """Remove versions but for these, and what was cut short; the order that one of them came of.

    Without any, whatever order there is. Raises Retry or Stalled.
    """
    with told(f"remove what is kept of certificate {folder.name} in {folder}"):
        try:
            found = [*folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return
        for one in found:
            if _NEW.fullmatch(one.name) or (_VERSION.fullmatch(one.name) and one.name not in keep):
                remove_tree(one)
        if not keep or _issued(folder) in keep:
            _end_order(folder)
        with suppress(OSError):  # something is in it still
            folder.rmdir()


def _write(folder: Path, version: str, pair: Kept) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = folder / f".{version}.new"
    remove_tree(new)
    try:
        new.mkdir(mode=0o700)
        write_whole(new / _KEY, pair.key.encode())
        write_whole(new / _CHAIN, pair.chain.encode())
        _sync(new)
        _take_place(new, folder / version)
    except BaseException:
        remove_tree(new)
        raise
    _sync(folder)
    _sync(folder.parent)


def _issued(folder: Path) -> str:
    """Return the version that came of the order."""
    try:
        return msgspec.json.decode(_text(folder / ORDER_FILES[0]), type=_Order).issued
    except (OSError, ValueError):
        return ""


def _end_order(folder: Path) -> None:
    for name in ORDER_FILES:
        (folder / name).unlink(missing_ok=True)


def _take_place(new: Path, place: Path) -> None:
    try:
        new.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        old = place.with_name(f".{place.name}.old")
        remove_tree(old)
        place.rename(old)
        new.rename(place)
        if old.is_dir() and not old.is_symlink():
            remove_tree(old)
        else:
            old.unlink()


def _read(folder: Path) -> Kept | None:
    try:
        return Kept(_text(folder / _KEY), _text(folder / _CHAIN))
    except UnicodeDecodeError:
        return None
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise


def _text(path: Path) -> str:
    with open(os.open(path, _FILE), "rb") as file:  # noqa: PTH123
        if os.fstat(file.fileno()).st_mode & _OF_OTHERS:
            os.fchmod(file.fileno(), 0o600)
        return file.read(_LARGEST).decode()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
