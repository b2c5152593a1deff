"""Sessions, as the page's process finds them again; and how systemd is asked to keep them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.web.memory import new_memory
from supervisor.web.sessions import SESSION_SECONDS, Sessions


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("sessions")
    yield descriptor
    os.close(descriptor)


def test_one_is_over_after_a_week_when_it_is_ended_and_with_another_token(memory: int) -> None:
    sessions = Sessions("a", memory)
    cookie = sessions.begin("anna", now=100.0)
    for one in (sessions, Sessions("a", memory)):
        assert one.name(cookie, now=100.0) == "anna"
        assert one.name(cookie, now=100.0 + SESSION_SECONDS) is None
        assert one.name("", now=100.0) is None
    assert Sessions("b", memory).name(cookie, now=100.0) is None
    sessions.end(cookie)
    for one in (sessions, Sessions("a", memory)):
        assert one.name(cookie, now=100.0) is None


def test_there_are_never_many(memory: int) -> None:
    sessions = Sessions("a", memory)
    cookies = [sessions.begin("x" * 60, now=float(number)) for number in range(300)]
    there = [one for one in cookies if Sessions("a", memory).name(one, now=300.0) is not None]
    assert there == cookies[-256:]
    assert os.fstat(memory).st_size < 64 << 10
    late = sessions.begin("anna", now=2.0 * SESSION_SECONDS)
    assert os.fstat(memory).st_size < 1_000
    assert sessions.name(late, now=2.0 * SESSION_SECONDS) == "anna"


def test_none_is_in_it_for_who_reads_it(memory: int) -> None:
    cookie = Sessions("a", memory).begin("anna", now=1.0)
    assert cookie.encode() not in os.pread(memory, 10_000, 0)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"owner":"a","sessions":{"x":1}}', b"\xff"])
def test_what_cannot_be_read_is_none_at_all(memory: int, text: bytes) -> None:
    os.pwrite(memory, text, 0)
    sessions = Sessions("a", memory)
    cookie = sessions.begin("anna", now=1.0)
    assert Sessions("a", memory).name(cookie, now=1.0) == "anna"


def test_systemd_is_handed_the_memory(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        memory = new_memory({"NOTIFY_SOCKET": address, "FDSTORE": "1"})
        assert memory is not None
        text, (kept,), _, _ = socket.recv_fds(systemd, 1_000, 2)
    assert text == b"FDSTORE=1\nFDNAME=sessions"
    cookie = Sessions("a", memory).begin("anna", now=1.0)
    os.close(memory)
    assert Sessions("a", kept).name(cookie, now=1.0) == "anna"
    os.close(kept)


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "/x"}, {"NOTIFY_SOCKET": "/none/x", "FDSTORE": "1"}]
)
def test_where_nobody_keeps_it_there_is_none(environment: dict[str, str]) -> None:
    assert new_memory(environment) is None
