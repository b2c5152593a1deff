"""Files of podvisor's own."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from supervisor.kit.failures import Retry, Stalled

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def told(doing: str, *, forbidden: str = "check owner and permissions") -> Iterator[None]:
    """Turn what the system says into one of the two failures; `doing` completes "cannot …".

    `forbidden` says what to do where the system does not allow it.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Retry(f"cannot {doing}: disk full") from error
        why = error.strerror or str(error)
        if error.errno in _FORBIDDEN:
            raise Stalled(f"cannot {doing}: {why}", hint=forbidden) from error
        if error.errno == errno.ENAMETOOLONG:
            raise Stalled(f"cannot {doing}: {why}", hint="give it a shorter name") from error
        raise Retry(f"cannot {doing}: {why}") from error


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file, whole or not at all, in a power cut too. Raises OSError.

    It is the user's alone, if `mode` says no other.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise
