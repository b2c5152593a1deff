"""What Podman's helpers write when a port cannot be had, as recorded of Podman 5.4 and 5.8."""

import pytest

from supervisor.core.status.port_trouble import refused_port_mend, taken_port

PASTA = "Error: pasta failed with exit code 1:\nFailed to bind port {} ({}) for option '-t 1-1:2-2'"
NEWER = "Error: pasta failed with exit code 1:\nListen failed for HOST {} port {}: {}"
ROOTLESSPORT = "Error: rootlessport listen tcp 0.0.0.0:8099: bind: address already in use"
PRIVILEGED = (
    "Error: rootlessport cannot expose privileged port 80, you can add"
    " 'net.ipv4.ip_unprivileged_port_start=80' to /etc/sysctl.conf (currently 1024), or choose a"
    " larger port number (>= 1024): listen tcp 0.0.0.0:80: bind: permission denied"
)


@pytest.mark.parametrize(
    ("text", "port", "protocol"),
    [
        (PASTA.format(8099, "Address already in use"), 8099, ""),
        (NEWER.format("TCP", "127.0.0.1/8099", "Address already in use"), 8099, "tcp"),
        (NEWER.format("UDP", "*/53", "Address already in use"), 53, "udp"),
        (ROOTLESSPORT, 8099, "tcp"),
        (ROOTLESSPORT.replace("tcp 0.0.0.0", "udp [::]"), 8099, "udp"),
    ],
)
def test_a_port_that_is_taken(text: str, port: int, protocol: str) -> None:
    found = taken_port(text)
    assert found is not None
    assert (found.port, found.protocol) == (port, protocol)
    assert not refused_port_mend(text)


@pytest.mark.parametrize(
    "text",
    [
        PASTA.format(80, "Permission denied"),
        NEWER.format("TCP", "*/80", "Permission denied"),
        PRIVILEGED,
    ],
)
def test_a_port_that_is_roots(text: str) -> None:
    assert "ip_unprivileged_port_start=80" in refused_port_mend(text)
    assert taken_port(text) is None


def test_anything_else() -> None:
    assert taken_port("Error: no such image") is None
    assert not refused_port_mend("listen tcp: Permission denied")
