"""The Host port on a real host: networks that come up, suspends."""

from pathlib import Path

from conftest import User

SCRIPT = Path(__file__).parent / "contracts" / "host.py"


def test_host(user: User) -> None:
    user.host.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-", str(user.uid)), input=SCRIPT.read_text()
    )
