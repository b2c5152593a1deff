"""`metrics`, at a daemon that answers what it is told to, and without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.cli import codes
from supervisor.model.counters import Metrics
from supervisor.model.status import AppState, AppStatus, Status
from tests.cli.test_json_schema import fits

Podvisor = Callable[..., Any]


@pytest.fixture
def telling(daemon: Any) -> Any:
    web = AppStatus(name="web", source="", state=AppState.READY)
    metrics = Metrics(status=Status(running=True, version="1", apps=(web,)))
    daemon.answer("/v1/metrics", msgspec.to_builtins(metrics))
    return daemon


@pytest.mark.usefixtures("telling")
def test_are_written(podvisor: Podvisor) -> None:
    said = podvisor("metrics")
    assert said.code == codes.OK
    assert 'podvisor_app_state{app="web",state="ready"} 1.0' in said.out.splitlines()


@pytest.mark.usefixtures("telling")
def test_for_programs(podvisor: Podvisor, tmp_path: Path) -> None:
    told = json.loads(podvisor("metrics", "--json").out)
    fits(told, "metrics")
    assert told["status"]["apps"][0]["name"] == "web"
    file = tmp_path / "metrics.json"
    assert podvisor("metrics", "--json", "--output", str(file)).out == ""
    assert json.loads(file.read_text()) == told


def test_without_a_daemon(podvisor: Podvisor) -> None:
    said = podvisor("metrics")
    assert said.code == codes.NOT_RUNNING
    assert "podvisor_up 0.0" in said.out.splitlines()
    said = podvisor("metrics", "--json")
    fits(json.loads(said.out), "metrics")
    assert (said.code, json.loads(said.out)["status"]["running"]) == (codes.NOT_RUNNING, False)


@pytest.mark.usefixtures("telling")
def test_a_file_for_other_users_to_read(podvisor: Podvisor, tmp_path: Path) -> None:
    file = tmp_path / "podvisor.prom"
    said = podvisor("metrics", "--output", str(file))
    assert (said.code, said.out) == (codes.OK, "")
    assert "podvisor_up 1.0" in file.read_text().splitlines()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.glob("*.prom*")] == ["podvisor.prom"]


@pytest.mark.usefixtures("telling")
def test_a_file_that_cannot_be_written(podvisor: Podvisor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = podvisor("metrics", "--output", f"{tmp_path}/file/podvisor.prom")
    assert said.code == codes.ERROR
    assert "cannot write" in said.err
