"""Functions of libc that Python has no name for."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

_SET_PARENT_DEATH_SIGNAL = 1
"""prctl(2)."""
_DONT_NEED = 4
"""madvise(2)."""


def call(name: str, *args: "int | bytes | ctypes.c_void_p | ctypes.c_size_t") -> int:
    """Call one that says by a negative number that it failed. Raises OSError.

    An integer is passed as C's int, which is shorter than an address.
    """
    import ctypes  # noqa: PLC0415  # of no use to a command that neither watches nor writes

    result: int = getattr(_libc(), name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def end_with_parent() -> None:
    """Have this process killed when the thread that started it ends."""
    call("prctl", _SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def unmap_pages(stretches: Iterable[tuple[int, int]]) -> None:
    """Take these pages out of this process; they are read anew when they are used.

    A stretch is an address and a length in bytes. What the process has written there is lost.
    Raises OSError.
    """
    import ctypes  # noqa: PLC0415

    for address, length in stretches:
        call("madvise", ctypes.c_void_p(address), ctypes.c_size_t(length), _DONT_NEED)


def release_free_memory() -> None:
    """Give back to the kernel what was freed; does nothing where libc cannot (musl)."""
    with suppress(AttributeError):
        call("malloc_trim", 0)


@cache
def _libc() -> "ctypes.CDLL":
    import ctypes  # noqa: PLC0415

    return ctypes.CDLL(None, use_errno=True)
