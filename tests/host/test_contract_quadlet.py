"""The Generator port against the real generator: what is staged is what systemd will run."""

from pathlib import Path

from conftest import User

SCRIPT = Path(__file__).parent / "contracts" / "quadlet.py"


def test_generator(user: User) -> None:
    user.run("/opt/podvisor/bin/python", "-W", "error", "-", input=SCRIPT.read_text())
