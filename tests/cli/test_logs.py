"""`logs`, at a journal and a daemon that answer what they are told to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.cli import codes
from supervisor.model.events import Event, EventKind
from supervisor.model.status import AppState, AppStatus, Status, UnitStatus

Podvisor = Callable[..., Any]


def entry(seconds: float, message: object, *, unit: str = "web.service", **more: object) -> str:
    """As `journalctl --output=json` writes one."""
    fields = {"__REALTIME_TIMESTAMP": str(int(seconds * 1_000_000)), "MESSAGE": message}
    return json.dumps({**fields, "_SYSTEMD_USER_UNIT": unit, "SYSLOG_IDENTIFIER": "web", **more})


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Have journalctl say these entries; returns where it notes how it was called."""

    def say(*entries: str, code: int = 0, error: str = "") -> Path:
        (tmp_path / "entries").write_text("".join(f"{one}\n" for one in entries))
        program = tmp_path / "bin/journalctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/called\n'
            f"cat {tmp_path}/entries\necho '{error}' >&2\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return tmp_path / "called"

    return say


@pytest.fixture
def telling(daemon: Any) -> Any:
    units = tuple(
        UnitStatus(name=name, active="active", sub="running")
        for name in ("web.service", "db.service")
    )
    web = AppStatus(name="web", source="", state=AppState.READY, units=units)
    status = Status(running=True, version="1", apps=(web,))
    daemon.answer("/v1/status", msgspec.to_builtins(status))
    restarted = Event(id=1, time=2.0, kind=EventKind.STEP, step="restart", unit="web.service")
    daemon.answer("/v1/events", msgspec.to_builtins(restarted))
    return daemon


