"""Whatever changes, wherever it is cut short: as many replicas as asked for, of one release."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.plan import RestartUnit, StopUnit
from supervisor.model.settings import RolloutSettings, Seconds
from supervisor.model.unit_name import replica_names
from tests.fakes.machine import Machine, app, container, deploy

MOST = 5


def web(revision, version, replicas, unavailable):
    unit = container(
        "web@",
        version=version,
        path="web@.container",
        object_name="systemd-web_%i",
        replicas=replicas,
        instances=replica_names(replicas),
        max_unavailable=unavailable,
    )
    return app("web", unit, revision=revision, data={"number": f"{version} {replicas}"})


def names(replicas):
    return {f"web@{number}.service" for number in range(1, replicas + 1)}


def rests(machine, deployments, *, cut=len, unavailable=MOST):
    """Carry out pass after pass until nothing is left; returns the units that were restarted."""
    restarted = []
    for _ in range(3 * MOST + 6):
        plan = machine.plan(deployments, machine.now + 100)  # no repair has to wait
        if not plan.steps:
            machine.adopt(plan)
            return restarted
        down = [step.unit for step in plan.steps if isinstance(step, RestartUnit)]
        up = [one for one in down if one in machine.running]
        assert len(up) <= unavailable, "too many at once"
        restarted += down
        steps = plan.steps[: cut(plan.steps)]
        for step in steps:
            machine.carry_out(step)
        machine.start_queued()
        if len(steps) == len(plan.steps):
            machine.adopt(plan)
    raise AssertionError("never at rest")


@given(st.data())
def test_as_many_as_asked_for_and_all_of_one_release(data):
    machine = Machine(settings=RolloutSettings(settle=Seconds(0), gate_timeout=Seconds(36_000)))
    number = st.integers(0, MOST)
    unavailable = data.draw(st.integers(1, MOST))
    old = web("r1", "1", data.draw(number), unavailable)
    new = web("r2", data.draw(st.sampled_from(["1", "2"])), data.draw(number), unavailable)
    for one in (old, new):
        machine.teach(one)
    rests(machine, [deploy(old)])
    assert machine.running.keys() == names(len(old.units[0].instances))
    # Somebody starts others, by names of all kinds.
    for stray in data.draw(st.sets(st.sampled_from(["6", "77", "x", "0"]))):
        machine.start("", f"web@{stray}.service", None)
    cuts = data.draw(st.lists(st.integers(0, 30), max_size=4))
    happens = data.draw(st.lists(st.sampled_from(["", "power", "reload"]), max_size=3))

    def cut(steps):
        if happens:
            match happens.pop():
                case "power":
                    machine.cut_power()
                    machine.boot()
                case "reload":
                    machine.reload()
        return min(cuts.pop(), len(steps)) if cuts else len(steps)

    deployments = [deploy(new, old if old.content != new.content else None)]
    rests(machine, deployments, cut=cut, unavailable=unavailable)
    assert machine.running.keys() == names(len(new.units[0].instances))
    assert set(machine.running.values()) <= {new.units[0].digest}


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_another_number_alone_restarts_none_and_the_highest_go_first(before, after):
    machine = Machine()
    old, new = web("r1", "1", before, 1), web("r2", "1", after, 1)
    for one in (old, new):
        machine.teach(one)
    rests(machine, [deploy(old)])
    plan = machine.plan([deploy(new, old)])
    stopped = [step.unit for step in plan.steps if isinstance(step, StopUnit)]
    assert stopped == sorted(names(before) - names(after), reverse=True)
    assert not rests(machine, [deploy(new, old)])
    assert machine.running.keys() == names(after)
