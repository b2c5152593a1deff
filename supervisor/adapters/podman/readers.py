"""Reading what is new in Podman's event log: in the journal, or in a file.

A reader ends with what there is: at rest nothing is followed, no process is kept.
"""

import os
from pathlib import Path
from typing import ClassVar

import msgspec

from supervisor.adapters.podman.events import TYPES, as_object, from_file, from_journal
from supervisor.kit.process import OutputLimit, ProcessTimeout, run
from supervisor.model.errors import Retry
from supervisor.model.podman import PodmanEvent

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 2 << 20
"""That are read at once; whoever is further behind is told that anything may have happened."""
_ANYTHING = tuple(PodmanEvent(type=one) for one in sorted(TYPES))
_FIELDS = (
    "PODMAN_TYPE,PODMAN_EVENT,PODMAN_NAME,PODMAN_NETWORK_NAME,PODMAN_ID,PODMAN_LABELS"
    ",PODMAN_HEALTH_STATUS"
)
_MATCHES = (
    *("PODMAN_TYPE=container", "PODMAN_TYPE=pod", "PODMAN_EVENT=create", "PODMAN_EVENT=died"),
    *(
        "PODMAN_EVENT=remove",
        "PODMAN_EVENT=rename",
        "PODMAN_EVENT=restart",
        "PODMAN_EVENT=stop",
        "+",
    ),
    *("PODMAN_HEALTH_STATUS=unhealthy", "+"),
    *("PODMAN_TYPE=image", "PODMAN_TYPE=volume", "PODMAN_TYPE=network", "PODMAN_TYPE=secret"),
)
"""Left to journalctl, which has an index: the many health checks that went well are not read."""


class JournalReader(msgspec.Struct):
    """The user's journal; the bookmark is a cursor."""

    way: ClassVar = "journal"
    place: ClassVar = "the journal"
    cost: ClassVar = "one journalctl"
    _cursor: str = ""

    async def mark(self) -> None:
        """Put the bookmark behind the newest entry: it is not news. Raises Retry."""
        self._turn_to_last(await _journalctl("--lines=1", "--output-fields=_PID"))

    async def read(self) -> tuple[PodmanEvent, ...]:
        """Read what is new since the bookmark, and move it. Raises Retry if that cannot be."""
        after = (f"--after-cursor={self._cursor}",) if self._cursor else ()
        try:
            output = await _journalctl(f"--output-fields={_FIELDS}", *after, *_MATCHES)
        except OutputLimit:
            await self.mark()
            return _ANYTHING
        self._turn_to_last(output)
        return tuple(event for line in output.splitlines() if (event := from_journal(line)))

    def _turn_to_last(self, output: bytes) -> None:
        last = as_object(output.rstrip().rpartition(b"\n")[2])
        self._cursor = str(last.get("__CURSOR") or self._cursor)


class FileReader(msgspec.Struct):
    """Podman's `events.log`; the bookmark is the line that was read last, which holds its time.

    Podman rotates the file by writing the newer half of its lines, between two new ones, to
    another, usually when it has grown to 1 MB.
    """

    way: ClassVar = "file"
    cost: ClassVar = "the file is read"
    place: Path
    _last: bytes = b""

    async def mark(self) -> None:
        """Put the bookmark at the end: what happened so far is not news. Raises Retry."""
        self._last = b""
        await self.read()

    async def read(self) -> tuple[PodmanEvent, ...]:
        """Read the whole lines behind the bookmark, and move it. Raises Retry if that cannot be."""
        text, whole = self._end()
        if self._last and (at := text.rfind(self._last)) >= 0:
            text, whole = text[at + len(self._last) :], True
        if text:
            self._last = text[text.rfind(b"\n", 0, -1) + 1 :]
        events = tuple(event for line in text.splitlines() if (event := from_file(line)))
        return events if whole else (*_ANYTHING, *events)

    def _end(self) -> tuple[bytes, bool]:
        """Return the last whole lines, and whether these are all."""
        try:
            with self.place.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _MOST_BYTES))
                text = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return b"", True
        except OSError as error:
            raise Retry(f"cannot read {self.place}: {error.strerror}") from error
        return text[: text.rfind(b"\n") + 1], size <= _MOST_BYTES


Reader = JournalReader | FileReader


async def _journalctl(*arguments: str) -> bytes:
    """Run it. Raises Retry, or OutputLimit."""
    argv = ("journalctl", "--user", "--quiet", "--no-pager", "--output=json", *arguments)
    try:
        done = await run(argv, timeout_seconds=_TIMEOUT_SECONDS, output_limit=_MOST_BYTES)
    except (ProcessTimeout, OSError) as error:
        raise Retry(f"cannot read the journal: {error}") from error
    if done.code:
        words = done.errors.strip().splitlines()
        raise Retry(f"cannot read the journal: {words[-1] if words else done.code}")
    return done.output
