"""`podvisor why`, with a daemon and without one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.kit.clock import SystemClock
from supervisor.model.events import Event, EventKind
from supervisor.model.observed import AppliedApp, UnitInputs
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.settings import LedgerSettings

Podvisor = Callable[..., Any]
REVISION = "3f2a91c0" * 5
SAID = {
    "app": "web",
    "running": True,
    "facts": [
        {
            "about": "release",
            "text": "web runs 3f2a91c0",
            "at": 1_000.0,
            "causes": [{"text": "source home came to 3f2a91c0"}, {"text": "a webhook"}],
        },
        {"about": "state", "text": "web.service is down", "command": "podvisor logs web"},
    ],
}


def test_causes_stand_below_what_they_explain(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/why", SAID)
    said = podvisor("why", "web")
    first, *rest = said.out.splitlines()
    assert first.startswith("web runs 3f2a91c0  1970-01-01 ")
    assert rest == [
        "  because source home came to 3f2a91c0",
        "    because a webhook",
        "web.service is down",
        "  podvisor logs web",
    ]
    assert daemon.asked[-1].target == "/v1/why?name=web"


def test_json_is_what_the_daemon_answered(podvisor: Podvisor, daemon: Any) -> None:
    daemon.answer("/v1/why", SAID)
    assert json.loads(podvisor("why", "web", "--json").out) == SAID


@pytest.fixture
def ledger(home: Path) -> SqliteLedger:
    return SqliteLedger(
        home / "state/podvisor/ledger.db", settings=LedgerSettings(), clock=SystemClock()
    )


def fill(ledger: SqliteLedger, *, entries: int = 0) -> None:
    now = time.time()
    noise = (
        Event(
            kind=EventKind.STEP,
            step="pull",
            time=now - 9_000,
            app="web" if number % 2 else f"app{number % 50}",
            reason="noise",
        )
        for number in range(entries)
    )
    ledger.append(
        *noise,
        Event(kind=EventKind.WEBHOOK, source="home", time=now - 62, reason="pushed: 3f2a main"),
        Event(
            kind=EventKind.REVISION,
            source="home",
            revision=REVISION,
            time=now - 61,
            reason="use 1.2",
        ),
    )
    rollout = Rollout(
        name="web",
        source="home",
        revision=REVISION,
        root="web",
        files=(),
        release="abc",
        subject="use 1.2",
        began_at=now - 60,
        ended_at=now - 51,
        outcome=Outcome.GOOD,
    )
    ledger.put_rollout(rollout)
    words = {"name": "web", "source": "home", "revision": REVISION, "content": "", "release": "abc"}
    units = {"web.service": UnitInputs(digest="1")}
    ledger.put_applied(AppliedApp(**words, applied_at=now - 51, units=units))
    ledger.close()


TOLD = [
    "web runs 3f2a91c0 “use 1.2” of source home, which passed its gate after 9s",
    "  because source home came to 3f2a91c0 “use 1.2”",
    "    because a webhook told of it: pushed: 3f2a main",
    "how web is now nobody can say: the daemon is not running",
]


def without_moments(text: str) -> list[str]:
    return [line.partition("  2")[0] for line in text.splitlines()]


def test_without_a_daemon_the_ledger_tells(podvisor: Podvisor, ledger: SqliteLedger) -> None:
    fill(ledger)
    said = podvisor("why", "web")
    assert (said.code, without_moments(said.out)) == (0, TOLD)
    assert podvisor("why", "web.service").out == podvisor("why", "web/web").out != said.out


def test_a_name_that_is_none_is_told_the_nearest(podvisor: Podvisor, ledger: SqliteLedger) -> None:
    fill(ledger)
    said = podvisor("why", "wbe")
    assert said.code == 1
    assert said.err.splitlines() == [
        "podvisor: no app and no unit of an app is called “wbe”",
        "  did you mean “web”?",
    ]


def test_an_app_that_left_is_still_told_of(podvisor: Podvisor, ledger: SqliteLedger) -> None:
    ledger.append(Event(kind=EventKind.REMOVED, app="old", reason="no longer in the source"))
    ledger.close()
    said = podvisor("why", "old")
    assert without_moments(said.out) == ["old is gone: no longer in the source"]


@pytest.mark.once
def test_a_long_log_is_not_read_as_a_whole(podvisor: Podvisor, ledger: SqliteLedger) -> None:
    fill(ledger, entries=100_000)
    podvisor("why", "web")  # imports are not what is measured
    began = time.process_time()
    said = podvisor("why", "web")
    assert time.process_time() - began < 0.2
    assert without_moments(said.out) == TOLD
