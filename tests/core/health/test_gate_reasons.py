"""What the gate says of a unit that failed."""

import pytest

from supervisor.core.health.endings import START_TIMEOUT
from supervisor.core.health.gate import judge
from supervisor.model.ending import Ending
from supervisor.model.observed import Inventory, Observed, UnitState
from supervisor.model.rollout import GateState, Rollout
from supervisor.model.settings import RolloutSettings
from tests.fakes.machine import app, container

NOW = 10_000.0


@pytest.mark.parametrize(
    ("waits", "how", "said"),
    [
        (True, START_TIMEOUT, f"({START_TIMEOUT}); no health check of it was good till then"),
        (False, START_TIMEOUT, f"({START_TIMEOUT})"),
        (True, "exit status 1", "(exit status 1)"),
    ],
)
def test_a_start_that_waited_for_a_good_check_in_vain_says_so(waits, how, said):
    web = app("web", container("web", up_once_healthy=waits))
    state = UnitState(name="web.service", load="loaded", active="failed", result="timeout")
    observed = Observed(
        units={"web.service": state},
        targets=frozenset({"default.target"}),
        apps={},
        inventory=Inventory(),
        applied={},
        endings={"web.service": Ending(how=how)},
        owned_root="/",
    )
    trial = Rollout(
        name="web",
        source="home",
        revision="r1",
        release="1",
        root="web",
        files=(),
        began_at=NOW - 100,
    )
    word = judge(web, observed, trial, NOW, RolloutSettings(settle=10, gate_timeout=600))
    assert (word.state, word.unit) == (GateState.FAILED, "web.service")
    assert word.reason == f"web.service failed {said}"
