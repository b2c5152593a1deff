import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor import __version__
from supervisor.adapters.host.checks import Machine
from supervisor.cli.commands import setup
from supervisor.cli.commands.setup import _Hands, _set_up
from supervisor.cli.daemon.client import Refused
from supervisor.cli.local.unit_file import service_text

FILES = (
    "sys/fs/cgroup/cgroup.controllers",
    "usr/lib/systemd/user-generators/podman-user-generator",
    "var/lib/systemd/linger/pi",
)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that only note how they were called; returns the notes."""
    notes = tmp_path / "notes"
    notes.touch()
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "loginctl", "podman", "newuidmap", "newgidmap"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{notes}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return notes


@pytest.fixture
def machine(tmp_path: Path, commands: Path) -> Machine:
    root = tmp_path / "root"
    for path in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "etc").mkdir()
    for kind in ("subuid", "subgid"):
        (root / "etc" / kind).write_text("pi:1:2\n")

    class Reached(Machine):
        def user_manager(self) -> None:
            return None

    answers = {"podman --version": "podman version 5.4.2\n", "systemctl --version": "systemd 257\n"}
    return Reached(
        root=root,
        user_id=1000,
        user="pi",
        path=str(tmp_path / "bin"),
        ask=lambda *words: answers.get(" ".join(words), ""),
    )


def runs_as(daemon: Any, version: str, *, started_at: float) -> None:
    """It was started anew each time that it is asked, as far as it says."""
    starts = itertools.count(int(started_at))
    daemon.answer(
        "/v1/status",
        lambda: {"running": True, "version": version, "started_at": next(starts)},
    )
    daemon.answer("/v1/reload", {"ok": True})


@pytest.fixture
def daemon_answers(daemon: Any) -> None:
    """One that runs, and is as new as what is installed."""
    runs_as(daemon, __version__, started_at=1e12)


CONFIG = "podvisor/config.toml"


def test_sets_everything_up_and_says_it(  # noqa: PLR0917
    machine: Machine,
    commands: Path,
    home: Path,
    daemon: Any,
    daemon_answers: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = home / "config" / CONFIG
    assert _set_up(machine, _Hands(dry_run=False), str(config)) == 0
    said = capfd.readouterr().out
    ran = commands.read_text().splitlines()
    assert ran == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now podman.socket",
        "systemctl --user enable --now --no-block podvisor.service",
    ]
    for command in ran:
        assert f"$ {command}\n" in said
    # Asked itself, it need not have ended its start.
    assert " reload\n✓ the settings were read anew\n" in said
    assert daemon.asked[-2].target == "/v1/reload"
    assert "✓ Podman 5.4.2 with its Quadlet generator" in said
    assert "podvisor runs." in said
    assert config.exists()
    unit = home / "config/systemd/user/podvisor.service"
    assert unit.read_text().count("ExecStart=") == 1
    assert "--config" not in unit.read_text()

    # Again: nothing is new, so nothing is restarted.
    commands.write_text("")
    config.write_text("[sources.a]\ngit = 'http://example.org/a'\n")
    assert _set_up(machine, _Hands(dry_run=False), str(config)) == 0
    assert "try-restart" not in commands.read_text()
    said = capfd.readouterr().out
    assert "write" not in said
    assert "! ~/config/podvisor/config.toml:2: “http://example.org/a” is not encrypted" in said

    # A unit that an older podvisor wrote is renewed, and what runs by it restarted.
    unit.write_text("old")
    assert _set_up(machine, _Hands(dry_run=False), str(config)) == 0
    assert unit.read_text() != "old"
    assert commands.read_text().splitlines()[-1] == (
        "systemctl --user try-restart --no-block podvisor.service"
    )


@pytest.mark.parametrize(
    ("version", "started_at", "expected"),
    [
        (__version__, 1e12, "reload"),
        ("0.0.1", 1e12, "restart"),
        (__version__, 1.0, "restart"),
    ],
    ids=["same", "older version", "older files"],
)
def test_a_daemon_that_runs_takes_up_what_is_new(  # noqa: PLR0917
    machine: Machine,
    commands: Path,
    home: Path,
    daemon: Any,
    version: str,
    started_at: float,
    expected: str,
) -> None:
    runs_as(daemon, version, started_at=started_at)
    config = str(home / "config" / CONFIG)
    assert _set_up(machine, _Hands(dry_run=False), config) == 0
    restarted = "try-restart --no-block podvisor.service\n" in commands.read_text()
    reloaded = any(one.target == "/v1/reload" for one in daemon.asked)
    assert (restarted, reloaded) == (expected == "restart", expected == "reload")


def test_settings_that_the_daemon_refuses_stop_it(
    machine: Machine, commands: Path, home: Path, daemon: Any, daemon_answers: None
) -> None:
    daemon.answer("/v1/reload", {"ok": False, "findings": [{"message": "no"}]})
    with pytest.raises(Refused, match="cannot have podvisor read its settings anew"):
        _set_up(machine, _Hands(dry_run=False), str(home / "config" / CONFIG))


def test_enables_lingering_where_it_is_not(
    machine: Machine, commands: Path, home: Path, daemon_answers: None, tmp_path: Path
) -> None:
    (tmp_path / "root/var/lib/systemd/linger/pi").unlink()
    assert _set_up(machine, _Hands(dry_run=False), str(home / "elsewhere.toml")) == 0
    assert commands.read_text().splitlines()[0] == "loginctl enable-linger"
    unit = (home / "config/systemd/user/podvisor.service").read_text()
    assert f" --config {home}/elsewhere.toml run\n" in unit


def test_a_dry_run_does_nothing(
    machine: Machine, commands: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(home.rglob("*"))
    assert _set_up(machine, _Hands(dry_run=True), str(home / "config" / CONFIG)) == 0
    assert commands.read_text() == ""
    assert sorted(home.rglob("*")) == before
    assert "What would be done" in capsys.readouterr().out


def test_what_needs_root_is_only_said(
    machine: Machine, commands: Path, home: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "root/etc/subuid").unlink()
    (tmp_path / "bin/podman").unlink()
    with pytest.raises(Refused, match="needs you, or root"):
        _set_up(machine, _Hands(dry_run=False), str(home / "config" / CONFIG))
    said = capsys.readouterr().out
    assert "✗ podman is not installed\n    sudo apt install podman" in said
    assert "✗ pi has no subordinate ids in /etc/subuid" in said
    assert commands.read_text() == ""


def test_refused_settings_stop_it(machine: Machine, commands: Path, home: Path) -> None:
    config = home / "bad.toml"
    config.write_text("[x]\n")
    with pytest.raises(Refused, match="the settings are refused"):
        _set_up(machine, _Hands(dry_run=False), str(config))
    assert commands.read_text() == ""


def test_a_command_that_fails_stops_it(
    machine: Machine, home: Path, tmp_path: Path, commands: Path
) -> None:
    (tmp_path / "bin/systemctl").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Refused, match="cannot reach the systemd of this user"):
        _set_up(machine, _Hands(dry_run=False), str(home / "config" / CONFIG))


def test_a_daemon_that_does_not_come_up_is_said(
    machine: Machine, home: Path, monkeypatch: pytest.MonkeyPatch, commands: Path
) -> None:
    monkeypatch.setattr(setup, "_SOCKET_PATIENCE_SECONDS", 0.0)
    with pytest.raises(Refused, match="does not answer") as raised:
        _set_up(machine, _Hands(dry_run=False), str(home / "config" / CONFIG))
    assert "journalctl --user -u podvisor.service" in raised.value.hint


def test_undo(podvisor: Callable[..., Any], commands: Path, home: Path) -> None:
    unit = home / "config/systemd/user/podvisor.service"
    assert "Nothing: there is no ~/config" in podvisor("setup", "--undo").out
    unit.parent.mkdir(parents=True)
    unit.touch()
    assert podvisor("setup", "--undo", "--dry-run").code == 0
    assert unit.exists()
    said = podvisor("setup", "--undo")
    assert said.code == 0
    assert not unit.exists()
    assert commands.read_text().splitlines() == [
        "systemctl --user disable --now podvisor.service",
        "systemctl --user daemon-reload",
    ]
    assert "What it deployed keeps running" in said.out
    assert "replicas" not in said.out


@pytest.mark.parametrize("file", ["shop@.container", "shop@.container.d/number.conf"])
def test_undo_names_the_apps_that_no_boot_starts(
    podvisor: Callable[..., Any], commands: Path, home: Path, file: str
) -> None:
    own = home / "config/containers/systemd/podvisor"
    for path, text in {
        f"shop/web/{file}": "[X-Podvisor]\nReplicas=3\n",
        "blog/blog@.container": "[Container]\nImage=x\n# Replicas=3\n",
        "blog/Replicas@.txt": "Replicas=3\n",
    }.items():
        (own / path).parent.mkdir(parents=True, exist_ok=True)
        (own / path).write_text(text)
    unit = home / "config/systemd/user/podvisor.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    assert "! but for replicas (shop): podvisor starts these" in podvisor("setup", "--undo").out


class TestServiceText:
    def test_newer_systemd_gets_what_it_knows(self) -> None:
        new = service_text(["/usr/bin/podvisor"], systemd_version=257)
        assert "\nExecStart=/usr/bin/podvisor run\n" in new
        assert "\nExecReload=/usr/bin/podvisor reload\n" in new
        assert '\nEnvironment=PYTHONOPTIMIZE=2 "PYTHONPYCACHEPREFIX=%C/podvisor/python"\n' in new
        assert "\nRestartSteps=8\nRestartMaxDelaySec=5min\n" in new
        old = service_text(["/usr/bin/podvisor"], systemd_version=252)
        assert "RestartSteps" not in old

    def test_odd_paths_are_quoted(self) -> None:
        text = service_text(["/o pt/100%/$x", 'a"b'], systemd_version=0)
        assert 'ExecStart="/o pt/100%%/$$x" "a\\"b" run\n' in text


class TestPage:
    UNITS = ("podvisor-web.service", "podvisor-web.socket")

    @pytest.fixture
    def folder(self, home: Path) -> Path:
        return home / "config/systemd/user"

    def set_up(self, machine: Machine, home: Path, text: str) -> None:
        config = home / "config" / CONFIG
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(text)
        assert _set_up(machine, _Hands(dry_run=False), str(config)) == 0

    def test_comes_and_goes_with_the_settings(
        self, machine: Machine, commands: Path, home: Path, folder: Path, daemon_answers: None
    ) -> None:
        self.set_up(machine, home, "[web]\nlisten = '127.0.0.1:9079'\nhosts = ['a.example']\n")
        socket, service = ((folder / name).read_text() for name in self.UNITS[::-1])
        assert "ListenStream=127.0.0.1:9079\n" in socket
        assert " -m supervisor web --idle 300 --host a.example\n" in service
        ran = commands.read_text().splitlines()
        assert "systemctl --user enable --now podvisor-web.socket" in ran
        assert ran.index("systemctl --user daemon-reload") < ran.index(
            "systemctl --user enable --now podvisor-web.socket"
        )

        commands.write_text("")
        self.set_up(machine, home, "[web]\nlisten = '127.0.0.1:9079'\nhosts = ['a.example']\n")
        assert "stop podvisor-web" not in commands.read_text()

        self.set_up(machine, home, "")
        assert "disable --now podvisor-web.socket" in commands.read_text()
        assert [name for name in self.UNITS if (folder / name).exists()] == []

    @pytest.mark.parametrize("possible", [True, False])
    def test_is_locked_in_where_systemd_can(
        self, home: Path, folder: Path, machine: Machine, daemon_answers: None, *, possible: bool
    ) -> None:
        machine.can_isolate = lambda: possible  # type: ignore[method-assign]
        self.set_up(machine, home, "[web]\nlisten = '/run/user/1000/page.sock'\n")
        text = (folder / "podvisor-web.service").read_text()
        assert ("PrivateNetwork=yes" in text) is possible
        assert "NoNewPrivileges=yes" in text
        assert (
            "ListenStream=/run/user/1000/page.sock" in (folder / "podvisor-web.socket").read_text()
        )
