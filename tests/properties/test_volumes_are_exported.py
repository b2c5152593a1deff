"""Nothing of another release starts on volumes that were not exported, wherever a pass is cut."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.app import AppOptions
from supervisor.model.plan import RestartUnit, StartUnit, WriteFile
from supervisor.model.volumes import AppVolumes
from tests.fakes.machine import Machine, app, container, deploy, volume

ASKS = AppOptions(snapshot=True)


@st.composite
def releases(draw):
    """Two of an app with a volume: who mounts it, who needs whom, and what changes."""
    count = draw(st.integers(1, 3))
    shapes = [(draw(st.booleans()), draw(st.booleans())) for _ in range(count)]

    def release(revision):
        units = [volume("data")]
        for n, (mounts, needs) in enumerate(shapes):
            requires = (units[0].name, *((units[-1].name,) if needs and n else ()))
            more = {"volumes": ("systemd-data",)} if mounts else {}
            version = draw(st.sampled_from(["1", "2"]))
            units.append(container(f"c{n}", version=version, requires=requires, **more))
        if draw(st.booleans()):
            job = container("job", before_deploy=True, oneshot=True, wanted_by=())
            units.append(msgspec.structs.replace(job, volumes=("systemd-data",)))
        made = app("a", *units, revision=revision)
        return msgspec.structs.replace(made, options=ASKS)

    return release("r1"), release("r2")


@given(releases(), st.data())
def test_what_is_new_starts_after_the_volumes_were_exported(both, data):
    old, new = both
    machine = Machine()
    for one in both:
        machine.teach(one)
    machine.converge([deploy(old)])
    before = dict(machine.running)
    for _ in range(data.draw(st.integers(1, 6))):
        machine.now += 1
        plan = machine.plan([deploy(new, old)], machine.now)
        cut = data.draw(st.integers(0, len(plan.steps)))
        for step in plan.steps[:cut]:
            if isinstance(step, WriteFile) or (
                isinstance(step, StartUnit | RestartUnit)
                and step.inputs
                and step.inputs.digest != before.get(step.unit)
            ):
                known = machine.snapshots.get("a", AppVolumes()).snapshots
                has_changed = set(before.values()) ^ {unit.digest for unit in new.units}
                is_made = any(one.before == new.content for one in known)
                assert is_made or "systemd-data" not in machine.volumes or not has_changed
            machine.carry_out(step)
        if cut == len(plan.steps):
            machine.adopt(plan)
        if data.draw(st.booleans()):
            machine.cut_power()
            machine.boot()
            machine.start_queued()
    machine.converge([deploy(new, old)], machine.now + 1)
    for unit in new.units:
        if unit.wanted_by and not unit.before_deploy:
            assert machine.running[unit.name] == unit.digest
