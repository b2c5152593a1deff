"""The Podman port against a real Podman and registry."""

from pathlib import Path

from conftest import Registry, User

SCRIPT = Path(__file__).parent / "contracts" / "podman.py"


def test_podman(user: User, registry: Registry) -> None:
    user.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-"), input=SCRIPT.read_text(), timeout=900
    )
