"""`rollback`, `suspend`, `resume`, `retry` and `history`, at a daemon that answers as told."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.kit.clock import SystemClock
from supervisor.model.errors import Finding
from supervisor.model.image import HeldUpdate, ImageQuestion, ImageVersion, Pin
from supervisor.model.incident import IncidentCode
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Hold, Outcome, Rollout, Scale, Suspension
from supervisor.model.settings import LedgerSettings
from supervisor.model.status import AppState, AppStatus, History, Status, SyncReply
from supervisor.model.volumes import VolumeSnapshot

Podvisor = Callable[..., Any]


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def rollout(revision: str, outcome: Outcome, **more: Any) -> Rollout:
    return Rollout(
        name="web",
        source="home",
        revision=revision,
        release=revision[::-1],
        root="",
        files=(),
        began_at=1.0,
        outcome=outcome,
        **more,
    )


ROLLOUTS = (
    rollout("aaaa1111", Outcome.FAILED, reason="web.service failed (exit-code)"),
    rollout("bbbb2222", Outcome.GOOD, subject="Make it blue", images={"web:1": "f" * 64}),
)
SUSPENDED = AppStatus(
    name="web",
    source="home",
    state=AppState.SUSPENDED,
    suspension=Suspension(app="web", at=1.0, reason="moving it"),
    held_back=("restart web.service: its unit changed",),
)


def test_rollback_shows_what_is_done_and_how_it_ended(podvisor: Podvisor, daemon: Any) -> None:
    hold = Hold(app="web", release="2222bbbb", revision="bbbb2222", instead_of="cccc3333", at=1.0)
    web = AppStatus(name="web", source="home", state=AppState.HELD, revision="bbbb2222", held=hold)
    event = {"time": 1.0, "kind": "held", "app": "web", "reason": "a person rolled it back"}
    daemon.answer("/v1/rollback", {"event": event}, {"reply": plain(SyncReply(apps=(web,)))})
    said = podvisor("rollback", "web", "bbbb", "--reason", "too blue")
    assert said.code == 0
    assert daemon.asked[0].body == {"apps": ["web"], "revision": "bbbb", "reason": "too blue"}
    assert "a person rolled it back" in said.out
    assert "until something newer than cccc3333 is pushed" in said.out


def test_a_rollback_that_leads_back_is_not_well(podvisor: Podvisor, daemon: Any) -> None:
    web = AppStatus(name="web", source="home", state=AppState.REVERTED)
    daemon.answer("/v1/rollback", {"reply": plain(SyncReply(apps=(web,)))})
    assert podvisor("rollback", "web").code == 3


def test_suspend_shows_what_is_held_back(podvisor: Podvisor, daemon: Any) -> None:
    other = AppStatus(name="db", source="home", state=AppState.READY)
    daemon.answer("/v1/suspend", plain(Status(running=True, version="1", apps=(SUSPENDED, other))))
    said = podvisor("suspend", "web", "--for", "2h", "--reason", "moving it")
    assert daemon.asked[0].body == {"apps": ["web"], "seconds": 7200, "reason": "moving it"}
    assert said.code == 0
    assert "moving it: 1 step held back" in said.out
    assert "restart web.service: its unit changed" in said.out
    assert "db" not in said.out


def test_an_order_for_all_apps_is_told_once(podvisor: Podvisor, daemon: Any) -> None:
    order = Suspension(at=time.time(), reason="upgrading Debian", by="pi")
    apps = tuple(
        AppStatus(name=name, source="home", state=AppState.SUSPENDED, suspension=order)
        for name in ("db", "mail", "web")
    )
    held = msgspec.structs.replace(apps[0], held_back=("restart db.service: its unit changed",))
    status = plain(Status(running=True, version="1", apps=(held, *apps[1:])))
    daemon.answer("/v1/suspend", status)
    daemon.answer("/v1/status", status)
    for words in (("suspend",), ("status",)):
        said = podvisor(*words).out
        assert said.count("upgrading Debian") == 1
        assert "all apps are suspended now by pi (until podvisor resume), upgrading" in said
        assert "restart db.service: its unit changed" in said
        assert "mail: suspended" not in said
    assert "suspended now by pi" in podvisor("status", "web").out


def test_suspend_says_which_apps_no_boot_starts(
    podvisor: Podvisor, daemon: Any, home: Path
) -> None:
    for app in ("web", "db"):
        folder = home / f"config/containers/systemd/podvisor/{app}"
        folder.mkdir(parents=True)
        (folder / f"{app}@.container").write_text("[X-Podvisor]\nReplicas=3\n")
    other = AppStatus(name="db", source="home", state=AppState.READY)
    daemon.answer("/v1/suspend", plain(Status(running=True, version="1", apps=(SUSPENDED, other))))
    assert "! after a boot no replica of web runs until podvisor" in podvisor("suspend", "web").out
    assert "no replica of db, web runs until" in podvisor("suspend").out


def test_suspend_says_that_it_could_not_be_written_down(podvisor: Podvisor, daemon: Any) -> None:
    trouble = Finding(
        message="cannot write the ledger: /state/ledger.db: the disk is full",
        code=IncidentCode.LEDGER_UNWRITABLE,
    )
    status = Status(running=True, version="1", apps=(SUSPENDED,), problems=(trouble,))
    daemon.answer("/v1/suspend", plain(status))
    said = podvisor("suspend", "web")
    assert said.code == 0
    assert f"this could not be written down: {trouble.message}" in said.err
    assert "holds until the daemon ends" in said.err


def test_suspend_says_who_did_it_and_nothing_of_what_there_is_not(
    podvisor: Podvisor, daemon: Any
) -> None:
    order = Suspension(at=time.time() - 120, reason="looking", by="anna (page)")
    app = msgspec.structs.replace(SUSPENDED, suspension=order, held_back=())
    daemon.answer("/v1/suspend", plain(Status(running=True, version="1", apps=(app,))))
    lines = podvisor("suspend", "web").out.splitlines()
    assert "  … suspended 2min ago by anna (page) (until podvisor resume), looking" in lines


@pytest.mark.parametrize("length", ["soon", "0s", ""])
def test_suspend_refuses_a_length_that_is_none(podvisor: Podvisor, length: str) -> None:
    said = podvisor("suspend", "--for", length)
    assert said.code == 64
    assert "--for" in said.err


def test_resume_without_a_name_is_for_all(podvisor: Podvisor, daemon: Any) -> None:
    web = AppStatus(name="web", source="home", state=AppState.READY)
    daemon.answer("/v1/resume", {"reply": plain(SyncReply(apps=(web,)))})
    assert podvisor("resume").code == 0
    assert daemon.asked[0].body == {"apps": []}


def test_resume_is_not_well_if_that_leads_back(podvisor: Podvisor, daemon: Any) -> None:
    web = AppStatus(name="web", source="home", state=AppState.REVERTED)
    event = {"time": 1.0, "kind": "resumed", "app": "web", "reason": "no longer suspended"}
    daemon.answer("/v1/resume", {"event": event}, {"reply": plain(SyncReply(apps=(web,)))})
    said = podvisor("resume", "web")
    assert said.code == 3
    assert "no longer suspended" in said.out


def test_retry_is_not_well_if_it_fails_again(podvisor: Podvisor, daemon: Any) -> None:
    web = AppStatus(name="web", source="home", state=AppState.REVERTED)
    daemon.answer("/v1/retry", {"reply": plain(SyncReply(apps=(web,)))})
    assert podvisor("retry", "web", "--reason", "more memory").code == 3
    nginx = ImageVersion(runs=f"docker.io/library/nginx@sha256:{'3f' * 32}")
    failed = HeldUpdate(app="web", question="", image="nginx", version=nginx, why="", failed=True)
    web = AppStatus(name="web", source="home", state=AppState.READY, updates=(failed,))
    daemon.answer("/v1/retry", {"reply": plain(SyncReply(apps=(web,)))})
    assert podvisor("retry", "web").code == 3
    assert daemon.asked[0].body == {"apps": ["web"], "reason": "more memory"}


@pytest.mark.parametrize(
    "arguments", [["rollback", "web"], ["suspend"], ["resume", "web"], ["retry", "web"]]
)
def test_orders_need_the_daemon(podvisor: Podvisor, arguments: list[str]) -> None:
    assert podvisor(*arguments).code == 4


def test_history_tells_revisions_and_what_came_of_them(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer(
        "/v1/history",
        plain(History(app="web", running="2222bbbb", rollouts=ROLLOUTS)),
    )
    said = podvisor("history", "web")
    head, failed, good, _, reason = said.out.splitlines()
    assert head.split() == ["REVISION", "RELEASE", "OUTCOME", "TRIED", "NOW", "COMMIT", "IMAGES"]
    assert "failed" in failed
    assert reason == "1111aaaa web.service failed (exit-code)"
    assert "runs" in good
    assert "Make it blue" in good
    assert f"web:1@{'f' * 12}" in good


def test_history_says_of_what_is_on_trial_that_it_runs(podvisor: Podvisor, daemon: Any) -> None:
    rollouts = (rollout("cccc3333", Outcome.TRIAL), *ROLLOUTS)
    daemon.answer("/v1/history", plain(History(app="web", running="2222bbbb", rollouts=rollouts)))
    _, trial, failed, good, *_ = podvisor("history", "web").out.splitlines()
    assert " runs" in trial
    assert "runs" not in failed + good
    assert "last good" in good


def test_history_tells_whose_commit_it_is_and_nobody_where_only_an_image_is_another(
    podvisor: Podvisor, daemon: Any
) -> None:
    ann, bob = {"author": "Ann"}, {"author": "Bob", "subject": "Blue"}
    rollouts = (
        rollout("bbbb2222", Outcome.GOOD, images={"web:1": "e" * 64}, by="pi (page)", **bob),
        rollout("bbbb2222", Outcome.GOOD, images={"web:1": "f" * 64}, **bob),
        rollout("aaaa1111", Outcome.GOOD, **ann),
    )
    daemon.answer("/v1/history", plain(History(app="web", rollouts=rollouts)))
    said = podvisor("history", "web")
    _, image, second, first, _, by = said.out.splitlines()
    assert by == "2222bbbb was ordered by pi (page)"
    assert ("Bob" in image, "  Bob: Blue  " in second, first.endswith("  Ann")) == (
        False,
        True,
        True,
    )


def test_history_tells_which_versions_of_images_ran(podvisor: Podvisor, daemon: Any) -> None:
    nginx = ImageQuestion(image="docker.io/library/nginx:1.27")
    runs = f"docker.io/library/nginx@sha256:{'3f' * 32}"
    pins = tuple(
        Pin(path=path, question=nginx.key, runs=runs, tag="1.27")
        for path in ("web.container", "admin.container")
    )
    one = rollout("bbbb2222", Outcome.GOOD, pins=pins, images={runs: "f" * 64, "redis:7": "e" * 64})
    daemon.answer("/v1/history", plain(History(app="web", rollouts=(one,))))
    said = podvisor("history", "web")
    assert f"nginx 1.27 (3f3f3f3f3f3f), redis:7@{'e' * 12}" in said.out


def test_of_all_that_are_undecided_only_the_newest_is_on_trial(
    podvisor: Podvisor, daemon: Any
) -> None:
    undecided = (rollout("cccc3333", Outcome.TRIAL), rollout("dddd4444", Outcome.TRIAL))
    daemon.answer("/v1/history", plain(History(app="web", rollouts=(*undecided, *ROLLOUTS))))
    lines = podvisor("history", "web").out.splitlines()
    assert [line.split()[2] for line in lines[1:5]] == ["trial", "overtaken", "failed", "good"]


def test_history_is_read_from_the_ledger_without_a_daemon(podvisor: Podvisor, home: Path) -> None:
    ledger = SqliteLedger(
        home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
    )
    for one in reversed(ROLLOUTS):
        ledger.put_rollout(one)
    ledger.put_applied(
        AppliedApp(
            name="web",
            source="home",
            revision="bbbb2222",
            content="",
            release="2222bbbb",
            applied_at=1.0,
            units={},
        )
    )
    ledger.close()
    said = podvisor("history", "web", "--json")
    assert msgspec.json.decode(said.out, type=History).running == "2222bbbb"
    assert podvisor("history", "none").code == 1


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("web=5", {"app": "web", "unit": "", "replicas": 5}),
        ("web/worker=0", {"app": "web", "unit": "worker", "replicas": 0}),
        ("web", {"app": "web", "unit": ""}),
    ],
)
def test_scale_asks_for_another_number(
    podvisor: Podvisor, daemon: Any, target: str, asked: dict[str, Any]
) -> None:
    order = Scale(app="web", unit="web@.service", replicas=5, instead_of=3, at=1.0, reason="a rush")
    web = AppStatus(name="web", source="home", state=AppState.READY, scales=(order,))
    daemon.answer("/v1/scale", {"reply": plain(SyncReply(apps=(web,)))})
    said = podvisor("scale", target, "--reason", "a rush")
    assert said.code == 0
    assert daemon.asked[0].body == {**asked, "reason": "a rush"}
    assert "web@.service was scaled to 5 replicas" in said.out
    assert ", a rush; its file says 3" in said.out


@pytest.mark.parametrize("target", ["web=", "web=-1", "web=101", "web=x", "=3", "web=٣"])
def test_scale_refuses_what_is_no_number(podvisor: Podvisor, target: str) -> None:
    said = podvisor("scale", target)
    assert said.code == 64
    assert "from 0 to 100" in said.err


SAVED = VolumeSnapshot(
    id="2222bbbb-19700101T000001Z",
    release="2222bbbb",
    revision="bbbb2222",
    at=1.0,
    before="",
    volumes={"data": 12_000_000, "db": 900},
)
HISTORY = History(app="web", running="1111aaaa", rollouts=ROLLOUTS, volumes=(SAVED,))


def test_history_tells_of_which_releases_the_volumes_are_there(
    podvisor: Podvisor, daemon: Any
) -> None:
    daemon.answer("/v1/history", plain(HISTORY))
    said = podvisor("history", "web").out
    assert "2222bbbb volumes of" in said
    assert f"data (12 MB), db (900 B); {SAVED.id}" in said


def test_restore_says_what_goes_and_asks_nobody_who_is_not_there(
    podvisor: Podvisor, daemon: Any
) -> None:
    daemon.answer("/v1/history", plain(HISTORY))
    said = podvisor("restore", "web", "2222")
    assert said.code == 64
    assert "data (12 MB), db (900 B)" in said.out
    assert "What was written to them since then goes." in said.out
    assert "podvisor restore web 1111aaaa" in said.out
    assert "--yes" in said.err
    assert [one.target.partition("?")[0] for one in daemon.asked] == ["/v1/history"]


def test_restore_names_the_snapshot_that_was_meant(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/history", plain(HISTORY))
    web = AppStatus(name="web", source="home", state=AppState.READY)
    daemon.answer("/v1/restore", {"reply": plain(SyncReply(apps=(web,)))})
    said = podvisor("restore", "web", "bbbb", "--yes", "--reason", "lost rows")
    assert said.code == 0
    asked = {"apps": ["web"], "revision": SAVED.id, "reason": "lost rows"}
    assert daemon.asked[-1].body == asked


def test_restore_of_what_is_not_there_says_so(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/history", plain(HISTORY))
    said = podvisor("restore", "web", "aaaa", "--yes")
    assert said.code == 1
    assert "no volumes were exported of aaaa" in said.err
