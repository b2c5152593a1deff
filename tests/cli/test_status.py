import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.cli import codes
from supervisor.cli.fast.status_report import is_well, quick
from supervisor.cli.show import status_view
from supervisor.core.status.incidents import incidents
from supervisor.core.status.overview import overview
from supervisor.kit.clock import SystemClock
from supervisor.model.errors import Finding
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.need import Need, NeedKind, unit_need
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.published_port import PublishedPort
from supervisor.model.pull_request import ProposalStatus, PullState
from supervisor.model.rollout import Rollout
from supervisor.model.settings import LedgerSettings
from supervisor.model.status import (
    AppState,
    AppStatus,
    SourceStatus,
    Status,
    UnitStatus,
    UnknownImages,
)

NOW = 1_700_000_000.0

WELL = Status(
    running=True,
    version="1",
    sources=(
        SourceStatus(
            name="main",
            location="https://example.org/apps.git",
            ref="main",
            revision="3f2a91c0ffee",
            subject="Update web",
            read_at=NOW - 180,
            next_poll_at=NOW + 120,
        ),
    ),
    apps=(
        AppStatus(
            name="web",
            source="main",
            state=AppState.READY,
            revision="3f2a91c0ffee",
            wanted_revision="3f2a91c0ffee",
            applied_at=NOW - 7_200,
            units=(
                UnitStatus(
                    name="web.service", active="active", sub="running", up=True, wanted=True
                ),
                UnitStatus(name="backup.service", active="inactive", sub="dead"),
            ),
        ),
    ),
)

ILL = msgspec.structs.replace(
    WELL,
    sources=(
        msgspec.structs.replace(
            WELL.sources[0], error="cannot fetch: timed out", error_since=NOW - 600
        ),
    ),
    apps=(
        *WELL.apps,
        AppStatus(
            name="database",
            source="main",
            state=AppState.REFUSED,
            revision="0123456789ab",
            wanted_revision="3f2a91c0ffee",
            findings=(
                Finding(message="unknown key “Imgae”", path="db.container", line=3, hint="Image?"),
            ),
            waiting=(
                Need(kind=NeedKind.IMAGE, subject="localhost/db:1", text="image localhost/db:1"),
            ),
            units=(
                UnitStatus(
                    name="db.service",
                    active="failed",
                    sub="failed",
                    wanted=True,
                    failures=3,
                    next_try_at=NOW + 40,
                ),
            ),
        ),
    ),
    problems=(Finding(message="the ledger cannot be written", fatal=False),),
)


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def drawn(capsys: pytest.CaptureFixture[str], status: Status, app: str = "") -> list[str]:
    status_view.show(plain(status), named=[app] if app else (), now=NOW)
    return capsys.readouterr().out.splitlines()


def test_draws_what_is_well_in_a_few_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, WELL) == [
        "SOURCE  FROM                                 READ                     REVISION",
        (
            "main    https://example.org/apps.git (main)  3min ago, again in 2min  "
            "3f2a91c0 Update web"
        ),
        "",
        "APP  STATE  RUNNING  REVISION  APPLIED",
        "web  ready  1/1      3f2a91c0  2h ago",
        "",
        "1 app ready.",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(299.5, "5min"), (260, "4min"), (61, "1min"), (59.5, "59s"), (3599, "1h")]
)
def test_says_to_the_nearest_minute_when_a_source_is_read_again(
    capsys: pytest.CaptureFixture[str], seconds: float, text: str
) -> None:
    source = msgspec.structs.replace(WELL.sources[0], next_poll_at=NOW + seconds)
    lines = drawn(capsys, msgspec.structs.replace(WELL, sources=(source,)))
    assert f"again in {text} " in lines[1]


@pytest.mark.parametrize(
    ("state", "url", "line"),
    [
        ("open", "https://x.example/5", "pull request #5 waits to be merged: https://x.example/5"),
        ("open", "", "pull request #5 waits to be merged"),
        ("closed", "", "pull request #5 was closed without a merge, and none is opened until"),
    ],
)
def test_says_where_a_pull_request_waits(
    capsys: pytest.CaptureFixture[str], state: str, url: str, line: str
) -> None:
    pull = ProposalStatus(name="pull request #5", url=url, state=PullState(state))
    source = msgspec.structs.replace(WELL.sources[0], proposal=pull)
    lines = drawn(capsys, msgspec.structs.replace(WELL, sources=(source,)))
    assert lines[3].removeprefix("! ").startswith(f"main: {line}")
    assert ("https:" in lines[3]) == bool(url)


