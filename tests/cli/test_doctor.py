"""`podvisor doctor`, with programs of our own in the place of Podman and systemd."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.adapters.host.check_costs import measure
from supervisor.cli.commands.doctor import _show
from supervisor.core.measure.healthcheck_cost import diagnose
from supervisor.model.doctor import CheckCost
from supervisor.model.errors import Finding, Stalled

PODMAN = """\
#!/bin/sh
case "$1" in
ps) echo aaa; echo bbb;;
inspect) cat "{folder}/inspected.json";;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >> "{folder}/log"
case "$*" in
*CPUUsageNSec*) echo 80000000;;
*SourcePath*) echo /home/pi/.config/containers/systemd/podvisor/web/web.container;;
esac
"""
SYSTEMD_RUN = """\
#!/bin/sh
echo "systemd-run $*" >> "{folder}/log"
"""
CONTAINERS = [
    {
        "Id": "aaa",
        "Name": "systemd-web",
        "State": {"CgroupPath": "/no/such.service/libpod-payload-aaa"},
        "Config": {
            "Labels": {"PODMAN_SYSTEMD_UNIT": "web.service"},
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000},
        },
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "1/udp": None}
        },
    },
    {"Id": "bbb", "Name": "no-check", "Config": {"Healthcheck": {"Test": ["NONE"]}}},
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "podman": PODMAN,
        "systemctl": SYSTEMCTL,
        "systemd-run": SYSTEMD_RUN,
    }.items():
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "inspected.json").write_text(json.dumps(CONTAINERS))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_each_check_is_run_and_measured(programs: Path) -> None:
    told: list[str] = []
    (cost,) = measure(runs=2, tell=told.append)
    assert cost == CheckCost(
        container="systemd-web",
        unit="web.service",
        path="/home/pi/.config/containers/systemd/podvisor/web/web.container",
        managed=True,
        interval=30.0,
        cpu_ms=(80.0, 80.0),
        command=("true",),
        ports={"80/tcp": 8080},
    )
    assert told == ["systemd-web"]
    log = (programs / "log").read_text()
    assert log.count("podman healthcheck run aaa") == 2
    assert log.count(" stop podvisor-doctor-") == 2


def test_a_podman_that_fails_is_told_of(programs: Path) -> None:
    (programs / "podman").write_text("#!/bin/sh\necho 'no such thing' >&2\nexit 125\n")
    with pytest.raises(Stalled, match="cannot ask Podman for its containers: no such thing"):
        list(measure(runs=1, tell=str))


def test_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/home/pi/.config/containers/systemd/podvisor/web/web.container"
    costs = [
        CheckCost(
            container="systemd-web",
            unit="web.service",
            path=path,
            managed=True,
            interval=5.0,
            cpu_ms=(100.0,),
            ports={"80/tcp": 8080},
        )
    ]
    _show(diagnose(costs, [Finding(message="no lingering", fatal=False)]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "! no lingering"
    assert lines[2].split() == [
        "systemd-web",
        "every",
        "5s",
        "100",
        "ms",
        "1200",
        "ms/min",
        "2.00",
        "%",
    ]
    assert "1 health check: 1200 ms of CPU a minute, 2.00 % of a core." in lines
    assert "  in web.container of the app web, in its source  saves 1180 ms/min" in lines
    assert "    HealthIdleInterval=5m" in lines


def test_without_checks(capsys: pytest.CaptureFixture[str]) -> None:
    _show(diagnose([], ()))
    assert capsys.readouterr().out == "No running container of yours has a health check.\n"


def test_what_is_missing_comes_first(
    podvisor: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = podvisor("doctor")
    assert said.code == 1  # type: ignore[attr-defined]
    assert "podman is not installed" in said.out  # type: ignore[attr-defined]
