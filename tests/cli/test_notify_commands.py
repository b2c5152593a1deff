"""`notify`, at a daemon that answers what it is told to, and without one."""

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec

from supervisor.model.notify import (
    Lasts,
    News,
    NotifierList,
    NotifierStatus,
    NotifyResult,
    NotifyTest,
)
from supervisor.model.notify_settings import NotifyKind

Podvisor = Callable[..., Any]
NOW = time.time()
WELL = NotifierStatus(
    name="mail", events=("deployed",), sent_at=NOW - 5_400, sent="pi: web was deployed"
)
AILING = NotifierStatus(
    name="phone",
    events=("problem",),
    waiting=(
        News(key="a", kind=NotifyKind.PROBLEM, lasts=Lasts.OPEN, app="web", text="web is\x1b down"),
        *(News(key=f"{n}", kind=NotifyKind.PROBLEM, text=f"{n} is down") for n in range(11)),
    ),
    next_at=NOW + 5_400,
    failure="error=401",
    hint="compare the URL",
    failing_since=NOW - 5_400,
)


def plain(one: msgspec.Struct) -> Any:
    return json.loads(msgspec.json.encode(one))


def test_shows_what_was_told_and_what_waits(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/notify", plain(NotifierList(notifiers=(WELL, AILING))))
    said = podvisor("notify")
    assert said.code == 3
    assert "mail" in said.out
    assert "pi: web was deployed" in said.out
    assert "1h ago" in said.out
    assert "in 1h" in said.out
    assert "phone cannot send: error=401 (for 1h)" in said.out
    assert "compare the URL" in said.out
    assert "problem: web is down" in said.out.replace("�", "")
    assert "and 2 more" in said.out
    assert "\x1b" not in said.out
    assert json.loads(podvisor("notify", "--json").out) == plain(
        NotifierList(notifiers=(WELL, AILING))
    )


def test_what_waits_for_several_is_told_once(podvisor: Podvisor, daemon: Any) -> None:
    late = msgspec.structs.replace(AILING, next_at=NOW - 840)
    other = msgspec.structs.replace(late, name="quietly", failure="")
    daemon.answer("/v1/notify", plain(NotifierList(notifiers=(late, other))))
    lines = podvisor("notify").out.splitlines()
    assert "  problem: 0 is down (phone, quietly)" in lines
    assert sum("0 is down" in line for line in lines) == 1
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["phone", "never", "now"],
        ["quietly", "never", "now"],
    ]


def test_without_a_notifier_it_says_how_to_have_one(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/notify", plain(NotifierList(notifiers=())))
    said = podvisor("notify")
    assert said.code == 0
    assert "[notify.NAME]" in said.out


def test_says_what_came_of_a_test(podvisor: Podvisor, daemon: Any) -> None:
    results = (NotifyResult(name="mail"), NotifyResult(name="phone", failure="error=401", hint="h"))
    daemon.answer("/v1/notify/test", plain(NotifyTest(results=results)))
    said = podvisor("notify", "test")
    assert said.code == 1
    assert "mail: sent" in said.out
    assert "phone: error=401" in said.out
    daemon.answer("/v1/notify/test", plain(NotifyTest(results=results[:1])))
    assert podvisor("notify", "test", "mail").code == 0
    assert daemon.asked[-1].body == {"name": "mail"}


def test_without_a_daemon_nothing_is_sent(podvisor: Podvisor) -> None:
    assert podvisor("notify", "test").code == 4
    assert podvisor("notify").code == 4
