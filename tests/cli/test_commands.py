import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.cli.app import COMMANDS
from supervisor.cli.fast import sync_now
from supervisor.kit.clock import SystemClock
from supervisor.model.check import (
    Check,
    CheckedApp,
    CheckedCertificate,
    CheckedLeftOut,
    CheckedUnit,
)
from supervisor.model.diff import AppDiff, Diff, TextPair
from supervisor.model.errors import Finding, Retry, Stalled
from supervisor.model.events import Event, EventKind
from supervisor.model.need import Need, NeedKind
from supervisor.model.plan import (
    Plan,
    PullImage,
    Reload,
    ResetFailed,
    RestartUnit,
    Verdict,
    WriteFile,
)
from supervisor.model.rollout import Hold
from supervisor.model.settings import LedgerSettings
from supervisor.model.source import TreeFile
from supervisor.model.status import AppState, AppStatus, SourceStatus, Status, SyncReply

ROOT = Path(__file__).parents[2]
PROGRAM = f"{sys.executable} -m supervisor"
Podvisor = Callable[..., Any]


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def bash(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def answer_all(daemon: Any) -> None:
    daemon.answer("/v1/status", plain(Status(running=True, version="1", apps=())))
    daemon.answer("/v1/plan", plain(Plan(steps=())))
    daemon.answer("/v1/diff", plain(Diff()))


class TestCommandLine:
    def test_help_names_every_command(self, podvisor: Podvisor) -> None:
        said = podvisor("-h")
        assert said.code == 0
        for name in COMMANDS:
            assert f"\n  {name}" in said.out

    def test_without_arguments_it_is_the_help(self, podvisor: Podvisor) -> None:
        said = podvisor()
        assert said.code == 64
        assert said.out == podvisor("-h").out
        assert said.err == ""

    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_command_explains_its_exit_codes(self, podvisor: Podvisor, name: str) -> None:
        said = podvisor(name, "-h")
        assert said.code == 0
        assert "Exit codes:\n    0  " in said.out

    def test_a_misspelt_command_is_told_the_right_one(self, podvisor: Podvisor) -> None:
        said = podvisor("stauts")
        assert said.code == 64
        assert said.err.splitlines() == [
            "podvisor: no command “stauts”; did you mean “status”?",
            "  podvisor -h says how it is used",
        ]

    def test_a_wrong_option_is_a_wrong_use(self, podvisor: Podvisor) -> None:
        said = podvisor("plan", "--exit")
        assert said.code == 64
        assert "podvisor plan -h says how it is used" in said.err

    @pytest.mark.parametrize("command", ["plan", "sync", "status", "events"])
    def test_other_settings_than_the_daemons_are_said(
        self, podvisor: Podvisor, daemon: Any, command: str, tmp_path: Path
    ) -> None:
        running = Status(running=True, version="1", apps=(), config=str(tmp_path / "config.toml"))
        daemon.answer("/v1/status", plain(running))
        said = podvisor("--config", str(tmp_path / "other.toml"), command)
        assert said.code == 1
        assert "the daemon runs with ~/config.toml, not with ~/other.toml" in said.err
        assert [one.target for one in daemon.asked] == ["/v1/status"]
        said = podvisor("--config", str(tmp_path / "config.toml"), "status")
        assert said.code == 0

    def test_version(self, podvisor: Podvisor) -> None:
        assert podvisor("--version").out.startswith("podvisor ")

    @pytest.mark.parametrize("arguments", ["-h", "plan -h", "plan --json", "status", "status -h"])
    def test_a_reader_that_reads_nothing_is_no_error(self, daemon: Any, arguments: str) -> None:
        answer_all(daemon)
        done = bash(f"(sleep 0.1; {PROGRAM} {arguments}) | true; exit ${{PIPESTATUS[0]}}")
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
    @pytest.mark.parametrize("arguments", ["-h", "plan --json", "status", "plan"])
    def test_what_is_written_to_what_is_closed_is_gone(
        self, daemon: Any, arguments: str, closed: str
    ) -> None:
        answer_all(daemon)
        done = bash(f"{PROGRAM} {arguments} {closed}")
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("arguments", ["-h", "plan --json", "status", "status --json"])
    def test_a_full_disk_is_said(self, daemon: Any, arguments: str) -> None:
        answer_all(daemon)
        done = bash(f"{PROGRAM} {arguments} >/dev/full")
        assert done.returncode == 1
        assert done.stderr == "podvisor: cannot write the output: No space left on device\n"

    @pytest.mark.parametrize("arguments", [["sync"], ["events", "--follow"]])
    def test_what_needs_the_daemon_says_so(self, podvisor: Podvisor, arguments: list[str]) -> None:
        said = podvisor(*arguments)
        assert said.code == 4
        assert said.err.startswith("podvisor: the daemon is not running\n")

    def test_the_daemons_refusal_is_passed_on(self, podvisor: Podvisor, daemon: Any) -> None:
        refusal = {"detail": "no app named wbe", "hint": "there are: web"}
        daemon.answer("/v1/sync", refusal, status=404)
        said = podvisor("sync", "wbe")
        assert said.code == 1
        assert said.err == "podvisor: no app named wbe\n  there are: web\n"

    def test_escape_codes_from_outside_do_nothing(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/sync", {"detail": "bad \x1b[31mred\x07", "hint": ""}, status=500)
        assert "\x1b" not in podvisor("sync").err


class TestSync:
    REPLY = SyncReply(apps=(AppStatus(name="web", source="main", state=AppState.READY),))

    def test_shows_steps_with_their_reasons(self, podvisor: Podvisor, daemon: Any) -> None:
        step = Event(
            time=0,
            kind=EventKind.STEP,
            app="web",
            unit="web.service",
            step="restart",
            reason="its image changed",
        )
        failed = Event(
            time=0, kind=EventKind.STEP, app="db", step="pull", ok=False, detail="no route\nat all"
        )
        daemon.answer(
            "/v1/sync",
            {"event": plain(step)},
            {"event": plain(failed)},
            {"reply": plain(self.REPLY)},
        )
        said = podvisor("sync", "web", "db", "--prune-all")
        assert said.code == 0
        assert said.out.splitlines()[:4] == [
            "  restart      web/web.service              its image changed",
            "✗ pull         db",
            "  no route",
            "  at all",
        ]
        assert "1 app ready." in said.out
        assert daemon.asked[0].body == {"apps": ["web", "db"], "prune_all": True}

    def test_of_a_source_it_is_told_where_no_app_is_named(
        self, podvisor: Podvisor, daemon: Any
    ) -> None:
        source = SourceStatus(name="main", location="file:///srv/apps")
        reply = msgspec.structs.replace(self.REPLY, sources=(source,))
        daemon.answer("/v1/sync", {"reply": plain(reply)})
        assert "file:///srv/apps" not in podvisor("sync", "web", "db").out
        daemon.answer("/v1/sync", {"reply": plain(reply)})
        assert "file:///srv/apps" in podvisor("sync").out

    def test_an_app_that_nobody_knows_is_an_error(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/sync", {"reply": plain(self.REPLY)})
        said = podvisor("sync", "web", "wbe")
        assert said.code == 1
        assert "no app named “wbe”" in said.err

    @pytest.mark.parametrize("arguments", [["-h"], ["web", "--prune-all"], ["--jsno"], [""]])
    def test_the_quick_way_leaves_to_click_what_is_not_plain(self, arguments: list[str]) -> None:
        assert sync_now.quick(arguments) is None

    @pytest.mark.parametrize("arguments", [[], ["web", "db"], ["web", "--json"], ["wbe"]])
    def test_the_quick_way_does_the_same(
        self,
        podvisor: Podvisor,
        daemon: Any,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
    ) -> None:
        daemon.answer("/v1/sync", {"reply": plain(self.REPLY)})
        slow = podvisor("sync", *arguments)
        assert sync_now.quick(arguments) == slow.code
        quick = capsys.readouterr()
        assert (quick.out, quick.err) == (slow.out, slow.err)
        assert daemon.asked[0].body == daemon.asked[1].body

    def test_returns_3_when_an_app_is_not_well(self, podvisor: Podvisor, daemon: Any) -> None:
        app = AppStatus(name="web", source="main", state=AppState.FAILING)
        daemon.answer("/v1/sync", {"reply": plain(SyncReply(apps=(app,)))})
        assert podvisor("sync").code == 3

    def test_json_is_lines(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/sync", {"event": {"kind": "step"}}, {"reply": plain(self.REPLY)})
        lines = [json.loads(line) for line in podvisor("sync", "--json").out.splitlines()]
        assert [list(line) for line in lines] == [["event"], ["reply"]]

    @pytest.mark.parametrize("cut", [True, False])
    def test_a_daemon_that_hangs_up_is_no_success(
        self, podvisor: Podvisor, daemon: Any, *, cut: bool
    ) -> None:
        daemon.cut = cut
        daemon.answer("/v1/sync", {"event": plain(Event(time=0, kind=EventKind.STARTED))})
        said = podvisor("sync")
        assert said.code == 1
        assert "hung up" in said.err


class TestDiff:
    DIFF = Diff(
        apps=(
            AppDiff(
                app="web",
                files=(
                    TextPair(path="conf/a", old="one\ttwo\n", new="one\x1b[2J\n"),
                    TextPair(path="logo.png", old=None, new="", hidden="binary"),
                ),
            ),
            AppDiff(app="db"),
        )
    )
    LINES = (
        "--- a/web/conf/a",
        "+++ b/web/conf/a",
        "@@ -1 +1 @@",
        "-one\ttwo",
        "+one\ufffd[2J",
        "Files /dev/null and b/web/logo.png differ (binary)",
    )

    def test_shows_a_unified_diff_without_escape_codes(
        self, podvisor: Podvisor, daemon: Any
    ) -> None:
        daemon.answer("/v1/diff", plain(self.DIFF))
        said = podvisor("diff", "web", "--exit-code")
        assert said.code == 2
        assert tuple(said.out.splitlines()) == self.LINES
        assert daemon.asked[0].body == {"apps": ["web"], "units": False}

    def test_colours_if_they_are_asked_for(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/diff", plain(self.DIFF))
        said = podvisor("diff", "--units", "--color")
        assert said.out.splitlines()[3] == "\x1b[31m-one\ttwo\x1b[0m"
        assert daemon.asked[0].body == {"apps": [], "units": True}

    def test_json_holds_a_diff_of_each_file(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/diff", plain(self.DIFF))
        web, _ = json.loads(podvisor("diff", "--json").out)["apps"]
        assert [(one["path"], one["change"]) for one in web["files"]] == [
            ("conf/a", "changed"),
            ("logo.png", "added"),
        ]
        assert web["files"][0]["diff"].startswith("--- a/web/conf/a\n+++ b/web/conf/a\n@@")

    def test_nothing_differs_or_something_is_refused(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/diff", plain(Diff(apps=(AppDiff(app="web"),))))
        said = podvisor("diff", "--exit-code")
        assert (said.code, said.out.split(":")[0]) == (0, "Nothing differs")
        finding = Finding(message="bad", path="web.container", line=2)
        refused = Diff(apps=(AppDiff(app="web", findings=(finding,)),))
        daemon.answer("/v1/diff", plain(refused))
        said = podvisor("diff", "--exit-code")
        assert (said.code, said.out.splitlines()[0]) == (1, "✗ web.container:2: bad")

    def test_without_a_daemon_it_is_made_here(
        self, podvisor: Podvisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def diff(config: Path, *, apps: Any, units: bool) -> Diff:
            assert (config, apps, units) == (Path("/x/y.toml"), ("web",), True)
            return self.DIFF

        answers = module(ANSWERS={"diff": diff})
        monkeypatch.setitem(sys.modules, "supervisor.wiring.offline", answers)
        said = podvisor("--config", "/x/y.toml", "diff", "web", "--units")
        assert tuple(said.out.splitlines()) == self.LINES


class TestPlan:
    PLAN = Plan(
        steps=(
            PullImage(app="db", image="localhost/db:2", reason="not there"),
            WriteFile(
                app="web",
                source="main",
                file=TreeFile("web.container", "0" * 40),
                reason="changed in the source",
            ),
            Reload(reason="unit files change"),
            RestartUnit(app="web", unit="web.service", reason="its unit changed"),
        ),
        verdicts=(
            Verdict(
                app="db",
                revision="3f2a91c0ffee",
                waiting=(
                    Need(
                        kind=NeedKind.IMAGE, subject="localhost/db:2", text="image localhost/db:2"
                    ),
                ),
            ),
            Verdict(app="web", revision="3f2a91c0ffee"),
            Verdict(app="idle"),
        ),
    )

    def test_groups_steps_by_app_with_their_reasons(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/plan", plain(self.PLAN))
        said = podvisor("plan", "--exit-code")
        assert said.code == 2
        assert said.out.splitlines() == [
            "db  3f2a91c0",
            "  … image localhost/db:2",
            "  pull  localhost/db:2  not there",
            "",
            "web  3f2a91c0",
            "  write    web.container  changed in the source",
            "  restart  web.service    its unit changed",
            "",
            "  reload  systemd's units  unit files change",
            "",
            "4 steps for 2 apps.",
        ]

    def test_says_when_there_is_nothing_to_do(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/plan", plain(Plan(steps=(), verdicts=(Verdict(app="web"),))))
        said = podvisor("plan", "--exit-code")
        assert said.code == 0
        assert said.out == "Nothing to do: everything is as the sources say.\n"

    def test_says_what_comes_after_what_is_waited_for(
        self, podvisor: Podvisor, daemon: Any
    ) -> None:
        need = Need(kind=NeedKind.IMAGE, subject="web:2", text="image web:2", detail="is pulled")
        left = (ResetFailed(app="web", unit="web.service", reason="new"),)
        verdict = Verdict(app="web", complete=False, waiting=(need,), afterwards=left)
        pull = PullImage(app="web", image="web:2", reason="not here")
        daemon.answer("/v1/plan", plain(Plan(steps=(pull,), verdicts=(verdict,))))
        assert podvisor("plan").out.splitlines()[1:] == [
            "  … image web:2: is pulled",
            "  pull  web:2  not here",
            "  then",
            "  forget  the failure of web.service  new",
            "",
            "1 step for 1 app.",
        ]

    def test_says_who_is_kept_from_what_the_source_says(
        self, podvisor: Podvisor, daemon: Any
    ) -> None:
        held = Hold(
            app="db", release="1", revision="bbbb2222ffee", instead_of="cccc3333ffee", at=1.0
        )
        suspended = ("write www/index.html: changed",)
        verdicts = (
            Verdict(app="db", revision="bbbb2222ffee", held=held),
            Verdict(app="web", revision="3f2a91c0ffee", complete=False, held_back=suspended),
        )
        daemon.answer("/v1/plan", plain(Plan(steps=(), verdicts=verdicts)))
        assert podvisor("plan").out.splitlines() == [
            "db  bbbb2222",
            (
                "  … held at bbbb2222: until podvisor resume db, or until something newer than"
                " cccc3333 is pushed"
            ),
            "",
            "web  3f2a91c0",
            "  … suspended (podvisor resume web ends that): 1 step held back",
            "    write www/index.html: changed",
            "",
            "Nothing to do now.",
        ]
        daemon.answer("/v1/diff", plain(Diff(apps=(AppDiff(app="db", held=held),))))
        lines = podvisor("diff").out.splitlines()
        assert lines[0].startswith("… db: held at bbbb2222: until podvisor resume db")
        assert lines[1:] == ["Nothing differs from what is wanted now."]

    def test_a_refused_app_is_an_error_for_scripts(self, podvisor: Podvisor, daemon: Any) -> None:
        finding = Finding(message="bad", path="web.container", line=2)
        plan = Plan(steps=(), verdicts=(Verdict(app="web", complete=False, findings=(finding,)),))
        daemon.answer("/v1/plan", plain(plan))
        assert podvisor("plan", "--exit-code").code == 1
        said = podvisor("plan")
        assert said.code == 0
        assert "✗ web.container:2: bad" in said.out

    def test_json_is_the_plan_itself(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/plan", plain(self.PLAN))
        said = podvisor("plan", "web", "--json")
        assert msgspec.json.decode(said.out, type=Plan) == self.PLAN
        assert daemon.asked[0].body == {"apps": ["web"], "prune_all": False}

    def test_without_a_daemon_it_is_made_here(
        self, podvisor: Podvisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        async def plan(config: Path, *, apps: Any, prune_all: bool) -> Plan:
            asked.append((config, apps, prune_all))
            return self.PLAN

        answers = module(ANSWERS={"plan": plan})
        monkeypatch.setitem(sys.modules, "supervisor.wiring.offline", answers)
        said = podvisor("--config", "/x/y.toml", "plan", "web", "--prune-all")
        assert said.out.endswith("4 steps for 2 apps.\n")
        assert asked == [(Path("/x/y.toml"), ("web",), True)]

    def test_failures_are_said_in_their_own_words(
        self, podvisor: Podvisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def plan(*_: object, **__: object) -> Plan:
            raise ExceptionGroup("", [Stalled("cannot plan: x", hint="do y"), Retry("z")])

        answers = module(ANSWERS={"plan": plan})
        monkeypatch.setitem(sys.modules, "supervisor.wiring.offline", answers)
        said = podvisor("plan")
        assert said.code == 1
        assert said.err == "podvisor: cannot plan: x\n  do y\n"

    def test_a_defect_is_not_hidden_by_a_failure_beside_it(
        self, podvisor: Podvisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def plan(*_: object, **__: object) -> Plan:
            raise ExceptionGroup("", [KeyError("lost"), Retry("z")])

        answers = module(ANSWERS={"plan": plan})
        monkeypatch.setitem(sys.modules, "supervisor.wiring.offline", answers)
        with pytest.raises(ExceptionGroup) as raised:
            podvisor("plan")
        assert raised.value.subgroup(KeyError)


class TestEvents:
    EVENTS = (
        Event(id=1, time=0.0, kind=EventKind.REVISION, source="main", revision="3f2a91c0ffee"),
        Event(id=2, time=1.0, kind=EventKind.APPLIED, app="web", reason="new revision"),
    )

    def test_shows_them(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/events", *map(plain, self.EVENTS))
        lines = podvisor("events").out.splitlines()
        assert [line[21:] for line in lines] == [
            "  revision     main                           3f2a91c0",
            "  applied      web                          new revision",
        ]
        assert daemon.asked[0].target == "/v1/events?limit=50"

    def test_asks_for_what_is_wanted(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/events")
        podvisor("events", "-f", "--since", "2026-01-31T12:00+00:00", "a b", "--unit", "web")
        assert daemon.asked[0].target == (
            "/v1/events?since=1769860800.0&app=a%20b&unit=web.service&follow=1"
        )
        podvisor("events", "--failed", "--until", "2026-01-31T12:00+00:00", "--code", "error")
        assert daemon.asked[1].target == (
            "/v1/events?until=1769860800.0&code=error&failed=1&limit=50"
        )

    def test_refuses_a_moment_that_is_none(self, podvisor: Podvisor) -> None:
        said = podvisor("events", "--since", "soon")
        assert said.code == 64
        assert "“soon” is neither like 2h or 7d nor like 2026-01-31 12:00" in said.err

    def test_without_a_daemon_the_ledger_is_read(self, podvisor: Podvisor, home: Path) -> None:
        ledger = SqliteLedger(
            home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
        )
        now = SystemClock().now()
        written = [
            ledger.append(msgspec.structs.replace(event, time=now - 7_200)) for event in self.EVENTS
        ]
        ledger.close()
        lines = podvisor("events", "--json").out.splitlines()
        assert [msgspec.json.decode(line, type=Event) for line in lines] == written
        assert podvisor("events", "web", "--json").out.count("\n") == 1
        assert podvisor("events", "--since", "1h").out == ""
        assert podvisor("events", "web", "--since", "1h").code == 0
        assert podvisor("events", "--until", "1h", "--json").out.count("\n") == 2
        assert podvisor("events", "--failed", "--json").out == ""
        assert podvisor("events", "--code", "applied", "--json").out.count("\n") == 1
        assert podvisor("events", "--code", "step-pull-failed").code == 0
        for wrong, text in (
            (["wbe"], "no app named “wbe”"),
            (["--unit", "nosuch"], "no unit named “nosuch.service”"),
            (["--code", "nosuch"], "no event has the code “nosuch”"),
            (["--code", "aplied"], "did you mean “applied”?"),
            (["--code", "step"], "there are step-"),
        ):
            said = podvisor("events", *wrong)
            assert (said.code, said.out) == (1, "")
            assert text in said.err

    def test_a_person_is_told_that_there_are_none(
        self, podvisor: Podvisor, daemon: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daemon.answer("/v1/events")
        assert podvisor("events", "web").err == ""
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        monkeypatch.setenv("NO_COLOR", "1")
        said = podvisor("events", "web")
        assert (said.code, said.out, said.err) == (0, "", "No events.\n")

    def test_a_reader_may_have_enough(self, daemon: Any) -> None:
        daemon.answer("/v1/events", *[plain(self.EVENTS[1])] * 5_000)
        done = bash(f"{PROGRAM} events | head -1; exit ${{PIPESTATUS[0]}}")
        assert done.returncode == 0
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""

    def test_follows_as_they_come(self, podvisor: Podvisor, daemon: Any, capsys: Any) -> None:
        daemon.answer("/v1/events", plain(self.EVENTS[0]))
        thread = threading.Thread(target=podvisor, args=("events", "--follow"))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()


class TestCheck:
    def test_names_what_was_found_and_what_is_wrong(
        self, podvisor: Podvisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        found = Check(
            sources=("home",),
            apps=(
                CheckedApp(
                    name="web",
                    root="apps/web",
                    refused=False,
                    units=(CheckedUnit(name="web.service", path="apps/web/web.container"),),
                    certificates=(
                        CheckedCertificate(
                            name="web",
                            path="apps/web/web.certificate",
                            domains=("a.org",),
                            issuer="letsencrypt",
                        ),
                    ),
                    files=(
                        "apps/web/web.container",
                        "apps/web/web.certificate",
                        "apps/web/conf/a",
                    ),
                ),
                CheckedApp(name="old", root="apps/old", refused=True),
            ),
            left_out=(CheckedLeftOut(path="proxy.network", reason="in no app"),),
            others=2,
            findings=(
                Finding(message="unsupported key 'Imgae'", path="web/web.container", line=2),
                Finding(message="has no units", app="old", fatal=False, hint="is it empty?"),
            ),
        )

        async def check(path: Path, **given: object) -> Check:
            assert path == tmp_path
            asked.append(given)
            return found

        asked: list[dict[str, object]] = []
        monkeypatch.setitem(sys.modules, "supervisor.wiring.offline", module(check=check))
        said = podvisor("check", str(tmp_path))
        assert said.code == 1
        assert said.out.splitlines() == [
            "As source home of the settings.",
            "app web (apps/web): web.service; certificate web of letsencrypt: a.org; 1 more file",
            "app old (apps/old): refused",
            "left out proxy.network: in no app",
            "2 other files in no app.",
            "error: web/web.container:2: unsupported key 'Imgae'",
            "warning: old: has no units (is it empty?)",
            "2 apps, 1 unit: 1 error, 1 warning.",
        ]
        said = podvisor("check", str(tmp_path), "--json")
        assert msgspec.json.decode(said.out, type=Check) == found
        found = msgspec.structs.replace(found, findings=found.findings[1:])
        options = ("--overlay", "hosts/50%", "--apps", "a/*", "--apps", "b", "--ignore", "old")
        assert podvisor("check", str(tmp_path), *options).code == 0
        assert asked[2]["overlay"] == "hosts/50%%", "it is a folder's name, without specifiers"
        assert (asked[2]["apps"], asked[2]["ignore"]) == (("a/*", "b"), ("old",))

    @pytest.mark.parametrize(
        ("option", "value", "why"),
        [
            ("--overlay", "../x", "cannot use ../x as an overlay"),
            ("--apps", "/srv", "cannot use --apps /srv: it must stay within the source"),
            ("--ignore", ".", "cannot use --ignore .: it would leave out everything"),
        ],
    )
    def test_an_option_that_means_nothing(
        self, podvisor: Podvisor, tmp_path: Path, option: str, value: str, why: str
    ) -> None:
        said = podvisor("check", str(tmp_path), option, value)
        assert said.code == 1
        assert why in said.err

    @pytest.mark.parametrize(
        ("name", "why"), [("none", "no such folder"), ("file", "it is a file; name its folder, ")]
    )
    def test_a_path_that_is_no_folder(
        self, podvisor: Podvisor, tmp_path: Path, name: str, why: str
    ) -> None:
        (tmp_path / "file").touch()
        said = podvisor("check", str(tmp_path / name))
        assert said.code == 1
        assert f"cannot read {tmp_path / name}: {why}" in said.err


def module(**members: object) -> ModuleType:
    made = ModuleType("supervisor.wiring.offline")
    vars(made).update(members)
    return made


class TestReload:
    def test_says_what_the_daemon_found(self, podvisor: Any, daemon: Any) -> None:
        found = {"message": "“80” is no duration", "path": "config.toml", "line": 3, "fatal": False}
        daemon.answer("/v1/reload", {"ok": True, "findings": [found]})
        said = podvisor("reload")
        assert said.code == 0
        assert said.out == "! config.toml:3: “80” is no duration\n✓ the settings were read anew\n"
        assert daemon.asked[-1].method == "POST"

    def test_fails_when_the_settings_are_refused(self, podvisor: Any, daemon: Any) -> None:
        daemon.answer("/v1/reload", {"ok": False, "findings": [{"message": "no", "line": 0}]})
        said = podvisor("reload")
        assert said.code == 78
        assert "✗ refused; the old settings stay" in said.out
        assert json.loads(podvisor("reload", "--json").out)["ok"] is False

    def test_needs_the_daemon(self, podvisor: Any) -> None:
        assert podvisor("reload").code == 4
