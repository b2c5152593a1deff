"""The Systemd port against a real `systemd --user`: states, jobs, unit files, the watch."""

from pathlib import Path

from conftest import User

SCRIPT = Path(__file__).parent / "contracts" / "systemd.py"


def test_systemd(user: User) -> None:
    user.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-"), input=SCRIPT.read_text(), timeout=900
    )