def test_draws_a_source_without_apps(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, msgspec.structs.replace(WELL, apps=()))[2:] == ["", "No apps yet."]


def test_says_why_there_is_no_app_yet(capsys: pytest.CaptureFixture[str]) -> None:
    starting = msgspec.structs.replace(WELL, apps=(), starting=True)
    assert drawn(capsys, starting)[-1].startswith("No apps yet: the daemon is starting")
    some = msgspec.structs.replace(WELL, starting=True)
    assert drawn(capsys, some)[-1] == (
        "1 app ready; the daemon is starting, and has not looked at all of them yet."
    )
    unread = msgspec.structs.replace(WELL.sources[0], read_at=0.0)
    status = msgspec.structs.replace(starting, sources=(unread,))
    assert drawn(capsys, status)[-1] == "No apps yet: main is not read yet."


def test_draws_all_units_of_one_app(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, WELL, "web") == [
        "APP  STATE  RUNNING  REVISION  APPLIED",
        "web  ready  1/1      3f2a91c0  2h ago",
        "",
        "  web.service     active (running)",
        "  backup.service  inactive (dead)",
    ]


def test_draws_images_and_ports_of_one_app(capsys: pytest.CaptureFixture[str]) -> None:
    unit = msgspec.structs.replace(
        WELL.apps[0].units[0],
        images=("docker.io/library/nginx:1.27",),
        publishes=(
            PublishedPort(address="127.0.0.1", first=8080, last=8080, protocol="tcp", path=""),
            PublishedPort(address="::1", first=5000, last=5010, protocol="udp", path=""),
        ),
    )
    app = msgspec.structs.replace(WELL.apps[0], units=(unit, WELL.apps[0].units[1]))
    lines = drawn(capsys, msgspec.structs.replace(WELL, apps=(app,)), "web")
    ports = "127.0.0.1:8080, [::1]:5000-5010/udp"
    assert lines[3:] == [
        f"  UNIT            STATE             IMAGE{' ' * 25}PORTS",
        f"  web.service     active (running)  docker.io/library/nginx:1.27  {ports}",
        "  backup.service  inactive (dead)",
    ]


def test_what_is_wrong_with_an_app_is_one_line_with_the_next_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = Incident(
        code=IncidentCode.UNIT_DOWN,
        app="database",
        subject="db.service",
        text="db.service: failed (exit-code) after 3 tries in a row",
        command="podvisor logs db.service -n 30",
    )
    one = drawn(capsys, msgspec.structs.replace(ILL, incidents=(down,)))
    text = f"✗ database: {down.text}, brought back 3 times, next try in 40s"
    assert one[-4:-1] == [text, f"  {down.command}", ""]
    gate = f"db.service failed (exit-code): {WHY}"
    tried = msgspec.structs.replace(ILL.apps[1], gate=gate)
    one = drawn(capsys, msgspec.structs.replace(ILL, apps=(tried,), incidents=(down,)))
    assert f"{text}: {WHY}" in one
    need = unit_need("db.service", f"failed: {WHY}")
    tried = msgspec.structs.replace(ILL.apps[1], waiting=(need,))
    one = drawn(capsys, msgspec.structs.replace(ILL, apps=(tried,), incidents=(down,)))
    assert f"{text}: {WHY}" in one
    both = drawn(capsys, msgspec.structs.replace(ILL, incidents=(down, down)))
    assert both[-4:-1] == [f"{text}; 1 thing more", "  podvisor status database", ""]
    in_full = drawn(capsys, msgspec.structs.replace(ILL, incidents=(down, down)), "database")
    assert "  ✗ db.container:3: unknown key “Imgae”" in in_full


def test_one_app_is_told_of_with_how_long_that_is_so_and_the_next_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = Incident(
        code=IncidentCode.UNIT_DOWN,
        app="database",
        subject="db.service",
        text="db.service is down (exit status 3), brought back 3 times",
        command="podvisor logs db.service -n 30",
        opened_at=NOW - 22,
    )
    refused = Incident(
        code=IncidentCode.APP_REFUSED,
        app="database",
        subject="db.container",
        text="db.container:3: unknown key “Imgae”",
        hint="Image?",
        command="podvisor sync database",
        opened_at=NOW - 86_400,
    )
    status = msgspec.structs.replace(ILL, apps=(ILL.apps[1],), incidents=(refused, down))
    lines = drawn(capsys, status, "database")
    assert lines[7:] == [
        f"  ✗ {refused.text} (for 1 day)",
        "    Image?",
        "    podvisor sync database",
        f"  ✗ {down.text}, next try in 40s (for 22s)",
        "    podvisor logs db.service -n 30",
        "  … image localhost/db:1",
        "  db.service  failed",
    ]


