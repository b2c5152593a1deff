from pathlib import Path

import pytest

from supervisor.cli.daemon import places
from supervisor.client import place
from supervisor.wiring.environment import Paths


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
    assert str(paths.socket) == place.control_socket()
    assert str(paths.user_units / "podvisor.service") == places.unit_file()
    assert str(paths.quadlets / "podvisor") == places.quadlet_folder()


def test_home_is_written_short(home: Path) -> None:
    assert places.shown(f"{home}/a") == "~/a"
    assert places.shown("/etc/a") == "/etc/a"


@pytest.mark.parametrize("page", ["README.md", "how-to/get-told-of-pushes.md"])
def test_pages_of_the_documentation_are_there(page: str) -> None:
    url = places.docs(page)
    assert url.startswith("file:///")
    assert Path(url.removeprefix("file://").replace("%20", " ")).read_text().startswith("# ")


def test_a_page_that_is_not_installed_is_named() -> None:
    assert places.docs("how-to/x.md") == "docs/how-to/x.md of podvisor's repository"
