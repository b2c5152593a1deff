"""`update`, `pin`, `unpin` and `retry`, at a daemon that answers what it is told to."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from supervisor.model.image import HeldUpdate, ImageKnowledge, ImageQuestion, ImageVersion
from supervisor.model.image_status import ImageReply, ImageStatus
from supervisor.model.status import AppState, AppStatus, SyncReply

Podvisor = Callable[..., Any]

NGINX = ImageQuestion(image="docker.io/library/nginx:1.27")
OLD, NEW = (
    ImageVersion(runs=f"docker.io/library/nginx@sha256:{digit * 64}", tag="1.27") for digit in "ab"
)
KNOWN = ImageKnowledge(question=NGINX, newest=NEW, asked_at=1.0, answered_at=1.0)
WEB = AppStatus(name="web", source="home", state=AppState.READY, revision="bbbb2222")
RUNS = ImageStatus(app="web", image=NGINX.image, running=NEW, known=KNOWN)
WAITS = ImageStatus(
    app="web",
    image=NGINX.image,
    running=OLD,
    known=KNOWN,
    held=HeldUpdate(
        app="web", question=NGINX.key, image=NGINX.image, version=NEW, why="it is too new"
    ),
)


def reply(*images: ImageStatus, apps: tuple[AppStatus, ...] = (WEB,)) -> Any:
    return {"reply": json.loads(msgspec.json.encode(ImageReply(apps=apps, images=images)))}


def test_update_shows_what_is_done_and_how_it_ended(podvisor: Podvisor, daemon: Any) -> None:
    event = {"time": 1.0, "kind": "step", "step": "pull", "app": "web", "reason": "pulled"}
    daemon.answer("/v1/update", {"event": event}, reply(RUNS))
    said = podvisor("update", "nginx", "--now", "--reason", "CVE")
    assert said.code == 0
    assert daemon.asked[0].body == {
        "name": "nginx",
        "now": True,
        "dry_run": False,
        "reason": "CVE",
    }
    assert "pulled" in said.out
    assert "web  ready" in said.out
    assert "1.27 (bbbbbbbb)  runs" in said.out


def test_update_without_a_name_is_for_all(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/update", reply(WAITS))
    said = podvisor("update")
    assert said.code == 0, "what waits is well"
    assert daemon.asked[0].body["name"] == ""
    assert "nginx 1.27 (bbbbbbbbbbbb) waits: it is too new" in said.out


@pytest.mark.parametrize(
    "image",
    [
        msgspec.structs.replace(WAITS, held=msgspec.structs.replace(WAITS.held, failed=True)),
        msgspec.structs.replace(RUNS, known=msgspec.structs.replace(KNOWN, problem="no answer")),
    ],
)
def test_what_failed_or_is_not_known_is_not_well(
    podvisor: Podvisor, daemon: Any, image: ImageStatus
) -> None:
    daemon.answer("/v1/update", reply(image))
    assert podvisor("update", "web").code == 3


def test_a_dry_run_says_what_would_move_and_what_holds_it(podvisor: Podvisor, daemon: Any) -> None:
    moves = msgspec.structs.replace(WAITS, held=None, moves_to=NEW, passes="its window is Sat")
    daemon.answer("/v1/update", reply(moves, WAITS, apps=()))
    said = podvisor("update", "--dry-run", "--now")
    assert said.code == 0
    assert daemon.asked[0].body["dry_run"] is True
    assert said.out.splitlines() == [
        "web: nginx 1.27 (aaaaaaaaaaaa) → 1.27 (bbbbbbbbbbbb)",
        "    follows the tag of docker.io/library/nginx:1.27",
        "    though its window is Sat",
        "web: nginx 1.27 (aaaaaaaaaaaa) → 1.27 (bbbbbbbbbbbb)",
        "    follows the tag of docker.io/library/nginx:1.27",
        "    nginx 1.27 (bbbbbbbbbbbb) waits: it is too new",
    ]


def test_a_dry_run_may_find_nothing(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/update", reply(RUNS, apps=()))
    assert podvisor("update", "--dry-run").out == "Nothing would be updated (1 image followed).\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], []),
        (["nginx"], ["nginx"]),
        (["1.27.3"], ["1.27.3"]),
        (["nginx", "1.27.3"], ["nginx", "1.27.3"]),
    ],
)
def test_pin_leaves_it_to_the_daemon_what_the_words_mean(
    podvisor: Podvisor, daemon: Any, arguments: list[str], words: list[str]
) -> None:
    daemon.answer("/v1/pin", reply(msgspec.structs.replace(RUNS, pinned=NEW)))
    said = podvisor("pin", "web", *arguments)
    assert said.code == 0
    assert daemon.asked[0].body == {"app": "web", "words": words, "reason": ""}
    assert "web: nginx is pinned at 1.27 (bbbbbbbbbbbb)" in said.out


def test_a_pin_is_well_whatever_is_newer(podvisor: Podvisor, daemon: Any) -> None:
    known = msgspec.structs.replace(KNOWN, problem="no answer")
    daemon.answer("/v1/pin", reply(msgspec.structs.replace(RUNS, pinned=NEW, known=known)))
    assert podvisor("pin", "web").code == 0


def test_unpin_names_an_image_or_none(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/unpin", reply(RUNS))
    assert podvisor("unpin", "web", "nginx", "--reason", "mended").code == 0
    assert podvisor("unpin", "web").code == 0
    assert [asked.body for asked in daemon.asked] == [
        {"app": "web", "words": ["nginx"], "reason": "mended"},
        {"app": "web", "words": [], "reason": ""},
    ]


def test_retry_is_not_well_if_it_fails_again(podvisor: Podvisor, daemon: Any) -> None:
    web = msgspec.structs.replace(WEB, state=AppState.REVERTED)
    daemon.answer("/v1/retry", {"reply": json.loads(msgspec.json.encode(SyncReply(apps=(web,))))})
    assert podvisor("retry", "web").code == 3
    assert daemon.asked[0].body == {"apps": ["web"], "reason": ""}


@pytest.mark.parametrize(
    "arguments",
    [["update"], ["update", "--dry-run"], ["pin", "web"], ["unpin", "web"], ["retry", "web"]],
)
def test_orders_need_the_daemon(podvisor: Podvisor, arguments: list[str]) -> None:
    assert podvisor(*arguments).code == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["pin", "web", "nginx", ""], "VERSION is empty"),
        (["pin", "web", ""], "IMAGE is empty"),
        (["unpin", "web", ""], "IMAGE is empty"),
        (["update", "", "--now"], "APP|IMAGE is empty"),
        (["rollback", "web", ""], "REVISION is empty"),
        (["retry", ""], "APP is empty"),
        (["sync", "web", ""], "APP is empty"),
        (["resume", ""], "APP is empty"),
        (["scale", "web/=3"], "web/=3 names no UNIT"),
        (["certs", "renew", ""], "NAME is empty"),
    ],
)
def test_an_empty_word_is_not_one_that_is_left_out(
    podvisor: Podvisor, daemon: Any, arguments: list[str], word: str
) -> None:
    said = podvisor(*arguments)
    assert said.code == 64
    assert word in said.err
    assert not daemon.asked
