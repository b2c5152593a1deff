"""A daemon that starts says whether the one before it ended as it should."""

import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.controllers.state.last_run import tell_start
from supervisor.kit.clock import SystemClock
from supervisor.model.events import EventKind, OwnCode
from supervisor.model.settings import LedgerSettings


@pytest.fixture
def ledger(tmp_path):
    made = SqliteLedger(tmp_path / "ledger.db", settings=LedgerSettings(), clock=SystemClock())
    yield made
    made.close()


STARTED = EventKind.STARTED
CRASHED, POWER_LOST = OwnCode.STARTED_CRASHED, OwnCode.STARTED_POWER_LOST


def start(ledger, *, booted_at=0.0):
    tell_start(ledger, version="1.0", booted_at=booted_at)
    return ledger.events()[-1]


def test_the_first_one_and_one_after_a_stop(ledger):
    first = start(ledger)
    assert (first.code, first.ok, first.reason) == (STARTED, True, "podvisor 1.0")
    ledger.log(EventKind.STOPPED, reason="asked to")
    ledger.log(EventKind.APPLIED, app="web")
    assert start(ledger).code == STARTED


def test_one_after_a_crash(ledger):
    start(ledger)
    ledger.log(EventKind.APPLIED, app="web")
    again = start(ledger)
    assert (again.code, again.ok) == (CRASHED, False)
    assert again.reason.endswith("did not stop as it should: it was killed")
    assert start(ledger).code == CRASHED, "it was killed once more"
    ledger.log(EventKind.STOPPED, reason="asked to")
    assert start(ledger).code == STARTED


def test_one_after_an_error_of_its_own(ledger):
    start(ledger)
    ledger.log(EventKind.STOPPED, ok=False, reason="cannot go on: OSError()")
    again = start(ledger)
    assert again.code == CRASHED
    assert (
        again.reason == "podvisor 1.0; the one before ended with an error: cannot go on: OSError()"
    )


def test_one_after_the_power_went(ledger):
    began = start(ledger).time
    again = start(ledger, booted_at=began + 60)
    assert (again.code, again.ok) == (POWER_LOST, False)
    assert "the machine went down with it" in again.reason
