"""Writes the event log to the journal too, with fields that `journalctl` can match.

Protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. Writing is never worth failing for, nor
waiting for: the ledger has it all.
"""

import os
import socket
import struct
from collections.abc import Mapping

from supervisor.kit.texts import quoted
from supervisor.model.events import Event

_SOCKET = "/run/systemd/journal/socket"
_NOTICE, _WARNING = "5", "4"
_LONGEST = 16 << 10
"""Bytes of a field."""


class JournalWriter:
    """One end of the journal's socket."""

    def __init__(self, path: str = _SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)

    @classmethod
    def of_service(cls, environ: Mapping[str, str] = os.environ) -> "JournalWriter | None":
        """Return one where systemd has connected what is logged with the journal."""
        return cls() if environ.get("JOURNAL_STREAM") else None

    def write(self, event: Event) -> None:
        """Write an entry of the event log."""
        fields = {
            "MESSAGE": _sentence(event),
            "PRIORITY": _NOTICE if event.ok else _WARNING,
            "SYSLOG_IDENTIFIER": "podvisor",
            "PODVISOR_EVENT": event.kind,
            "PODVISOR_ID": str(event.id),
            "PODVISOR_OK": "1" if event.ok else "0",
            "PODVISOR_APP": event.app,
            "PODVISOR_UNIT": event.unit,
            "PODVISOR_SOURCE": event.source,
            "PODVISOR_REVISION": event.revision,
            "PODVISOR_STEP": event.step,
            "PODVISOR_SUBJECT": event.subject,
            "PODVISOR_AUTHOR": event.author,
            "PODVISOR_BY": event.by,
        }
        content = b"".join(_field(name, value) for name, value in fields.items() if value)
        try:
            self._socket.sendto(content, self._path)
        except OSError:
            return  # no journal, or one that is behind

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def _sentence(event: Event) -> str:
    """Say it in a line, and what else helps below."""
    things = (event.app, event.unit or event.subject)
    about = "/".join(filter(None, things)) or event.source
    line = " ".join(filter(None, (event.step or event.kind, about)))
    if not event.ok:
        line = f"failed: {line}"
    if event.reason:
        line = f"{line}: {event.reason}"
    if event.author:
        line = f"{line} (author {quoted(event.author)})"
    if event.by:
        line = f"{line} (by {event.by})"
    return f"{line}\n{event.detail}" if event.detail else line


def _field(name: str, value: str) -> bytes:
    """Write one; with its length before it, since it may hold anything."""
    content = value.encode(errors="replace")[:_LONGEST]
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(content)), content)
