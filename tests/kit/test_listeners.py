"""Who has a port, on this very machine."""

import socket
from pathlib import Path

import pytest

from supervisor.kit.listeners import port_holder


@pytest.mark.parametrize(
    ("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")]
)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_names_the_process_that_listens(family: int, kind: int, protocol: str) -> None:
    with socket.socket(family, kind) as server:
        try:
            server.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        except OSError:
            pytest.skip("this machine has no such addresses")
        port = server.getsockname()[1]
        if protocol == "tcp":
            server.listen()
        name = Path("/proc/self/comm").read_text().strip()
        for asked in (protocol, ""):
            assert name in port_holder(port, asked)
    assert port_holder(port, protocol) == ""


def test_of_others_the_user_is_named(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
        "        0 4242 1 0000000000000000 100 0 0 10 0\n"
    )
    (tmp_path / "1/fd").mkdir(parents=True)
    assert port_holder(80, "tcp", proc=tmp_path) == "a process of root"
    assert port_holder(81, "tcp", proc=tmp_path) == ""
    (tmp_path / "1/fd/3").symlink_to("socket:[4242]")
    (tmp_path / "1/comm").write_text("caddy\n")
    for group, expected in (
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/payload",
            "web.service (caddy)",
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/session.scope", "caddy (process 1)"),
        ("0::/", "caddy (process 1)"),
    ):
        (tmp_path / "1/cgroup").write_text(group + "\n")
        assert port_holder(80, "tcp", proc=tmp_path) == expected
