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
    states = {"web": "failed"}
    word = judged(web, states, endings={"web.service": Ending(how=how)})
    assert (word.state, word.unit) == (GateState.FAILED, "web.service")
    assert word.reason == f"web.service failed {said}"


@pytest.mark.parametrize(
    ("vpn", "said"),
    [("deactivating", "; vpn.service, which it needs, is deactivating"), ("active", "")],
)
def test_what_fails_since_what_it_needs_is_down_says_so(vpn, said):
    both = app("app", container("a", requires=("vpn.service",)), container("vpn"))
    word = judged(both, {"a": "failed", "vpn": vpn}, endings={"a.service": Ending(how="x")})
    assert word.reason == f"a.service failed (x){said}"


def judged(which, states, *, endings):
    """What the gate says of an app on trial whose units are in these states."""
    observed = Observed(
        units={
            f"{name}.service": UnitState(name=f"{name}.service", load="loaded", active=active)
            for name, active in states.items()
        },
        targets=frozenset({"default.target"}),
        apps={},
        inventory=Inventory(),
        applied={},
        endings=endings,
        owned_root="/",
    )
    trial = Rollout(
        name=which.name,
        source="home",
        revision="r1",
        release="1",
        root=which.name,
        files=(),
        began_at=NOW - 100,
    )
    return judge(which, observed, trial, NOW, RolloutSettings(settle=10, gate_timeout=600))
