"""inotify(7): add, remove, and the events of a burst at a time.

Nothing wakes while nothing happens; the only timer is the one that waits for a burst to end.
"""

import errno
import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

import anyio

from supervisor.kit import libc
from supervisor.kit.failures import Retry

log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.05
_LATEST_SECONDS = 1.0
_BUFFER = 64 << 10
_HEAD = Struct("iIII")
"""Of an event: its watch, its mask, a cookie, and how long the name is, which follows."""


class Mask:
    """What to watch for, what happened, and how to watch; plain numbers, as events are many."""

    MODIFY = 0x2
    ATTRIB = 0x4
    CLOSE_WRITE = 0x8
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    DELETE_SELF = 0x400
    MOVE_SELF = 0x800
    UNMOUNT = 0x2000
    OVERFLOW = 0x4000
    IGNORED = 0x8000
    ONLY_FOLDER = 0x1000000
    DONT_FOLLOW = 0x2000000
    EXCLUDE_UNLINKED = 0x4000000
    ADD = 0x20000000
    FOLDER = 0x40000000
    GONE = DELETE_SELF | MOVE_SELF | UNMOUNT
    ENTRIES = CREATE | DELETE | MOVED_FROM | MOVED_TO | ATTRIB


class InotifyEvent(NamedTuple):
    """One event."""

    watch: int
    """Number of the watch; -1 for an overflow."""
    mask: int
    name: str
    """Of the entry in a watched folder; empty if it is about the watched thing itself."""


class Inotify:
    """An open inotify."""

    def __init__(self) -> None:
        """Open it. Raises OSError where the user has too many (fs.inotify.max_user_instances)."""
        self._fd = libc.call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._watches: set[int] = set()
        self._told = False

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)

    def fileno(self) -> int:
        """Readable while something has happened."""
        return self._fd

    def add(self, path: str, mask: int) -> int | None:
        """Watch what is at a path; None if nothing is there or it cannot be watched."""
        try:
            watch = libc.call("inotify_add_watch", self._fd, os.fsencode(path), mask)
        except OSError as error:
            if error.errno == errno.ENOSPC and not self._told:
                self._told = True
                log.warning(
                    "cannot watch %s: raise fs.inotify.max_user_watches; changes may be seen late",
                    path,
                )
            return None
        self._watches.add(watch)
        return watch

    def remove(self, watch: int) -> None:
        """End a watch; one that is gone already is no error."""
        if watch in self._watches:
            self._watches.remove(watch)
            with suppress(OSError):
                libc.call("inotify_rm_watch", self._fd, watch)

    def take(self) -> list[InotifyEvent]:
        """Return what has happened so far, without waiting."""
        events: list[InotifyEvent] = []
        with suppress(BlockingIOError):
            while True:
                events += self._known(os.read(self._fd, _BUFFER))
        return events

    def _known(self, data: bytes) -> Iterator[InotifyEvent]:
        """Yield the events in what the kernel wrote, but for those of watches that were ended."""
        start = 0
        while start < len(data):
            watch, mask, _, size = _HEAD.unpack_from(data, start)
            start += _HEAD.size + size
            name = data[start - size : start].rstrip(b"\0")
            if watch in self._watches or mask & Mask.OVERFLOW:
                if mask & Mask.IGNORED:
                    self._watches.remove(watch)
                yield InotifyEvent(watch, mask, os.fsdecode(name))

    async def wait(self) -> None:
        """Wait for something to happen; safe to cancel, nothing is lost."""
        await anyio.wait_readable(self)


def open_inotify() -> Inotify:
    """Open one. Raises Retry where the user has too many."""
    try:
        return Inotify()
    except OSError as error:
        hint = "fs.inotify.max_user_instances"
        raise Retry(f"cannot watch files: {error.strerror} ({hint})") from error


async def settled(
    inotify: Inotify, judge: Callable[[Iterable[InotifyEvent]], set[str]]
) -> AsyncGenerator[str, None]:
    """Yield the names that `judge` makes of the events, each once, when a burst has ended.

    A burst ends with a short silence, or when it has lasted as long as anyone should wait.
    """
    while True:
        await inotify.wait()
        names = judge(inotify.take())
        if not names:
            continue
        latest = anyio.current_time() + _LATEST_SECONDS
        while (left := latest - anyio.current_time()) > 0:
            with anyio.move_on_after(min(_QUIET_SECONDS, left)) as silence:
                await inotify.wait()
            if silence.cancelled_caught:
                break
            names |= judge(inotify.take())
        for name in sorted(names):
            yield name
