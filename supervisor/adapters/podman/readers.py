"""Reading what is new in Podman's event log: from the journal, or from a file.

A reader ends with what there is: at rest nothing is followed, no process is kept. The third place,
Podman's API, is held open where there is no other way: `stream`. `choice` says which of them works.
"""

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from supervisor.adapters.podman.events import from_file, from_journal
from supervisor.kit.process import OutputLimit, ProcessError, run
from supervisor.model.errors import Retry
from supervisor.model.podman import PodmanEvent

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 2 << 20
"""That are read at once; whoever is further behind is told that anything may have happened."""
_FIELDS = (
    "PODMAN_TYPE,PODMAN_EVENT,PODMAN_NAME,PODMAN_NETWORK_NAME,PODMAN_ID,PODMAN_LABELS"
    ",PODMAN_HEALTH_STATUS"
)
_MATCHES = (
    *("PODMAN_TYPE=container", "PODMAN_TYPE=pod", "PODMAN_EVENT=create", "PODMAN_EVENT=died"),
    *("PODMAN_EVENT=remove", "PODMAN_EVENT=rename", "PODMAN_EVENT=stop", "+"),
    *("PODMAN_HEALTH_STATUS=unhealthy", "+"),
    *("PODMAN_TYPE=image", "PODMAN_TYPE=volume", "PODMAN_TYPE=network", "PODMAN_TYPE=secret"),
)
"""Left to journalctl, which has an index: the many health checks that went well are not read."""


class News(NamedTuple):
    """What was read."""

    events: tuple[PodmanEvent, ...] = ()
    lost: bool = False
    """There was more than is read at once, or a part was gone: anything may have happened."""


class Reader(Protocol):
    """One place of Podman's events, with a bookmark."""

    async def mark(self) -> None:
        """Put the bookmark at the end: what happened so far is not news. Raises Retry."""

    async def read(self) -> News:
        """Read what is new since the bookmark, and move it. Raises Retry if that cannot be."""


class JournalReader:
    """The user's journal; the bookmark is a cursor."""

    def __init__(self) -> None:
        self._cursor = ""

    async def mark(self) -> None:
        """Begin after the newest entry."""
        lines = (await self._journalctl("--lines=1", "--output-fields=_PID")).splitlines()
        self._cursor = _cursor_of(lines[-1]) if lines else ""

    async def read(self) -> News:
        """Read the entries after the cursor; from the first one on if there was none."""
        after = (f"--after-cursor={self._cursor}",) if self._cursor else ()
        try:
            output = await self._journalctl(f"--output-fields={_FIELDS}", *after, *_MATCHES)
        except OutputLimit:
            await self.mark()
            return News(lost=True)
        lines = output.splitlines()
        if lines:
            self._cursor = _cursor_of(lines[-1]) or self._cursor
        return News(tuple(event for line in lines if (event := from_journal(line))))

    @staticmethod
    async def _journalctl(*arguments: str) -> bytes:
        argv = ("journalctl", "--user", "--quiet", "--no-pager", "--output=json", *arguments)
        try:
            done = await run(argv, timeout_seconds=_TIMEOUT_SECONDS, output_limit=_MOST_BYTES)
        except OutputLimit:
            raise
        except (ProcessError, OSError) as error:
            raise Retry(f"cannot read the journal: {error}") from error
        if done.code:
            words = done.errors.strip().splitlines()
            raise Retry(f"cannot read the journal: {words[-1] if words else done.code}")
        return done.output


class FileReader:
    """Podman's `events.log`; the bookmark is a place in one file, and the line before it.

    Podman rotates it by writing the newer half of the lines to a new file: there, reading goes on
    behind the line that was read last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._last = b""

    async def mark(self) -> None:
        """Begin at the end of the file."""
        self._inode, self._offset, self._last = 0, 0, b""
        self._take()

    async def read(self) -> News:
        """Read the whole lines behind the bookmark; what has no end yet is left for later."""
        text, lost = self._take()
        return News(tuple(event for line in text.splitlines() if (event := from_file(line))), lost)

    def _take(self) -> tuple[bytes, bool]:
        try:
            with self._path.open("rb") as file:
                state = os.fstat(file.fileno())
                if not self._is_the_same(file, state.st_ino):
                    file.seek(0)
                    self._go_behind_last(file.read(_MOST_BYTES))
                    self._inode = state.st_ino
                lost = state.st_size - self._offset > _MOST_BYTES
                if lost:
                    self._offset = state.st_size - _MOST_BYTES
                file.seek(self._offset)
                text = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return b"", False
        except OSError as error:
            raise Retry(f"cannot read {self._path}: {error.strerror}") from error
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        if text:
            self._last = text[text.rfind(b"\n", 0, -1) + 1 :]
        return text, lost

    def _is_the_same(self, file: BinaryIO, inode: int) -> bool:
        """Whether the line that was read last is still where it was."""
        if inode != self._inode:
            return False
        file.seek(self._offset - len(self._last))
        return file.read(len(self._last)) == self._last

    def _go_behind_last(self, text: bytes) -> None:
        """Go on in a file that took the place of the one that was read."""
        at = text.rfind(self._last) if self._last else -1
        self._last = self._last if at >= 0 else b""
        self._offset = max(at, 0) + len(self._last)


class _Entry(msgspec.Struct, rename={"cursor": "__CURSOR"}):
    cursor: str = ""


def _cursor_of(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Entry).cursor
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
