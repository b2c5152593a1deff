"""`podvisor doctor`, with programs of our own in the place of Podman and systemd."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor import __version__
from supervisor.adapters.host.check_costs import measure
from supervisor.cli.local.doctor_run import mend_all
from supervisor.cli.show.doctor_view import show, show_costs
from supervisor.core.measure.healthcheck_cost import weigh
from supervisor.model.doctor import CheckCost, Diagnosis, Examined, Group, Severity
from supervisor.model.errors import Stalled

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


def test_what_checks_cost(capsys: pytest.CaptureFixture[str]) -> None:
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
    show_costs(weigh(costs))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [
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
    show_costs(weigh([]))
    assert capsys.readouterr().out == "No running container of yours has a health check.\n"


def one(severity: Severity, seen: str, **more: Any) -> Examined:
    fields = {"code": "lingering", "group": Group.ACCOUNT, **more}
    return Examined(severity=severity, seen=seen, **fields)  # type: ignore[arg-type]


FOUND = Diagnosis(
    version="0.1.0",
    running=False,
    checks=(
        one(Severity.ERROR, "no socket", why="it is asked", commands=("systemctl enable x",)),
        one(Severity.WARNING, "no lingering", advice="mend it", commands=("true",), fixable=True),
        one(Severity.INFO, "old systemd", why="not said", advice="newer ones are better"),
        one(Severity.UNKNOWN, "no daemon answers", code="apps"),
        one(Severity.UNKNOWN, "no daemon answers", code="sources"),
        one(Severity.OK, "the time is right", code="time", group=Group.MACHINE),
        one(Severity.OK, "the disk is empty", code="disk", group=Group.MACHINE),
    ),
)


def test_what_is_wrong_comes_first_and_what_is_in_order_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(FOUND, verbose=False)
    assert capsys.readouterr().out.splitlines() == [
        "✗ no socket  [lingering]",
        "  it is asked",
        "    systemctl enable x",
        "! no lingering  [lingering]",
        "    true",
        "  mend it",
        "· old systemd  [lingering]",
        "  newer ones are better",
        "? cannot tell: no daemon answers  [apps, sources]",
        "✓ 2 checks found all in order  (-v lists what is in order)",
        "podvisor doctor --fix mends 1 of what is wrong; it asks first.",
    ]
    show(FOUND, verbose=True)
    assert "✓   machine  the time is right" in capsys.readouterr().out


def test_what_cannot_be_known_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    show(msgspec.structs.replace(FOUND, checks=FOUND.checks[3:]), verbose=False)
    assert "✓ nothing is wrong: 2 checks found all in order" in capsys.readouterr().out


def test_it_runs_anywhere_and_says_what_is_missing(
    podvisor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = podvisor("doctor")
    assert said.code == 1
    assert "✗ podvisor is not a service of this user yet  [service]" in said.out
    assert "podman is not installed" in said.out
    found = msgspec.json.decode(podvisor("doctor", "--json").out, type=Diagnosis)
    assert not found.running
    order = [list(Severity).index(one.severity) for one in found.checks]
    assert order == sorted(order), "the worst first"


def test_it_asks_the_daemon(
    podvisor: Callable[..., Any],
    daemon: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    home: Path,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (home / "config/systemd/user").mkdir(parents=True)
    (home / "config/systemd/user/podvisor.service").touch()
    daemon.answer("/v1/status", {"running": True, "version": "0.0.1", "started_at": 1.0})
    daemon.answer("/v1/images", {"images": [{"image": "docker.io/library/nginx:1"}]})
    daemon.answer("/v1/secrets", {"detail": "busy"}, status=503)
    daemon.answer("/v1/certificates", [])
    daemon.answer("/v1/notify", {})
    checks = {one["code"]: one for one in json.loads(podvisor("doctor", "--json").out)["checks"]}
    assert "podvisor 0.0.1 runs, and " in checks["daemon-version"]["seen"]
    assert "nginx:1" in checks["image-policies"]["seen"]
    assert checks["secrets"]["severity"] == checks["certificates"]["severity"] == "unknown"
    assert checks["apps"]["severity"] == "ok"


SYSTEMCTL_RESTARTS = """\
#!/bin/sh
echo "$*" >> "{folder}/log"
"""
RESTART = "--user restart --no-block podvisor.service"


@pytest.fixture
def old_daemon(daemon: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> Path:
    """One that a restart makes new; returns where the commands are written down."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL_RESTARTS.format(folder=tmp_path))
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    log = tmp_path / "log"

    def status() -> dict[str, Any]:
        restarted = log.exists() and RESTART in log.read_text()
        version = __version__ if restarted else "0.0.1"
        return {"running": True, "version": version, "started_at": 2e12 if restarted else 1e12}

    daemon.answer("/v1/status", status)
    for question in ("images", "secrets", "certificates", "notify"):
        daemon.answer(f"/v1/{question}", {})
    return log


def test_it_mends_what_is_safe_and_looks_again(
    podvisor: Callable[..., Any], old_daemon: Path
) -> None:
    said = podvisor("doctor", "--fix", "--yes", "-v")
    before, _, after = said.out.partition(f"  $ systemctl {RESTART}\n")
    assert f"    systemctl {RESTART}\n" in before, "shown before it is run"
    assert "what runs is what is installed" in after
    assert old_daemon.read_text().count("restart") == 1
    podvisor("doctor", "--fix", "--yes")
    assert old_daemon.read_text().count("restart") == 1, "it is mended"


def test_where_nobody_can_be_asked_nothing_is_mended(
    podvisor: Callable[..., Any], old_daemon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    said = podvisor("doctor", "--fix")
    assert (said.code, "say --yes" in said.err) == (64, True)
    assert podvisor("doctor", "--fix", "--json").code == 64
    assert not old_daemon.exists() or "restart" not in old_daemon.read_text()


def test_nothing_is_mended_without_a_yes(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    found = [
        one(Severity.WARNING, "one", commands=(f"touch {touched}",), fixable=True),
        one(Severity.WARNING, "the same", commands=(f"touch {touched}",), fixable=True),
        one(Severity.WARNING, "not safe", commands=("sudo false",)),
        one(Severity.WARNING, "refused", commands=("false", f"touch {touched}-2"), fixable=True),
        one(Severity.WARNING, "odd", commands=("podvisor-does-not-exist",), fixable=True),
    ]
    asked: list[bool] = []

    def no() -> bool:
        asked.append(False)
        return False

    assert mend_all(found, no) == set()
    assert len(asked) == 3, "each set of commands once"
    assert not touched.exists()
    assert mend_all(found, lambda: True) == {"lingering"}
    assert touched.exists()
    assert not Path(f"{touched}-2").exists(), "the first failed"
    said = capfd.readouterr().out
    assert "✗ it ended with 1" in said
    assert "podvisor-does-not-exist" in said
    assert "sudo false\n" not in said.partition("refused")[0]


def test_the_json_is_as_documented() -> None:
    plain = json.loads(msgspec.json.encode(FOUND.checks[1]))
    assert plain == {
        "code": "lingering",
        "group": "account",
        "severity": "warning",
        "seen": "no lingering",
        "advice": "mend it",
        "commands": ["true"],
        "fixable": True,
    }