def test_says_of_an_image_that_there_is_not_when_it_is_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacking = Incident(
        code=IncidentCode.IMAGE_UNAVAILABLE,
        app="database",
        subject="localhost/db:1",
        text="image localhost/db:1: cannot be pulled: manifest unknown",
        command="podvisor retry database",
        opened_at=NOW - 120,
    )
    need = Need(
        kind=NeedKind.IMAGE,
        subject="localhost/db:1",
        text="image localhost/db:1",
        detail="cannot be pulled: manifest unknown",
        failing=True,
    )
    app = msgspec.structs.replace(
        WELL.apps[0], name="database", waiting=(need,), next_pull_at=NOW + 299
    )
    status = msgspec.structs.replace(WELL, apps=(app,), incidents=(lacking,))
    said = f"{lacking.text}, next try in 5min (for 2min)"
    assert f"✗ database: {said}" in drawn(capsys, status)
    lines = drawn(capsys, status, "database")
    assert f"  ✗ {said}" in lines
    assert sum("manifest unknown" in line for line in lines) == 1


def test_says_in_full_once_why_a_unit_on_trial_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    unit = UnitStatus(name="db.service", active="failed", sub="failed", ended="exit status 3")
    why = "port 80 is taken by nginx"
    gate = f"db.service failed (exit status 3): {why}"
    app = msgspec.structs.replace(WELL.apps[0], name="database", units=(unit,), gate=gate)
    down = Incident(
        code=IncidentCode.UNIT_DOWN,
        app="database",
        subject="db.service",
        text="db.service is down (exit status 3)",
    )
    status = msgspec.structs.replace(WELL, apps=(app,), incidents=(down,))
    lines = drawn(capsys, status, "database")
    assert lines[-2:] == [f"  ✗ {down.text}: {why}", "  db.service  failed (exit status 3)"]


def test_of_a_unit_that_runs_it_is_not_shown_how_it_ended_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unit = UnitStatus(
        name="db.service", active="active", sub="running", up=True, ended="exit status 3"
    )
    app = msgspec.structs.replace(WELL.apps[0], name="database", units=(unit,))
    lines = drawn(capsys, msgspec.structs.replace(WELL, apps=(app,)), "database")
    assert "  db.service  active (running)" in lines


def test_what_may_be_mended_by_what_is_on_trial_is_told_as_past_and_without_its_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacked = Incident(
        code=IncidentCode.SECRET_MISSING,
        app="web",
        subject="password",
        text="web needs the secret password",
        hint="make it",
        command="podman secret create password -",
        meanwhile="on trial now",
        opened_at=NOW - 60,
    )
    trial = msgspec.structs.replace(
        WELL.apps[0], state=AppState.CHANGING, gate="web.service has to stay up for 10s"
    )
    status = msgspec.structs.replace(WELL, apps=(trial,), incidents=(lacked,))
    said = "it was: web needs the secret password; on trial now (for 1min)"
    for named in ((), ("web",)):
        lines = drawn(capsys, status, *named)
        assert any(line.endswith(said) and "…" in line for line in lines)
        assert not any("make it" in line or "podman secret" in line for line in lines)
    seen = overview(msgspec.to_builtins(status), NOW)
    assert not seen.troubles
    assert seen.changing[0].text == said.removesuffix(" (for 1min)")
    assert not seen.changing[0].command


def test_a_take_back_is_told_once_also_where_its_log_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = "aaaa was taken back to bbbb, as web.service did not stay up: it ended with status 0"
    bad = Finding(
        message=f"{why}: booting",
        app="web",
        hint="push a newer one",
        code=IncidentCode.APP_REVERTED,
        log=("booting",),
    )
    app = msgspec.structs.replace(WELL.apps[0], state=AppState.REVERTED, findings=(bad,))
    status = msgspec.structs.replace(WELL, apps=(app,))
    found = incidents(msgspec.to_builtins(status), NOW)
    # What was written down of it may lack the last lines, which came later.
    for kept in (found, {key: msgspec.structs.replace(one, log=()) for key, one in found.items()}):
        with_them = msgspec.structs.replace(status, incidents=tuple(kept.values()))
        said = "\n".join(drawn(capsys, with_them, "web"))
        assert said.count("was taken back") == 1


