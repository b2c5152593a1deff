"""The gate: what it says follows from what is observed, and a failed revision always leads back."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.health.gate import judge
from supervisor.model.health import Health, Probed
from supervisor.model.observed import Inventory, Observed, UnitState
from supervisor.model.plan import Quarantine
from supervisor.model.rollout import GateState, Outcome, Rollout
from supervisor.model.settings import RolloutSettings
from tests.fakes.machine import Machine, app, container, deploy

NOW = 10_000.0
SETTINGS = RolloutSettings(settle=10, gate_timeout=600)
ACTIVE = ["active", "activating", "deactivating", "failed", "inactive", "reloading"]


@st.composite
def observations(draw):
    """An app with a few units in any state; and since when its revision is on trial."""
    names = [f"u{number}" for number in range(draw(st.integers(1, 3)))]
    web = app("web", *(container(name) for name in names))
    units, probed = {}, {}
    for name in names:
        unit = f"{name}.service"
        units[unit] = UnitState(
            name=unit,
            load="loaded",
            active=draw(st.sampled_from(ACTIVE)),
            sub=draw(st.sampled_from(["running", "auto-restart"])),
            job=draw(st.sampled_from(["", "start"])),
            ever_started=draw(st.booleans()),
            # Also in the future: clocks are set back.
            active_since=NOW - draw(st.floats(-100, 100)),
            restarts=draw(st.integers(0, 2)),
        )
        probed[unit] = Probed(unit=unit, health=draw(st.sampled_from(list(Health))))
    observed = Observed(
        units=units,
        targets=frozenset({"default.target"}),
        apps={},
        inventory=Inventory(),
        applied={},
        probed=probed,
        owned_root="/",
    )
    trial = Rollout(
        name="web",
        source="home",
        revision="r1",
        release="1",
        root="web",
        files=(),
        began_at=NOW - draw(st.floats(0, 1000)),
        ignored_units=tuple(draw(st.sets(st.sampled_from(sorted(units))))),
    )
    return web, observed, trial


@given(observations(), st.booleans())
def test_what_passes_is_up_and_well_and_settled(given_, strict):
    web, observed, trial = given_
    word = judge(web, observed, trial, NOW, SETTINGS, strict=strict)
    judged = [one for name, one in observed.units.items() if name not in trial.ignored_units]
    if word.state is GateState.PASSED:
        for one in judged:
            assert one.active in {"active", "reloading"}
            assert one.active_since > NOW or NOW - one.active_since >= SETTINGS.settle
            assert observed.probed[one.name].health in {Health.NONE, Health.HEALTHY}
            assert not (strict and one.restarts and one.active_since >= trial.began_at)
    elif word.state is GateState.PENDING:
        assert word.reason
        if word.look_at or strict:
            assert word.look_at > NOW, "a look that is due at once is a busy loop"
    else:
        assert strict, "without a way back nothing fails"
        assert word.reason


@given(observations())
def test_no_trial_lasts_for_ever(given_):
    web, observed, trial = given_
    late = trial.began_at + SETTINGS.gate_timeout
    word = judge(web, observed, trial, late, SETTINGS)
    assert word.state is not GateState.PENDING


@st.composite
def versions(draw, revision):
    names = draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1))
    units = [container(name, version=draw(st.sampled_from("12"))) for name in sorted(names)]
    return app("web", *units, revision=revision, data={"conf": revision})


@given(st.data())
def test_a_failing_revision_leads_back_wherever_it_is_cut_short(data):
    """Some units of the new revision never start; passes are cut anywhere; the old one runs."""
    machine = Machine()
    old, new = data.draw(versions("r1")), data.draw(versions("r2"))
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)])
    assert machine.applied["web"].revision == "r1"
    changed = [unit.name for unit in new.units if unit not in old.units]
    broken = data.draw(st.sets(st.sampled_from(changed))) if changed else set()
    digests = {unit.name: unit.digest for unit in new.units}
    machine.bad = {digests[name] for name in broken}
    after = [deploy(new, old)]
    for _ in range(data.draw(st.integers(0, 3))):
        plan = machine.plan(after)
        for step in plan.steps[: data.draw(st.integers(0, len(plan.steps)))]:
            machine.carry_out(step)
    plans = machine.converge(after)
    stands = old if broken else new
    assert machine.running == {unit.name: unit.digest for unit in stands.units}
    assert machine.applied["web"].revision == stands.revision
    assert machine.manifests["web"].revision == stands.revision
    if broken:
        assert machine.tried("web", "r2").outcome is Outcome.FAILED
        assert "r2" in str(machine.plan(after).verdicts[0].findings)
    assert sum(isinstance(s, Quarantine) for plan in plans for s in plan.steps) <= 1
