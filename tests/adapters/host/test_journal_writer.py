import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.adapters.host.journal_writer import JournalWriter
from supervisor.model.events import Event, EventKind


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def writer(journal: socket.socket) -> Iterator[JournalWriter]:
    with closing(JournalWriter(journal.getsockname())) as one:
        yield one


def fields(content: bytes) -> dict[str, str]:
    """As the journal reads an entry of its native protocol."""
    found = {}
    while content:
        name, _, rest = content.partition(b"\n")
        (length,) = struct.unpack("<Q", rest[:8])
        found[name.decode()] = rest[8 : 8 + length].decode()
        assert rest[8 + length : 9 + length] == b"\n"
        content = rest[9 + length :]
    return found


def test_an_entry_with_fields_to_match(journal: socket.socket, writer: JournalWriter) -> None:
    event = Event(
        id=7,
        time=1.0,
        kind=EventKind.STEP,
        ok=False,
        app="web",
        unit="web.service",
        step="restart",
        reason="a=b\nPRIORITY=0",
        by="anna (page)",
        detail="exit status 1\nnot found",
    )
    writer.write(event)
    assert fields(journal.recv(1 << 20)) == {
        "MESSAGE": "failed: restart web/web.service: a=b\nPRIORITY=0 (by anna (page))\n"
        "exit status 1\nnot found",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "podvisor",
        "PODVISOR_EVENT": "step",
        "PODVISOR_ID": "7",
        "PODVISOR_OK": "0",
        "PODVISOR_APP": "web",
        "PODVISOR_UNIT": "web.service",
        "PODVISOR_STEP": "restart",
        "PODVISOR_BY": "anna (page)",
    }


def test_what_is_short_is_one_line(journal: socket.socket, writer: JournalWriter) -> None:
    writer.write(Event(id=1, kind=EventKind.REVISION, source="home", reason="a push"))
    assert fields(journal.recv(1 << 20))["MESSAGE"] == "revision home: a push"


def test_whose_commit_it_is_cannot_pass_for_who_ordered_it(
    journal: socket.socket, writer: JournalWriter
) -> None:
    author = "Ann”) (by root (page)"
    writer.write(Event(id=1, kind=EventKind.REVISION, source="home", reason="x", author=author))
    said = fields(journal.recv(1 << 20))
    assert said["MESSAGE"] == 'revision home: x (author “Ann") (by root (page)”)'
    assert said["PODVISOR_AUTHOR"] == author
    assert "PODVISOR_BY" not in said


def test_a_journal_that_is_behind(journal: socket.socket, writer: JournalWriter) -> None:
    for _ in range(1_000):
        writer.write(Event(id=1, kind=EventKind.STARTED, detail="x" * 1_000_000))
    assert len(fields(journal.recv(1 << 20))["MESSAGE"]) < 20_000


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    with closing(JournalWriter(str(tmp_path / "none"))) as writer:
        writer.write(Event(id=1, kind=EventKind.STARTED))


def test_only_where_systemd_says_so() -> None:
    assert JournalWriter.of_service({}) is None
    writer = JournalWriter.of_service({"JOURNAL_STREAM": "8:1"})
    assert writer is not None
    writer.close()