def test_says_of_a_problem_of_its_own_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Finding(message="notifier down cannot send: refused", fatal=False)
    incident = Incident(
        code=IncidentCode.NOTIFIER_FAILING, text=problem.message, opened_at=NOW - 180
    )
    status = msgspec.structs.replace(WELL, problems=(problem,), incidents=(incident,))
    assert drawn(capsys, status)[0] == f"! {problem.message} (for 3min)"


@pytest.fixture
def talkative_journal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that holds a secret in the clear."""
    journalctl = home / "programs/journalctl"
    journalctl.parent.mkdir()
    entry = {
        "__REALTIME_TIMESTAMP": "1700000000000000",
        "MESSAGE": "password hunter2 is wrong",
        "USER_UNIT": "db.service",
    }
    journalctl.write_text(f"#!/bin/sh\necho '{json.dumps(entry)}'\n")
    journalctl.chmod(0o700)
    monkeypatch.setenv("PATH", f"{journalctl.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("talkative_journal")
def test_the_last_lines_of_a_unit_that_is_not_well_stand_below_without_secrets(
    podvisor: Callable[..., Any], daemon: Any
) -> None:
    daemon.answer("/v1/status", plain(ILL))
    told = [
        {"time": NOW, "by": "systemd", "text": "Failed to start"},
        *({"time": NOW, "by": "db", "text": f"line {number}"} for number in range(5)),
        {"time": NOW, "by": "db", "text": "password … is wrong \x1b[31m" + 600 * "x"},
    ]
    daemon.answer("/v1/logs", {"unit": "db.service", "lines": told})
    said = podvisor("status", "database").out.splitlines()
    cut = "  password … is wrong \ufffd[31m".ljust(201, "x") + "…"
    assert said[-6:] == [
        "db.service wrote last:",
        *(f"  line {number}" for number in range(1, 5)),
        cut,
    ]
    assert "unit=db.service" in daemon.asked[-1].target
    assert "wrote last" not in podvisor("status").out
    daemon.answer("/v1/logs", {"unit": "db.service"})
    assert "wrote last" not in podvisor("status", "database").out
    known = plain(ILL)
    known["apps"][1]["units"][0]["log"] = ["FATAL"]
    daemon.answer("/v1/status", known)
    assert podvisor("status", "database").out.splitlines()[-1] == "  FATAL"


@pytest.mark.usefixtures("talkative_journal")
def test_the_last_lines_are_not_shown_where_nobody_masks_them(
    podvisor: Callable[..., Any], daemon: Any
) -> None:
    daemon.answer("/v1/status", plain(ILL))
    problem = {"status": 503, "detail": "cannot read the journal"}
    daemon.answer("/v1/logs", problem, status=503)
    said = podvisor("status", "database")
    assert said.code == codes.NOT_WELL
    assert "wrote last" not in said.out
    daemon.answer("/v1/status", {**plain(ILL), "running": False})
    assert "hunter2" not in podvisor("status", "database").out


def test_a_job_that_ended_well_counts_as_one_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    job = UnitStatus(name="a.service", active="inactive", sub="dead", wanted=True, ended_well=True)
    app = msgspec.structs.replace(WELL.apps[0], units=(job, *WELL.apps[0].units))
    assert "web  ready  2/2 " in drawn(capsys, msgspec.structs.replace(WELL, apps=(app,)))[4]


def test_says_when_an_image_is_pulled_again(capsys: pytest.CaptureFixture[str]) -> None:
    app = msgspec.structs.replace(ILL.apps[1], next_pull_at=NOW + 299)
    lines = drawn(capsys, msgspec.structs.replace(ILL, apps=(app,)))
    at = lines.index("  … image localhost/db:1")
    assert lines[at + 1] == "    next try in 5min"


def test_draws_what_needs_attention(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn(capsys, ILL)
    assert lines[0] == "! the ledger cannot be written"
    assert "✗ main: cannot fetch: timed out (for 10min)" in lines
    assert "database  refused  0/1      01234567 → 3f2a91c0  never" in lines
    assert lines[-8:] == [
        "",
        "database: refused",
        "  ✗ db.container:3: unknown key “Imgae”",
        "    Image?",
        "  … image localhost/db:1",
        "  db.service  failed  brought back 3 times, next try in 40s",
        "",
        "2 apps: 1 ready, 1 refused; 1 source cannot be read.",
    ]


WHY = "Error: img:1: image not known"
OTHER_WHY = "Error: statfs /srv: no such file or directory"


LOG = ("starting with …", "FATAL: " + 600 * "x")
LOOPED = "systemd has restarted it 3 times"


@pytest.mark.parametrize(
    ("text", "gate", "expected"),
    [
        (
            f"db.service: {LOOPED}: exit status 3",
            f"db.service: systemd restarts it: exit status 3: {LOG[0]}\n{LOG[1]}",
            f"db.service: {LOOPED}: exit status 3",
        ),
        # Of the crash before this one.
        (
            f"db.service: {LOOPED}: exit status 3",
            "db.service: systemd restarts it: exit status 3: starting at 9\nFATAL",
            f"db.service: {LOOPED}: exit status 3",
        ),
        (
            "db.service is down (exit status 3)",
            f"db.service failed (exit status 3): {LOG[0]}\n{LOG[1]}; port 80 is taken by nginx",
            "db.service is down (exit status 3): port 80 is taken by nginx",
        ),
    ],
)
def test_a_sentence_of_a_crash_says_nothing_twice_and_its_log_stands_below(
    capsys: pytest.CaptureFixture[str], text: str, gate: str, expected: str
) -> None:
    unit = UnitStatus(
        name="db.service", active="failed", sub="failed", log=LOG, next_try_at=NOW + 40
    )
    app = msgspec.structs.replace(
        ILL.apps[1], state=AppState.FAILING, findings=(), waiting=(), gate=gate, units=(unit,)
    )
    incident = Incident(
        code=IncidentCode.UNIT_DOWN, app="database", subject="db.service", text=text, log=LOG
    )
    status = msgspec.structs.replace(ILL, apps=(app,), incidents=(incident,))
    lines = drawn(capsys, status)
    before, colon, after = expected.partition(": port")
    at = lines.index(f"✗ database: {before}, next try in 40s{colon}{after}")
    assert lines[at + 1 : at + 3] == [f"    {LOG[0]}", f"    {LOG[1][:199]}…"]
    in_full = "\n".join(drawn(capsys, status, "database"))
    assert LOG[1] not in in_full, "what it wrote stands below"
    assert "exit status 3" in in_full


def test_what_an_incident_begins_to_say_and_a_finding_says_in_full_stands_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = "89cf3dfb was taken back to 13406043, as x.socket failed (resources)"
    full = f"{short}: x.socket: Failed to listen on sockets: Address already in use"
    finding = Finding(message=full, app="web", hint="push a newer one", fatal=False)
    app = msgspec.structs.replace(WELL.apps[0], state=AppState.REVERTED, findings=(finding,))
    reverted = Incident(
        code=IncidentCode.APP_REVERTED,
        app="web",
        text=short,
        hint="push a newer one",
        opened_at=NOW - 60,
    )
    status = msgspec.structs.replace(WELL, apps=(app,), incidents=(reverted,))
    text = "\n".join(drawn(capsys, status, "web"))
    assert text.count("was taken back") == 1
    assert "Address already in use (for 1min)" in " ".join(text.split())


def test_words_that_are_withheld_are_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = "exit status 3: … its words are withheld: its secrets cannot be read now"
    gate = f"db.service: systemd restarts it: {words}"
    app = msgspec.structs.replace(ILL.apps[1], waiting=(), units=(), gate=gate)
    text = f"db.service: {LOOPED}: {words}"
    down = Incident(code=IncidentCode.UNIT_DOWN, app="database", subject="db.service", text=text)
    lines = drawn(capsys, msgspec.structs.replace(ILL, apps=(app,), incidents=(down,)))
    assert f"✗ database: {text}" in lines


def failing(name: str = "web.service", **more: Any) -> UnitStatus:
    said = {"active": "failed", "sub": "failed", "result": "exit-code", "wanted": True, **more}
    return UnitStatus(name=name, **said)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {
                "gate": f"web.service failed (exit-code): {WHY}",
                "waiting": (
                    unit_need("web.service", "failed (exit-code) after 4 tries in a row"),
                    unit_need("web.service", f"failed: {WHY}"),
                ),
                "units": (failing(failures=4, next_try_at=NOW + 40),),
            },
            [
                f"  … on trial: web.service failed (exit-code): {WHY}",
                "  web.service  failed (exit-code)  brought back 4 times, next try in 40s",
            ],
        ),
        (
            {
                "waiting": (
                    unit_need("web.service", f"failed: {WHY}"),
                    unit_need("db.service", f"failed: {WHY}"),
                    unit_need("db.service", f"failed: {WHY}"),
                ),
                "units": (failing(), failing("db.service")),
            },
            [
                f"  … web.service: failed: {WHY}",
                f"  … db.service: failed: {WHY}",
                "  web.service  failed (exit-code)",
                "  db.service   failed (exit-code)",
            ],
        ),
        (
            {
                "gate": f"web.service failed (exit-code): {WHY}",
                "waiting": (unit_need("web.service", f"failed: {OTHER_WHY}"),),
                "units": (failing(),),
            },
            [
                f"  … on trial: web.service failed (exit-code): {WHY}",
                f"  … web.service: failed: {OTHER_WHY}",
                "  web.service  failed (exit-code)",
            ],
        ),
        (
            {
                "gate": "web.service is unhealthy: 503",
                "units": (
                    failing(
                        active="active",
                        sub="running",
                        result="",
                        up=True,
                        health="unhealthy",
                        health_since=NOW,
                        health_output="503",
                    ),
                ),
            },
            [
                "  … on trial: web.service is unhealthy: 503",
                "  web.service  active (running)  unhealthy (for 1s)",
            ],
        ),
        (
            {
                "findings": (Finding(message=f"taken back: web.service failed: {WHY}"),),
                "waiting": (unit_need("web.service", f"failed: {WHY}"),),
            },
            [f"  ✗ taken back: web.service failed: {WHY}"],
        ),
        (
            {
                "waiting": (
                    unit_need("web.service", "activating"),
                    unit_need("db.service", "activating"),
                )
            },
            ["  … web.service: activating", "  … db.service: activating"],
        ),
    ],
    ids=["on trial", "two units", "two causes", "unhealthy", "taken back", "on the way"],
)
def test_says_each_thing_once(
    capsys: pytest.CaptureFixture[str], told: dict[str, Any], expected: list[str]
) -> None:
    units = told.pop("units", (failing("web.service", active="activating", result=""),))
    app = msgspec.structs.replace(WELL.apps[0], state=AppState.FAILING, units=units, **told)
    lines = drawn(capsys, msgspec.structs.replace(WELL, apps=(app,)))
    assert lines[lines.index("web: failing") + 1 : -2] == expected


def test_what_stands_with_an_app_is_no_problem_above(capsys: pytest.CaptureFixture[str]) -> None:
    found = Finding(message="cannot build img: no space left")
    app = msgspec.structs.replace(WELL.apps[0], state=AppState.FAILING, findings=(found,))
    problems = (msgspec.structs.replace(found, message=f"app web: {found.message}"),)
    lines = drawn(capsys, msgspec.structs.replace(WELL, apps=(app,), problems=problems))
    assert sum("no space left" in line for line in lines) == 1
    assert lines[0].startswith("SOURCE")
    assert lines[-1] == "1 app: 1 failing."


def test_a_source_that_cannot_be_read_is_not_passed_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sources = (WELL.sources[0], msgspec.structs.replace(ILL.sources[0], name="other"))
    lines = drawn(capsys, msgspec.structs.replace(WELL, sources=sources))
    assert lines[-1] == "1 app ready; 1 source cannot be read."


def test_images_that_cannot_be_asked_about_are_told_once_for_all_apps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unknown = (
        UnknownImages(registry="quay.io", images=3, since=NOW - 300, problem="timed out"),
        UnknownImages(registry="quay.io", images=1, problem="quay.io wants a login"),
    )
    status = msgspec.structs.replace(WELL, unknown_images=unknown)
    assert drawn(capsys, status)[-4:] == [
        (
            "! of 3 images of quay.io it is unknown whether there are newer ones,"
            " last answered 5min ago: timed out (podvisor images)"
        ),
        (
            "! of 1 image of quay.io it is unknown whether there is a newer one:"
            " quay.io wants a login (podvisor images)"
        ),
        "",
        "1 app ready; 4 images unknown.",
    ]
    assert "unknown" not in "".join(drawn(capsys, status, app="web"))
    assert is_well(plain(status)), "the apps run"


def test_returns_0_when_all_is_well(podvisor: Callable[..., Any], daemon: Any) -> None:
    daemon.answer("/v1/status", plain(WELL))
    said = podvisor("status")
    assert said.code == 0
    assert "1 app ready." in said.out


def test_returns_3_when_something_is_not_well(podvisor: Callable[..., Any], daemon: Any) -> None:
    daemon.answer("/v1/status", plain(ILL))
    assert podvisor("status").code == 3


def test_a_notifier_that_cannot_send_is_of_no_app(
    podvisor: Callable[..., Any], daemon: Any
) -> None:
    mute = Finding(message="notifier phone cannot send: x", code=IncidentCode.NOTIFIER_FAILING)
    status = plain(msgspec.structs.replace(WELL, problems=(mute,)))
    daemon.answer("/v1/status", status)
    daemon.answer("/v1/sync", {"reply": status})
    (app,) = WELL.apps
    assert podvisor("status").code == codes.NOT_WELL
    assert podvisor("status", app.name).code == codes.OK
    assert podvisor("sync", app.name).code == codes.OK


@pytest.mark.parametrize(
    ("status", "well"),
    [
        (WELL, True),
        (ILL, False),
        (msgspec.structs.replace(WELL, sources=ILL.sources), False),
        (msgspec.structs.replace(WELL, problems=ILL.problems), True),
        (msgspec.structs.replace(WELL, problems=(Finding(message="x"),)), False),
    ],
)
def test_what_is_well(status: Status, *, well: bool) -> None:
    assert is_well(plain(status)) is well


def test_json_is_what_the_daemon_said(podvisor: Callable[..., Any], daemon: Any) -> None:
    daemon.answer("/v1/status", plain(WELL))
    said = podvisor("status", "web", "--json")
    assert msgspec.json.decode(said.out, type=Status) == WELL
    assert [asked.target for asked in daemon.asked] == ["/v1/status?app=web"]


def test_an_unknown_app_is_an_error(podvisor: Callable[..., Any], daemon: Any) -> None:
    refusal = {"detail": "no app named “wbe”", "hint": "did you mean “web”?"}
    daemon.answer("/v1/status", refusal, status=404)
    said = podvisor("status", "wbe")
    assert said.code == 1
    assert "no app named “wbe”" in said.err


def test_a_newcomer_is_told_how_to_begin(podvisor: Callable[..., Any], home: Path) -> None:
    said = podvisor("status")
    assert said.code == 4
    assert said.out.splitlines() == [
        "The daemon is not running: podvisor setup makes it a service, and starts it."
    ]
    unit = home / "config/systemd/user/podvisor.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    said = podvisor("status")
    assert said.out == "The daemon is not running: systemctl --user start podvisor starts it.\n"
    assert "systemctl --user start podvisor starts it" in podvisor("sync").err


NEVER, BEFORE, SINCE = "", "@1700000000", "@4000000000"
"""When systemd saw the daemon become ready; the settings are written in between."""


@pytest.mark.parametrize(
    "case",
    [
        ("inactive", NEVER, "", "systemctl --user start podvisor starts it"),
        ("activating", NEVER, "", "systemd is starting it; it answers in a moment"),
        ("failed", NEVER, "", "it failed; journalctl --user -u podvisor.service -n 20 says why"),
        ("failed", NEVER, "[repair]\nnope = 1\n", "config.toml:2"),
        ("failed", SINCE, "[repair]\nnope = 1\n", "config.toml:2"),
        ("inactive", NEVER, "[x\n", "config.toml:1"),
        ("inactive", BEFORE, "[x\n", "config.toml:1"),
        # Those with which it became ready are not read again.
        ("inactive", SINCE, "[x\n", "systemctl --user start podvisor starts it"),
        ("inactive", "n/a", "", "systemctl --user start podvisor starts it"),
        ("", NEVER, "", "systemctl --user start podvisor starts it"),
    ],
)
def test_why_nobody_answers_is_said_by_what_systemd_and_the_settings_say(
    podvisor: Callable[..., Any],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, str, str, str],
) -> None:
    state, ready_at, settings, said = case
    unit = home / "config/systemd/user/podvisor.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    (home / "config/podvisor").mkdir(parents=True, exist_ok=True)
    (home / "config/podvisor/config.toml").write_text(settings)
    programs = home / "programs"
    programs.mkdir()
    (programs / "systemctl").write_text(
        f"#!/bin/sh\necho ActiveState={state}\necho ActiveEnterTimestamp={ready_at}\n"
    )
    (programs / "systemctl").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert said in podvisor("status").out
    assert said in podvisor("sync").err


def test_settings_that_are_a_link_to_an_older_file_since_are_read(
    podvisor: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = home / "older.toml"
    older.write_text("[x\n")
    for folder in ("config/podvisor", "config/systemd/user", "programs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "config/systemd/user/podvisor.service").touch()
    link = home / "config/podvisor/config.toml"
    link.symlink_to(older)
    while link.lstat().st_ctime <= older.stat().st_ctime:  # the file system's clock has its ticks
        time.sleep(0.01)
        link.unlink()
        link.symlink_to(older)
    ready_at = (older.stat().st_ctime + link.lstat().st_ctime) / 2
    monkeypatch.setattr("supervisor.cli.daemon.absent._state", lambda: ("inactive", ready_at))
    assert "config.toml:1" in podvisor("status").out


def test_without_a_daemon_the_ledger_speaks(podvisor: Callable[..., Any], home: Path) -> None:
    ledger = SqliteLedger(
        home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
    )
    applied = AppliedApp(
        name="web",
        source="main",
        revision="3f2a91c0ffee",
        content="",
        applied_at=NOW,
        units={"web.service": UnitInputs(digest="1")},
    )
    ledger.put_applied(applied)
    ledger.put_repairs([RepairState(unit="web.service", failures=2)])
    ledger.put_unit("crash", "crash.service", UnitInputs(digest="1"))
    fields = {"name": "crash", "source": "main", "root": "", "files": ()}
    tried = Rollout(**fields, revision="7c104779d00d", release="r1", began_at=NOW)
    ledger.put_rollout(tried)
    before = {"release": "r0", "revision": "0000000", "began_at": NOW - 1}
    ledger.put_rollout(msgspec.structs.replace(tried, **before))
    lacks = Incident(code=IncidentCode.IMAGE_UNAVAILABLE, app="noimg", subject="x", text="x")
    ledger.put(lacks, lacks.key)
    ledger.close()

    said = podvisor("status")
    assert said.code == 4
    assert "The daemon is not running: podvisor setup makes it a service" in said.out
    rows = [line.split()[:4] for line in said.out.splitlines() if " unknown " in line]
    assert rows[:3] == [
        ["crash", "unknown", "-", "7c104779"],
        ["noimg", "unknown", "-", "-"],
        ["web", "unknown", "-", "3f2a91c0"],
    ]
    assert "brought back 2 times" in said.out
    assert podvisor("status", "noimg").code == 4

    said = podvisor("status", "wbe")
    assert (said.code, said.err) == (1, "podvisor: no app named “wbe”\n  did you mean “web”?\n")

    status = msgspec.json.decode(podvisor("status", "--json").out, type=Status)
    assert not status.running
    assert {(one.state, one.stale) for one in status.apps} == {(AppState.UNKNOWN, True)}


def test_without_a_daemon_and_a_ledger_nothing_is_made(
    podvisor: Callable[..., Any], home: Path
) -> None:
    assert podvisor("status").code == 4
    assert not (home / "state").exists()


@pytest.mark.parametrize("arguments", [["-h"], ["a", "b"], ["--jsno"], [""]])
def test_the_quick_way_leaves_to_click_what_is_not_plain(arguments: list[str]) -> None:
    assert quick(arguments) is None


def test_the_quick_way_does_the_same(
    podvisor: Callable[..., Any], daemon: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answer("/v1/status", plain(WELL))
    slow = podvisor("status", "web")
    assert quick(["web"]) == slow.code
    assert capsys.readouterr().out == slow.out


def test_what_is_known_of_an_end_besides_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    more = "LogDriver=none: nobody keeps what it writes"
    unit = UnitStatus(
        name="db.service",
        active="failed",
        sub="failed",
        wanted=True,
        ended="exit status 4",
        more=more,
        log_driver="none",
    )
    waits = unit_need("db.service", f"failed: exit status 4: {more}")
    app = AppStatus(
        name="db", source="main", state=AppState.FAILING, units=(unit,), waiting=(waits,)
    )
    status = Status(running=True, version="1", apps=(app,))
    found = incidents(msgspec.to_builtins(status), 0.0).values()
    text = "\n".join(drawn(capsys, msgspec.structs.replace(status, incidents=tuple(found))))
    assert text.count(more) == 1


def test_of_several_sources_it_is_said_which_one_is_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Finding(message="“quadlet/*.*” in apps fits no unit file", fatal=False)
    main = msgspec.structs.replace(WELL.sources[0], findings=(found,))
    other = SourceStatus(name="other", location="/srv/apps", read_at=NOW)
    for sources, said in (
        ((main,), f"! {found.message}"),
        ((main, other), f"! main: {found.message}"),
    ):
        assert said in drawn(capsys, msgspec.structs.replace(WELL, sources=sources))
