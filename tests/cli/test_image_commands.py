"""`images`, at a daemon that answers what it is told to, and without one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.kit.clock import SystemClock
from supervisor.model.image import (
    HeldUpdate,
    ImageKnowledge,
    ImageOrder,
    ImagePolicy,
    ImageQuestion,
    ImageVersion,
    Pin,
    PolicyKind,
)
from supervisor.model.image_status import ImageList, ImageStatus
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.settings import LedgerSettings
from supervisor.model.status import AppState, AppStatus, Status

Podvisor = Callable[..., Any]

DAY = 86_400
NOW = time.time()
"""All is half a day off what is shown: how slow a test is must not show."""
NGINX = ImageQuestion(image="docker.io/library/nginx:1.27")
REDIS = ImageQuestion(
    image="docker.io/library/redis:7", policy=ImagePolicy(kind=PolicyKind.SEMVER, pattern="^7")
)
OLD, NEW = (
    ImageVersion(runs=f"docker.io/library/nginx@sha256:{digit * 64}", tag="1.27") for digit in "ab"
)
HELD = HeldUpdate(
    app="web",
    question=NGINX.key,
    image=NGINX.image,
    version=NEW,
    why="it is too new (cooldown)",
    early=True,
    until=NOW + 2.5 * DAY,
)
WAITS = ImageStatus(
    app="web",
    image=NGINX.image,
    paths=("web.container",),
    running=OLD,
    known=ImageKnowledge(question=NGINX, newest=NEW, asked_at=NOW - 3.5 * DAY),
    next_check_at=NOW + 1.5 * DAY,
    held=HELD,
)
LOST = ImageStatus(
    app="web",
    image=REDIS.image,
    paths=("cache.container",),
    running=ImageVersion(runs="f" * 64, tag="7"),
    known=ImageKnowledge(
        question=REDIS,
        asked_at=NOW - DAY,
        answered_at=NOW - 4.5 * DAY,
        problem="docker.io does not answer",
        hint="is the network up?",
        failures=3,
    ),
)
OTHER = ImageStatus(app="db", image="docker.io/library/postgres:16", paths=("db.container",))


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def listed(*images: ImageStatus) -> Any:
    return plain(ImageList(running=True, images=images))


def test_images_are_listed_with_what_holds_them_back(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/images", listed(OTHER, WAITS))
    said = podvisor("images")
    assert said.code == 0
    head, other, waits, *more = said.out.splitlines()
    assert head.split() == ["APP", "IMAGE", "RUNNING", "NEWEST", "ASKED", "NEXT"]
    assert other.split() == ["db", "postgres", "-", "not", "followed", "-", "-"]
    assert "1.27 (aaaaaaaa)  1.27 (bbbbbbbb)  3 days ago  in 1 day" in waits
    assert more == [
        "",
        "… web: nginx 1.27 (bbbbbbbbbbbb) waits: it is too new (cooldown); it goes in 2 days",
        "    podvisor update web --now runs it now",
    ]


def test_updates_that_are_off_are_neither_unknown_nor_to_be_asked(
    podvisor: Podvisor, daemon: Any
) -> None:
    daemon.answer("/v1/images", listed(msgspec.structs.replace(LOST, off=True)))
    said = podvisor("images", "web")
    assert said.code == 0
    assert said.out.splitlines()[1].split() == ["web", "redis", "7", "(ffffffff)", "off", "-", "-"]
    assert "redis: its updates are off" in said.out
    assert "unknown" not in said.out


def test_what_is_not_known_is_not_well(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/images", listed(LOST))
    said = podvisor("images", "web")
    assert said.code == 3
    assert daemon.asked[0].target == "/v1/images?app=web"
    assert "unknown" in said.out
    assert (
        "✗ web: whether there is a newer redis is unknown, last answered 4 days ago:"
        " docker.io does not answer" in said.out
    )
    assert "is the network up?" in said.out
    assert "redis: follows semver:^7" in said.out
    assert "cache.container" in said.out


def test_a_version_that_failed_here_is_told_with_the_way_on(
    podvisor: Podvisor, daemon: Any
) -> None:
    held = msgspec.structs.replace(HELD, failed=True, until=0.0, why="web.service failed")
    daemon.answer("/v1/images", listed(msgspec.structs.replace(WAITS, held=held)))
    said = podvisor("images")
    assert said.code == 3
    assert "nginx 1.27 (bbbbbbbbbbbb) failed here, and the one before runs: web.service" in said.out
    assert "podvisor retry web tries it again" in said.out


def test_a_pin_is_told_with_the_way_out(podvisor: Podvisor, daemon: Any) -> None:
    pinned = msgspec.structs.replace(WAITS, held=None, pinned=OLD)
    held = msgspec.structs.replace(pinned, held=msgspec.structs.replace(HELD, why="pinned"))
    daemon.answer("/v1/images", listed(pinned, held))
    said = podvisor("images")
    assert "web: nginx is pinned at 1.27 (aaaaaaaaaaaa)" in said.out
    assert "podvisor unpin web nginx has it follow again" in said.out


def test_there_may_be_none(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/images", listed())
    assert podvisor("images").out == "No images yet.\n"


def test_an_unknown_app_is_an_error(podvisor: Podvisor, daemon: Any) -> None:
    refusal = {"detail": "no app named “wbe”", "hint": "did you mean “web”?"}
    daemon.answer("/v1/images", refusal, status=404)
    said = podvisor("images", "wbe")
    assert said.code == 1
    assert "did you mean “web”?" in said.err


def test_images_are_read_from_the_ledger_without_a_daemon(podvisor: Podvisor, home: Path) -> None:
    ledger = SqliteLedger(
        home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
    )
    place = {"name": "web", "source": "home", "revision": "bbbb2222"}
    pin = Pin(path="web.container", question=NGINX.key, runs=OLD.runs, tag=OLD.tag)
    tried = Rollout(
        **place,
        release="2222",
        root="",
        files=(),
        pins=(pin,),
        began_at=1.0,
        outcome=Outcome.GOOD,
        ended_at=2.0,
    )
    ledger.put_rollout(tried)
    ledger.put_applied(AppliedApp(**place, content="", release="2222", applied_at=1.0, units={}))
    ledger.put(ImageKnowledge(question=NGINX, newest=NEW, asked_at=NOW - 300), NGINX.key)
    order = ImageOrder(app="web", question=NGINX.key, pinned=OLD, at=1.0)
    ledger.put(order, order.key)
    ledger.close()
    said = podvisor("images")
    assert said.code == 4
    assert "1.27 (aaaaaaaa)  1.27 (bbbbbbbb)" in said.out
    assert "pinned at 1.27 (aaaaaaaaaaaa)" in said.out
    told = msgspec.json.decode(podvisor("images", "web", "--json").out, type=ImageList)
    assert [one.running for one in told.images] == [OLD]
    assert podvisor("images", "wbe").code == 1


def test_a_status_tells_of_a_newer_version_in_one_line(podvisor: Podvisor, daemon: Any) -> None:
    web = AppStatus(name="web", source="home", state=AppState.READY, updates=(HELD,))
    daemon.answer("/v1/status", plain(Status(running=True, version="1", apps=(web,))))
    said = podvisor("status")
    assert said.code == 0
    (line,) = (line for line in said.out.splitlines() if "nginx" in line)
    assert line == (
        "  … nginx 1.27 (bbbbbbbbbbbb) waits: it is too new (cooldown); it goes in 2 days"
    )


def test_a_status_tells_what_failed_and_that_the_one_before_runs(
    podvisor: Podvisor, daemon: Any
) -> None:
    failed = msgspec.structs.replace(HELD, failed=True, until=0.0, why="web.service failed")
    web = AppStatus(name="web", source="home", state=AppState.READY, updates=(failed,))
    daemon.answer("/v1/status", plain(Status(running=True, version="1", apps=(web,))))
    said = podvisor("status")
    assert said.code == 0
    assert "✗ nginx 1.27 (bbbbbbbbbbbb) failed here, and the one before runs: web" in said.out
    assert "podvisor retry web" in said.out
