"""What the gate says of a unit that failed."""

from types import MappingProxyType

import pytest

from supervisor.core.health.endings import START_TIMEOUT
from supervisor.core.health.gate import judge
from supervisor.model.ending import Ending
from supervisor.model.observed import Inventory, Observed, UnitState
from supervisor.model.rollout import GateState, Rollout
from supervisor.model.settings import RolloutSettings
from tests.fakes.machine import app, container

NOW = 10_000.0
UNREADY = "its startup check failed 3 times in a row, so Podman ended it"


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
    ("retries", "restarted_at", "state", "said"),
    [
        (3, NOW - 2, {}, f"did not stay up: {UNREADY}: booting"),
        (3, NOW - 60, {}, "did not stay up: it ended with status 0: booting"),
        (3, 0.0, {}, "did not stay up: it ended with status 0: booting"),
        (0, NOW - 2, {}, "did not stay up: it ended with status 0: booting"),
        (
            3,
            NOW - 2,
            {"active": "failed", "result": "exit-code"},
            f"failed (exit-code): booting; {UNREADY}",
        ),
        (
            3,
            NOW - 2,
            {"active": "activating", "sub": "auto-restart"},
            f"did not stay up: {UNREADY}; systemd restarts it: booting",
        ),
        (
            3,
            NOW - 2,
            {"active": "active", "restarts": 1, "active_since": NOW - 1},
            f"did not stay up: {UNREADY}; systemd restarts it: booting",
        ),
    ],
)
def test_what_podman_ended_for_its_startup_check_says_so(retries, restarted_at, state, said):
    web = app("web", container("web", startup_retries=retries))
    seen = {"active": "inactive", "exit_status": 0, "ever_started": True, "active_since": NOW - 9}
    word = judged(
        web,
        {"web": {**seen, **state}},
        endings={"web.service": Ending(lines=("booting",))},
        restarted={"web.service": restarted_at},
    )
    assert (word.state, word.reason) == (GateState.FAILED, f"web.service {said}")


@pytest.mark.parametrize(
    ("vpn", "said"),
    [("deactivating", "; vpn.service, which it needs, is deactivating"), ("active", "")],
)
def test_what_fails_since_what_it_needs_is_down_says_so(vpn, said):
    both = app("app", container("a", requires=("vpn.service",)), container("vpn"))
    word = judged(both, {"a": "failed", "vpn": vpn}, endings={"a.service": Ending(how="x")})
    assert word.reason == f"a.service failed (x){said}"


def test_how_long_it_was_not_well_is_told_as_people_would():
    web = app("web", container("web"))
    began = NOW - 615.00671
    word = judged(web, {"web": "activating"}, endings={}, began=began)
    assert word.reason == "it is not well after 10m15s: web.service: activating"


def judged(which, states, *, endings, restarted=MappingProxyType({}), began=NOW - 100):
    """What the gate says of an app on trial whose units are in these states."""
    observed = Observed(
        units={
            f"{name}.service": UnitState(
                name=f"{name}.service",
                load="loaded",
                **({"active": seen} if isinstance(seen, str) else seen),
            )
            for name, seen in states.items()
        },
        targets=frozenset({"default.target"}),
        apps={},
        inventory=Inventory(),
        applied={},
        endings=endings,
        restarted=dict(restarted),
        owned_root="/",
    )
    trial = Rollout(
        name=which.name,
        source="home",
        revision="r1",
        release="1",
        root=which.name,
        files=(),
        began_at=began,
    )
    return judge(which, observed, trial, NOW, RolloutSettings(settle=10, gate_timeout=600))