@pytest.mark.usefixtures("telling")
class TestLines:
    def test_what_podvisor_did_stands_between_them(
        self, podvisor: Podvisor, journal: Callable[..., Path]
    ) -> None:
        called = journal(entry(1.0, "before"), entry(3.0, "after\nand more", unit="db.service"))
        said = podvisor("logs", "web")
        assert said.code == codes.OK
        texts = [line.split(maxsplit=2)[2] for line in said.out.splitlines()]
        assert texts[0] == "web  before"
        assert texts[1].startswith("restart")
        assert texts[2:] == ["db   after", "db   and more"]
        words = called.read_text().split()
        assert {"--unit=web.service", "--unit=db.service", "--lines=100"} <= {*words}

    @pytest.mark.parametrize("number", [1, 2, 3, 4, 0])
    def test_the_newest_so_many_are_lines_and_events_together(
        self, podvisor: Podvisor, journal: Callable[..., Path], number: int
    ) -> None:
        journal(entry(1.0, "before"), entry(3.0, "after\nand more"))
        for form in ((), ("--json",)):
            every = podvisor("logs", "web", *form).out.splitlines()
            assert len(every) == 4
            said = podvisor("logs", "web", "-n", str(number), *form).out.splitlines()
            assert said == every[-number:]

    def test_of_an_app_of_which_no_unit_has_run(
        self, podvisor: Podvisor, journal: Callable[..., Path], telling: Any
    ) -> None:
        called = journal(entry(1.0, "of somebody else"))
        none = AppStatus(name="noimg", source="", state=AppState.FAILING)
        status = Status(running=True, version="1", apps=(none,))
        telling.answer("/v1/status", msgspec.to_builtins(status))
        why = Event(id=1, time=2.0, kind=EventKind.WAITING, app="noimg", reason="no such image")
        telling.answer("/v1/events", msgspec.to_builtins(why))
        said = podvisor("logs", "noimg")
        assert said.code == codes.OK
        assert "no such image" in said.out
        assert "of somebody else" not in said.out
        assert "No unit of noimg has run yet: podvisor status noimg says why." in said.err
        assert not called.exists()

    def test_of_one_unit(self, podvisor: Podvisor, journal: Callable[..., Path]) -> None:
        called = journal(entry(1.0, "here", unit="db.service"))
        for name in ("db", "db.service"):
            assert podvisor("logs", name, "-n", "5").code == codes.OK
        words = called.read_text().split()
        assert "--unit=db.service" in words
        assert "--unit=web.service" not in words
        assert "--lines=10" in words  # half of them may be copies

    def test_what_no_terminal_should_obey(
        self, podvisor: Podvisor, journal: Callable[..., Path]
    ) -> None:
        odd = [*b"\xff\x1b[31mred"]  # so journalctl writes what is not UTF-8
        journal(
            entry(1.0, "\x1b]0;x\x07title"),
            entry(1.0, odd),
            entry(1.0, "x" * 1_000_000),
            entry(1.0, None),
            entry(1.0, "container init", PODMAN_EVENT="init"),
            "no JSON",
            "[]",
        )
        said = podvisor("logs", "web")
        assert said.code == codes.OK
        assert "\x1b" not in said.out
        assert "red" in said.out
        assert "container init" not in said.out
        assert max(map(len, said.out.splitlines())) < 5_000

    def test_what_conmon_and_podman_say_besides(
        self, podvisor: Podvisor, journal: Callable[..., Path]
    ) -> None:
        journal(
            entry(1.0, "a5" * 32),
            entry(1.0, "conmon a5a5a5 <nwarn>: Failed to open cgroups file"),
            entry(1.0, "conmon a5a5a5 <error>: no such container"),
        )
        said = podvisor("logs", "web").out
        assert "a5" * 32 not in said
        assert "cgroups" not in said
        assert "no such container" in said

    @pytest.mark.parametrize("number", [0, 3])
    def test_what_podman_hands_on_of_a_container_is_shown_once(
        self, podvisor: Podvisor, journal: Callable[..., Path], telling: Any, number: int
    ) -> None:
        """Of a Type=oneshot container; what it says twice is shown twice."""
        telling.answer("/v1/events")
        texts = ["backing up", "backing up", "cannot reach nas"]
        podman = {"_EXE": "/usr/bin/podman", "_COMM": "exe", "_TRANSPORT": "stdout"}
        its = [entry(1.0, f"{text}\n", CONTAINER_NAME="job") for text in texts]
        handed_on = [entry(1.0, text, **podman) for text in texts]
        removed = entry(1.0, "job", **podman)
        for order in (
            [*its, *handed_on],
            [*handed_on, *its],
            [its[0], *handed_on, *its[1:]],
        ):
            journal(*order, removed)
            said = podvisor("logs", "web", "-n", str(number)).out.splitlines()
            assert [line.split(maxsplit=3)[3] for line in said] == texts

    def test_as_json(self, podvisor: Podvisor, journal: Callable[..., Path]) -> None:
        journal(entry(1.0, "a <b>\x1b"))
        lines = [json.loads(line) for line in podvisor("logs", "web", "--json").out.splitlines()]
        assert lines[0] == {"time": 1.0, "unit": "web.service", "by": "web", "line": "a <b>\x1b"}
        assert lines[1]["event"]["step"] == "restart"

    def test_a_journal_that_cannot_be_read(
        self, podvisor: Podvisor, journal: Callable[..., Path]
    ) -> None:
        journal(code=1, error="No journal files were found.")
        said = podvisor("logs", "web")
        assert said.code == codes.ERROR
        assert "No journal files were found." in said.err

    def test_a_unit_is_named_with_or_without_its_app(
        self, podvisor: Podvisor, journal: Callable[..., Path]
    ) -> None:
        journal(entry(1.0, "hello"))
        said = podvisor("logs", "web.service")
        assert said.code == codes.OK
        assert podvisor("logs", "web/web").out == said.out
        assert podvisor("logs", "away/web").code == codes.ERROR

    def test_a_name_that_is_none(self, podvisor: Podvisor, journal: Callable[..., Path]) -> None:
        journal()
        said = podvisor("logs", "wbe")
        assert said.code == codes.ERROR
        assert "no app and no unit of an app is called “wbe”" in said.err
        assert "did you mean “web”?" in said.err

    def test_a_name_of_which_a_daemon_that_begins_knows_nothing_yet(
        self, podvisor: Podvisor, daemon: Any, journal: Callable[..., Path]
    ) -> None:
        journal()
        begun = Status(running=True, version="1", apps=(), starting=True)
        daemon.answer("/v1/status", msgspec.to_builtins(begun))
        said = podvisor("logs", "web")
        assert said.code == codes.ERROR
        assert "called “web” yet: podvisor has just started" in said.err
        assert "podvisor status says when all sources were read" in said.err


