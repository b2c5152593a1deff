"""Health, whatever happens: the pace of checks, and what a probe's answers add up to."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.health.unit_health import after_answer, is_restless, next_probe_at, noted
from supervisor.core.plan.check_intervals import plan_check_intervals, settle_seconds
from supervisor.core.plan.draft import Draft
from supervisor.model.health import Checked, ContainerHealth, Health, Probe, Probed
from supervisor.model.observed import Inventory, Observed, UnitState
from supervisor.model.plan import SetHealthInterval
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import HealthSettings
from tests.fakes.machine import ROOT, app, container

DECLARED, IDLE, SETTLE = 30.0, 300.0, 240.0
SETTINGS = HealthSettings(idle_interval=Seconds(IDLE), idle_after=Seconds(SETTLE))
WEB = container("web", health_interval=DECLARED)
APP = app("web", WEB)

looks = st.builds(
    ContainerHealth,
    id=st.sampled_from(["1", "2"]),
    name=st.just("systemd-web"),
    unit=st.just("web.service"),
    health=st.sampled_from([Health.STARTING, Health.HEALTHY, Health.UNHEALTHY]),
    streak=st.integers(0, 3),
    interval=st.sampled_from([5.0, DECLARED, IDLE, 900.0]),
)
states = st.sampled_from(["active", "reloading", "activating", "deactivating"])


def planned(
    checked: Checked, *, now: float, state: str = "active", settings: HealthSettings = SETTINGS
) -> tuple[list[SetHealthInterval], float]:
    observed = Observed(
        units={"web.service": UnitState(name="web.service", load="loaded", active=state)},
        targets=frozenset(),
        apps={},
        inventory=Inventory(),
        applied={},
        checked=(checked,),
        owned_root=ROOT,
    )
    draft = Draft(app="web")
    plan_check_intervals(APP, observed, now, settings, draft)
    return [step for step in draft.steps if isinstance(step, SetHealthInterval)], draft.next_at


@given(looks, st.floats(0, 1000), states)
def test_never_more_often_than_declared_and_less_often_only_if_all_is_well(
    seen: ContainerHealth, calm_for: float, state: str
) -> None:
    now = 10_000.0
    well = seen.health is Health.HEALTHY and not seen.streak and state == "active"
    checked = Checked(container=seen, since=0.0, calm_since=now - calm_for if well else 0.0)
    steps, _ = planned(checked, now=now, state=state)
    interval = steps[-1].seconds if steps else seen.interval
    assert interval >= min(DECLARED, seen.interval)
    if not well:
        assert interval <= DECLARED
    if interval > DECLARED:
        assert interval == IDLE
        assert calm_for >= SETTLE or seen.interval > DECLARED
    # What was done is not done again.
    after = Checked(
        container=msgspec.structs.replace(seen, interval=interval),
        since=0.0,
        calm_since=checked.calm_since,
    )
    assert planned(after, now=now, state=state)[0] == []


@given(st.lists(st.tuples(looks, st.floats(0.1, 200), states), min_size=1, max_size=30))
def test_a_container_is_well_only_since_the_last_bad_sign(
    seen: list[tuple[ContainerHealth, float, str]],
) -> None:
    now, memory, calm = 1000.0, None, 0.0
    last = ""
    for look, later, state in seen:
        now += later
        usual = state == "active"
        memory = noted(memory, look, usual=usual, now=now)
        well = usual and look.health is Health.HEALTHY and not look.streak
        calm = (calm if calm and look.id == last else now) if well else 0.0
        last = look.id
        assert memory.calm_since == calm
        assert memory.since <= now


def test_when_it_will_have_been_well_for_long_enough_is_known_beforehand() -> None:
    seen = ContainerHealth(
        id="1",
        name="systemd-web",
        unit="web.service",
        health=Health.HEALTHY,
        interval=DECLARED,
    )
    memory = noted(None, seen, usual=True, now=1000.0)
    assert planned(memory, now=1000.0) == ([], 1000.0 + SETTLE)
    assert planned(memory, now=1000.0 + SETTLE - 0.1) == ([], 1000.0 + SETTLE)
    ((step,), _) = planned(memory, now=1000.0 + SETTLE)
    assert step.seconds == IDLE


@given(st.floats(0, 2 * SETTLE), st.sampled_from([DECLARED, IDLE]))
def test_what_was_restarted_in_place_is_asked_as_declared(age: float, interval: float) -> None:
    """HealthOnFailure=restart: the same container, with the interval that it had."""
    now = 10_000.0
    seen = ContainerHealth(
        id="1",
        name="systemd-web",
        unit="web.service",
        health=Health.HEALTHY,
        interval=interval,
        started_at=now - age,
    )
    before = noted(None, msgspec.structs.replace(seen, started_at=1.0), usual=True, now=100.0)
    memory = noted(before, seen, usual=True, now=now)
    assert memory.calm_since == now
    steps, again = planned(memory, now=now)
    assert [step.seconds for step in steps] == ([DECLARED] if age < SETTLE < interval else [])
    if interval == DECLARED:
        assert again == now + SETTLE


@given(st.integers(1, 100), st.floats(0, 2000), st.sampled_from([Health.STARTING, Health.HEALTHY]))
def test_what_podman_restarted_is_unwell_the_longer_the_more_often(
    restarts: int, age: float, found: Health
) -> None:
    now = 10_000.0
    seen = ContainerHealth(
        id="1",
        name="systemd-web",
        unit="web.service",
        health=found,
        started_at=now - age,
        restarts=restarts,
    )
    for before in (None, noted(None, seen, usual=True, now=now - age)):
        memory = noted(before, seen, usual=True, now=now)
        assert is_restless(memory, now) == (age < min(600, 30 * restarts))
    # The clock was set back: at some time it is well, and not much later.
    memory = noted(None, seen, usual=True, now=1000.0)
    assert not is_restless(memory, 1600.0)


def test_switched_off_it_is_asked_as_declared_again() -> None:
    seen = ContainerHealth(
        id="1", name="systemd-web", unit="web.service", health=Health.HEALTHY, interval=IDLE
    )
    memory = Checked(container=seen, since=0.0, calm_since=1.0)
    ((step,), _) = planned(memory, now=1000.0, settings=HealthSettings())
    assert (step.seconds, step.reason) == (DECLARED, "HealthIdleInterval= is off")


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_a_probe_is_unhealthy_after_so_many_failures_in_a_row_and_well_after_one_answer(
    retries: int, answers: list[bool]
) -> None:
    probe = Probe(target="tcp://x:1", scheme="tcp", retries=retries, interval=3.0)
    state, now = Probed(unit="web.service", began_at=0.0), 0.0
    for number, good in enumerate(answers):
        now += 1
        state = after_answer(state, probe, "" if good else "refused", now)
        row = len(list(itertools.takewhile(lambda one: not one, answers[number::-1])))
        assert state.streak == row
        if good:
            assert state.health is Health.HEALTHY
        elif not any(answers[: number + 1]):
            late = now >= retries * probe.interval
            assert state.health is (Health.UNHEALTHY if late else Health.STARTING)
        elif row >= retries:
            assert state.health is Health.UNHEALTHY
        else:
            assert state.health is not Health.STARTING
        assert state.since <= now


def test_the_first_good_answer_may_take_the_start_period() -> None:
    probe = Probe(target="tcp://x:1", scheme="tcp", retries=1, interval=1.0, start_period=10.0)
    state = Probed(unit="web.service", began_at=100.0)
    state = after_answer(state, probe, "refused", 105.0)
    assert (state.health, state.streak) == (Health.STARTING, 1)
    assert after_answer(state, probe, "refused", 111.0).health is Health.UNHEALTHY
    well = after_answer(state, probe, "", 106.0)
    assert after_answer(well, probe, "refused", 107.0).health is Health.UNHEALTHY


@given(
    st.floats(1, 600),
    st.floats(1_000, 2_000_000_000),
    st.sampled_from([Health.STARTING, Health.HEALTHY, Health.UNHEALTHY]),
)
def test_probes_of_one_interval_fall_together(interval: float, now: float, found: Health) -> None:
    probe = Probe(target="tcp://x:1", scheme="tcp", interval=interval)
    at = next_probe_at(Probed(unit="web.service", health=found, began_at=now), probe, now)
    assert now < at <= now + 1.5 * interval + 0.01
    if found is not Health.STARTING:
        assert at >= now + interval / 2 - 0.01
        assert abs(at / interval - round(at / interval)) < 0.01


def test_the_settling_time_hears_three_answers_at_least() -> None:
    settings = HealthSettings(idle_after=Seconds(1))
    assert settle_seconds(settings, 30.0) == 90.0
