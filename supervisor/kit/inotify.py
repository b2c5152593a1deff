"""inotify(7): add, remove, and the events of a burst at a time.

Nothing wakes while nothing happens; the only timer is the one that waits for a burst to end.
"""

import errno
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import anyio

if TYPE_CHECKING:
    from asyncinotify import Watch

log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.05
_LATEST_SECONDS = 1.0


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
        # Looks for the C library with programs of the system: no matter for a command that ends.
        import asyncinotify  # noqa: PLC0415

        self._inotify = asyncinotify.Inotify(sync_timeout=0)
        self._watches: dict[int, Watch] = {}
        self._told = False

    def close(self) -> None:
        """End all watches."""
        self._inotify.close()

    def add(self, path: str, mask: int) -> int | None:
        """Watch what is at a path; None if nothing is there or it cannot be watched."""
        import asyncinotify  # noqa: PLC0415

        try:
            watch = self._inotify.add_watch(path, asyncinotify.Mask(mask))
        except OSError as error:
            if error.errno == errno.ENOSPC and not self._told:
                self._told = True
                log.warning(
                    "cannot watch %s: raise fs.inotify.max_user_watches; changes may be seen late",
                    path,
                )
            return None
        self._watches[watch.wd] = watch
        return watch.wd

    def remove(self, watch: int) -> None:
        """End a watch; one that is gone already is no error."""
        if known := self._watches.pop(watch, None):
            with suppress(OSError):
                self._inotify.rm_watch(known)

    def take(self) -> list[InotifyEvent]:
        """Return what has happened so far, without waiting."""
        events = []
        while event := self._inotify.sync_get():
            watch = event.watch
            name = str(event.name) if event.name else ""
            if event.mask & Mask.OVERFLOW:
                events.append(InotifyEvent(-1, Mask.OVERFLOW, ""))
            elif watch is not None and watch.wd in self._watches:
                if event.mask & Mask.IGNORED:
                    del self._watches[watch.wd]
                events.append(InotifyEvent(watch.wd, int(event.mask), name))
        return events

    async def wait(self) -> None:
        """Wait for something to happen; safe to cancel, nothing is lost."""
        await anyio.wait_readable(self._inotify.fd)


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
