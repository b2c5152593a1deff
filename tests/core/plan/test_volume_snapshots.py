"""When an app's volumes are exported before another release comes, and when that is done."""

import msgspec

from supervisor.core.plan.volumes import kept_snapshots
from supervisor.model.app import AppOptions
from supervisor.model.plan import Reload
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Outcome
from supervisor.model.volumes import AppVolumes, RestoreOrder, VolumeSnapshot
from tests.fakes.machine import Machine, app, container, deploy, volume

DATA = volume("data")
OLD = app("a", DATA, container("c", requires=(DATA.name,), volumes=(DATA.object_name,)))
NEW = msgspec.structs.replace(
    app("a", container("c", version="2", kind=UnitKind.PLAIN), revision="r2"),
    options=AppOptions(snapshot=True),
)
"""Asks for what the one before did not, and has no volume any more."""


def machine_with_old(*, began_at: float) -> Machine:
    machine = Machine()
    for one in (OLD, NEW):
        machine.teach(one)
    machine.converge([deploy(OLD)], began_at)
    return machine


def exports(machine: Machine, *, now: float) -> list[VolumeSnapshot]:
    """Have the new release come; returns what was exported."""
    machine.converge([deploy(NEW, OLD)], now)
    assert machine.running["c.service"] == NEW.runtime_units["c.service"].digest
    return list(machine.snapshots["a"].snapshots)


def test_volumes_that_the_new_release_leaves_are_exported_once() -> None:
    machine = machine_with_old(began_at=1.0)
    machine.reload()  # by somebody else, before the first step
    (snapshot,) = exports(machine, now=2.0)
    assert snapshot.revision == "r1"
    assert snapshot.stopped == ("c.service",)
    assert "c.service" not in machine.repairs


def test_a_clock_that_was_set_back_does_not_have_them_exported_without_end() -> None:
    machine = machine_with_old(began_at=5_000.0)
    (snapshot,) = exports(machine, now=1_000.0)
    assert snapshot.at == 1_000.0
    assert "c.service" not in machine.repairs


def test_what_was_exported_before_the_clock_was_set_back_counts_for_nothing() -> None:
    machine = machine_with_old(began_at=1.0)
    machine.stop("c.service")
    (step,) = machine.plan([deploy(NEW, OLD)], 5_000.0).steps
    machine.carry_out(step)
    assert [one.at for one in exports(machine, now=1_000.0)] == [5_000.0, 1_000.0]


def test_what_was_stopped_for_it_is_not_held_against_a_release_whose_pass_was_cut_short() -> None:
    user = container("user", requires=(DATA.name,), volumes=(DATA.object_name,))
    old, new = (
        msgspec.structs.replace(
            app("a", DATA, container("c", version=version), user, revision=version),
            options=AppOptions(snapshot=True),
        )
        for version in ("1", "2")
    )
    machine = Machine()
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)], 1.0)
    (export,) = machine.plan([deploy(new, old)], 2.0).steps
    machine.carry_out(export)
    steps = machine.plan([deploy(new, old)], 3.0).steps
    start = next(n for n, one in enumerate(steps) if getattr(one, "unit", "") == "user.service")
    for step in steps[:start]:
        machine.carry_out(step)
    machine.converge([deploy(new, old)], 4.0)
    assert machine.running == {unit.name: unit.digest for unit in new.units}
    assert machine.tried("a", "2").outcome is Outcome.GOOD


def snapshots(releases: str) -> tuple[VolumeSnapshot, ...]:
    """One for each letter, which is its release."""
    return tuple(
        VolumeSnapshot(
            id=f"{release}{number}",
            release=release,
            revision="",
            at=float(number),
            before="",
            volumes={"data": 1},
        )
        for number, release in enumerate(releases)
    )


def test_the_first_since_a_release_runs_outlives_those_of_what_fails_after_it() -> None:
    def kept(releases: str, keep: int) -> str:
        known = AppVolumes(snapshots=snapshots(releases))
        return " ".join(one.id for one in kept_snapshots(known, keep))

    assert kept("a", 3) == "a0"
    assert kept("abc", 3) == "a0 b1 c2"
    assert kept("abcd", 3) == "b1 c2 d3"
    assert kept("abbbbb", 3) == "b1 b3 b4 b5", "four releases failed after b"
    assert kept("abbbbbc", 3) == "b4 b5 c6", "c was good"
    assert kept("babab", 1) == "b4", "b runs once more"
    known = AppVolumes(snapshots=snapshots("abc"))
    order = RestoreOrder(snapshot=known.snapshots[0], at=9.0)
    known = msgspec.structs.replace(known, restore=order)
    assert [one.id for one in kept_snapshots(known, 1)] == ["a0", "c2"]


def test_the_plan_says_what_comes_after_the_export() -> None:
    machine = machine_with_old(began_at=1.0)
    plan = machine.plan([deploy(NEW, OLD)], 2.0)
    (verdict,) = plan.verdicts
    assert len(plan.steps) == 1
    assert {getattr(one, "unit", "") for one in verdict.afterwards} >= {"c.service"}
    assert any(isinstance(one, Reload) for one in verdict.afterwards)
    assert not set(map(type, verdict.afterwards)) & set(map(type, plan.steps))
