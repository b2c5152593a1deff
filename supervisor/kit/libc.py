"""Functions of libc that Python has no name for."""

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes


def call(name: str, *args: int | bytes) -> int:
    """Call one that says by a negative number that it failed. Raises OSError."""
    import ctypes  # noqa: PLC0415  # of no use to a command that neither watches nor writes

    result: int = getattr(_libc(), name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@cache
def _libc() -> "ctypes.CDLL":
    import ctypes  # noqa: PLC0415

    return ctypes.CDLL(None, use_errno=True)
