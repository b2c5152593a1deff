from pathlib import Path

import pytest

from supervisor.cli import places
from supervisor.wiring import Paths


@pytest.mark.parametrize("said", [True, False])
def test_the_daemon_looks_in_the_same_places(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, said: bool
) -> None:
    if not said:
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.delenv("XDG_STATE_HOME")
    paths = Paths.from_environment()
    assert str(paths.config) == places.config_file()
    assert str(paths.ledger) == places.ledger_file()
    assert str(paths.socket) == places.control_socket()
    assert str(paths.user_units / "podvisor.service") == places.unit_file()
    assert str(paths.quadlets / "podvisor") == places.quadlet_folder()


def test_home_is_written_short(home: Path) -> None:
    assert places.shown(f"{home}/a") == "~/a"
    assert places.shown("/etc/a") == "/etc/a"
