import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.kit.sd_notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@podvisor-{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address.replace("@", "\0", 1))
        server.settimeout(0)
        yield server, address


def test_says_each_thing_as_systemd_wants_it(listener: tuple[socket.socket, str]) -> None:
    server, address = listener
    notifier = Notifier.take({"NOTIFY_SOCKET": address})
    assert notifier

    notifier.ready("3 apps\nready")
    assert server.recv(4096) == b"READY=1\nSTATUS=3 apps ready"
    notifier.status("at rest")
    assert server.recv(4096) == b"STATUS=at rest"
    notifier.watchdog()
    assert server.recv(4096) == b"WATCHDOG=1"
    notifier.reloading()
    first, second = server.recv(4096).decode().splitlines()
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert int(second.partition("=")[2]) > 0
    notifier.extend_timeout(1.5)
    assert server.recv(4096) == b"EXTEND_TIMEOUT_USEC=1500000"
    notifier.stopping()
    assert server.recv(4096) == b"STOPPING=1"
    notifier.close()


def test_what_systemd_knows_already_is_not_said_again(
    listener: tuple[socket.socket, str],
) -> None:
    server, address = listener
    notifier = Notifier(address)
    notifier.ready("3 apps")
    notifier.status("3 apps")
    notifier.status("2 apps")
    notifier.status("2 apps")
    notifier.status("3 apps")
    told = [server.recv(4096) for _ in range(3)]
    assert told == [b"READY=1\nSTATUS=3 apps", b"STATUS=2 apps", b"STATUS=3 apps"]
    with pytest.raises(BlockingIOError):
        server.recv(4096)
    notifier.close()


def test_without_a_socket_nothing_happens() -> None:
    notifier = Notifier.take({})
    assert not notifier
    notifier.ready()
    notifier.stopping()


def test_a_listener_that_is_gone_or_deaf_is_not_waited_for(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "gone"))
        for number in range(1_000):
            notifier.status(f"on and on {number}")
    notifier.close()


def test_takes_the_variables_away_from_children() -> None:
    environ = {
        "NOTIFY_SOCKET": "@x",
        "WATCHDOG_USEC": "300000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    assert Notifier.take(environ).watchdog_seconds == 300
    assert environ == {"HOME": "/"}


def test_another_process_watchdog_is_not_ours() -> None:
    assert Notifier.take({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_seconds == 0
    assert Notifier.take({"WATCHDOG_USEC": "soon"}).watchdog_seconds == 0