def test_without_lines(podvisor: Podvisor, daemon: Any, journal: Callable[..., Path]) -> None:
    unit = UnitStatus(name="a.service", active="active", sub="running")
    app = AppStatus(name="a", source="", state=AppState.READY, units=(unit,))
    daemon.answer("/v1/status", msgspec.to_builtins(Status(running=True, version="1", apps=(app,))))
    daemon.answers["/v1/events"] = (200, [])
    journal()
    said = podvisor("logs", "a")
    assert (said.code, said.out) == (codes.OK, "")


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Callable[..., Path]) -> Path:
    """A Podman with a container of web.service; returns where it notes how it was called."""
    journal(entry(1.0, "Started web.service.", SYSLOG_IDENTIFIER="systemd"))
    program = tmp_path / "bin/podman"
    program.write_text(
        f"""#!/bin/sh
printf "%s\\n" "$*" >>{tmp_path}/podman-called
case $1 in
ps) echo c0ffee ;;
logs) echo "1970-01-01T00:00:03.5Z it said"; echo "1970-01-01T00:00:02Z err" >&2; echo nonsense ;;
esac
"""
    )
    program.chmod(0o755)
    return tmp_path / "podman-called"


def with_driver(daemon: Any, driver: str, active: str = "active", file: str = "") -> None:
    unit = UnitStatus(name="web.service", active=active, sub="", log_driver=driver, log_file=file)
    web = AppStatus(name="web", source="", state=AppState.READY, units=(unit,))
    daemon.answer("/v1/status", msgspec.to_builtins(Status(running=True, version="1", apps=(web,))))
    daemon.answer("/v1/events")


def test_words_that_only_podman_has(podvisor: Podvisor, daemon: Any, podman: Path) -> None:
    with_driver(daemon, "k8s-file")
    said = podvisor("logs", "web.service", "-n", "9", "--json")
    texts = [json.loads(line) for line in said.out.splitlines()]
    assert [one["line"] for one in texts] == ["Started web.service.", "err", "it said"]
    assert texts[2] == {"time": 3.5, "unit": "web.service", "by": "web", "line": "it said"}
    ps, logs = podman.read_text().splitlines()
    assert "label=PODMAN_SYSTEMD_UNIT=web.service" in ps
    assert "--tail=9" in logs
    assert logs.endswith(" c0ffee")
    assert said.err == ""
    assert "--since=5.000000" in (
        podvisor("logs", "web", "--since", "1970-01-01T00:00:05+00:00") and podman.read_text()
    )


@pytest.mark.parametrize(
    ("unit", "note"),
    [
        (("none", "active", ""), "nobody keeps what it writes"),
        (("k8s-file", "failed", ""), "what it wrote went with its container"),
        (("k8s-file", "failed", "/srv/web.log"), "what it writes is in /srv/web.log"),
    ],
)
def test_words_that_nobody_has(
    podvisor: Podvisor, daemon: Any, podman: Path, unit: tuple[str, str, str], note: str
) -> None:
    driver, active, file = unit
    with_driver(daemon, driver, active, file)
    said = podvisor("logs", "web")
    assert f"web.service: LogDriver={driver}: {note}" in said.err
    assert "Started web.service." in said.out
    assert not podman.exists()


def test_a_podman_that_says_nothing_does_no_harm(
    podvisor: Podvisor, daemon: Any, podman: Path, tmp_path: Path
) -> None:
    with_driver(daemon, "k8s-file")
    (tmp_path / "bin/podman").write_text("#!/bin/sh\necho broken >&2\nexit 125\n")
    assert "Started web.service." in podvisor("logs", "web").out
    assert not podman.exists()
