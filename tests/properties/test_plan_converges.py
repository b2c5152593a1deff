"""Whatever the change and wherever it is cut short: the next passes end in the wanted state."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.files.names import shapes_units
from supervisor.core.health.wanted_units import should_run
from supervisor.core.plan.certificates import has_taken_up
from supervisor.model.app import AppOptions, ChangeAction, ChangeRule
from supervisor.model.certificate import CertificateTerms, CertificateUse, DesiredCertificate
from supervisor.model.plan import (
    LeaveUnit,
    Reload,
    ReloadUnit,
    RemoveFile,
    RestartUnit,
    RunJob,
    SealManifest,
    StartUnit,
    StopUnit,
    WriteFile,
)
from supervisor.model.quadlet import UnitKind
from tests.examples import scaled
from tests.fakes.machine import Machine, app, container, deploy, network, pod, volume

LATER = 2.0
"""A release that comes is planned after the one before began."""
CERTIFICATES = ("a-tls", "b-tls")
"""Each is described by the app of that name, if anything is."""
VERSIONS = st.sampled_from(["v1", "v1+", "v2", "v2+", "v3"])
RULES = [(), *((ChangeRule(action=action),) for action in ChangeAction)]


def fresh():
    """A machine that has every certificate."""
    return Machine(certificates=dict.fromkeys(CERTIFICATES, "v1"))


@st.composite
def certificate_uses(draw, name, host):
    """What a unit uses: certificates of its own app, or of the one that lends it networks."""
    names = [f"{name}-tls", *(one.name for one in (host.certificates if host else ()))]
    used = draw(st.lists(st.sampled_from(names), unique=True, max_size=1 + len(names) // 2))
    return tuple(CertificateUse(name=one, fixed=draw(st.booleans())) for one in used)


@st.composite
def apps(draw, name, host=None, *, snapshots=False):
    """An app of any of a few shapes: its units need each other, or a network of app `host`."""
    versions = st.sampled_from(["1", "2"])
    units = []
    needs = []
    mounted = ()
    if draw(st.booleans()):
        called = draw(st.sampled_from(["", f"{name}-other"]))
        version = f"{draw(versions)}{called}"
        units.append(network(f"{name}-net", version=version, object_name=called))
        needs.append(units[-1].name)
    if draw(st.booleans()):
        units.append(volume(f"{name}-vol"))
        mounted = (units[-1].object_name,)
        needs.append(units[-1].name)
    bound = list(needs)
    if draw(st.booleans()):
        units.append(pod(f"{name}-p", version="".join(needs), requires=tuple(needs)))
        bound.append(units[-1].name)
    lent = [unit.name for unit in host.units if unit.kind is UnitKind.NETWORK] if host else []
    if lent and draw(st.booleans()):
        units.append(container(f"{name}-guest", version=draw(versions), requires=tuple(lent)))
    for n in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from([UnitKind.CONTAINER, UnitKind.PLAIN, UnitKind.KUBE]))
        needs = bound if kind is UnitKind.CONTAINER else bound[: len(bound) - 1]
        called = draw(st.sampled_from([f"{name}-{n}", "other"])) if kind != UnitKind.PLAIN else ""
        image = draw(st.sampled_from([(), ("img:1",), ("img:2",)]))
        reads = draw(st.sampled_from([(), ("conf",)]))
        on_change = draw(st.sampled_from(RULES))
        can_reload = draw(st.booleans())
        uses = draw(certificate_uses(name, host))
        units.append(
            container(
                f"{name}-{n}",
                version="".join(
                    (
                        draw(versions),
                        *(*image, *needs, *reads),
                        *(str(can_reload), str(len(on_change)), kind, called),
                        *(f"{use.name}{use.fixed}" for use in uses),
                    )
                ),
                kind=kind,
                object_name=called,
                requires=tuple(needs),
                volumes=mounted if snapshots and kind is UnitKind.CONTAINER else (),
                images=image,
                reads=reads,
                live=reads,
                on_change=on_change,
                can_reload=can_reload,
                certificate_uses=uses,
            )
        )
    if draw(st.booleans()):
        reads = draw(st.sampled_from([(), ("conf",)]))
        units.append(
            container(
                f"{name}-job",
                version="".join([draw(versions), *needs, *reads]),
                requires=tuple(needs),
                reads=reads,
                before_deploy=True,
                oneshot=True,
                wanted_by=(),
            )
        )
    data = {"conf/a": draw(st.sampled_from(["a1", "a2"]))}
    made = app(name, *units, revision=draw(st.sampled_from(["r1", "r2", "r3"])), data=data)
    options = AppOptions(snapshot=draw(st.booleans())) if snapshots else AppOptions()
    own = f"{name}-tls"
    asked = DesiredCertificate(
        name=own, path=f"{own}.certificate", terms=CertificateTerms(domains=("a.example",))
    )
    return msgspec.structs.replace(made, options=options, certificates=(asked,))


def shaped_by_the_host(one):
    """The same app, with its networks as a drop-in of this host's own has them."""
    units = tuple(
        msgspec.structs.replace(unit, digest=f"{unit.digest}+host", outside={"/etc/x": "1"})
        if unit.kind is UnitKind.NETWORK
        else unit
        for unit in one.units
    )
    return msgspec.structs.replace(one, units=units)


def settled(machine, deployments):
    machine.converge(deployments, LATER)
    for one in deployments:
        if one.wanted is None:
            assert one.name not in machine.manifests
            continue
        for unit in one.wanted.units:
            if unit.wanted_by and not unit.before_deploy:
                assert machine.running[unit.name] == unit.digest
                for use in unit.certificate_uses:
                    read = machine.serving[unit.name][use.name]
                    assert has_taken_up(read, machine.certificates[use.name])
        files = {file.path: file.oid for file in machine.files[one.name].values()}
        assert files == {file.path: file.oid for file in one.wanted.files}
        assert machine.manifests[one.name].sealed
    wanted = {unit.name for one in deployments if one.wanted for unit in one.wanted.units}
    assert set(machine.running) <= wanted
    objects = {
        unit.object_name
        for one in deployments
        for unit in (one.wanted.units if one.wanted else ())
        if unit.kind in (UnitKind.NETWORK, UnitKind.POD)
    }
    assert machine.networks | machine.pods <= objects, "nothing is left behind"


@given(st.data())
def test_a_pass_cut_short_anywhere_is_mended_by_the_next(data):
    machine = fresh()
    old_host, new_host = data.draw(apps("b")), data.draw(apps("b"))
    if new_host.revision == old_host.revision:
        new_host = old_host  # an app at an unchanged revision is unchanged
    host = None if data.draw(st.booleans()) else new_host
    old = data.draw(apps("a", host=old_host, snapshots=True))
    new = data.draw(apps("a", host=host, snapshots=True))
    if new.revision == old.revision:
        there = {unit.name for one in (old, host) if one for unit in one.units}
        is_able = all(there.issuperset(unit.requires) for unit in old.units)
        new = old if is_able else msgspec.structs.replace(new, revision="r4")
    for one in (old, old_host, new, new_host):
        machine.teach(one)
    machine.converge([deploy(old), deploy(old_host)])
    after = [deploy(new, old), deploy(host, old_host)]
    plan = machine.plan(after, LATER)
    cut = data.draw(st.integers(0, len(plan.steps)))
    for step in plan.steps[:cut]:
        machine.carry_out(step)
    if data.draw(st.booleans()):
        machine.reload()  # by somebody else, in the worst moment
    if data.draw(st.booleans()):
        machine.cut_power()
        machine.boot()
    settled(machine, after)
    for name in CERTIFICATES:
        machine.certificates[name] = data.draw(VERSIONS)
    for plan in machine.converge(after, LATER):
        changing = (StartUnit, RestartUnit, StopUnit, ReloadUnit)
        # What is taken along by a pod, or ended by its old definition, is started again.
        assert all(isinstance(step, changing) for step in plan.steps), "no release comes of it"
    settled(machine, after)


@given(st.data())
def test_for_a_certificate_that_lacks_nothing_is_ended_that_runs(data):
    """Whatever the change; all of it comes once the certificates are there."""
    machine = fresh()
    host = data.draw(apps("b"))
    old, new = data.draw(apps("a", host=host)), data.draw(apps("a", host=host))
    if new.revision == old.revision or data.draw(st.booleans()):
        new = old
    for one in (host, old, new):
        machine.teach(one)
    machine.converge([deploy(host), deploy(old)])
    machine.images.update(image for unit in new.units for image in unit.images)
    if new is old and data.draw(st.booleans()):
        new = old = shaped_by_the_host(old)
        machine.teach(old)
    for name in data.draw(st.lists(st.sampled_from(sorted(machine.running)), unique=True)):
        machine.stop(name)  # by somebody: it is repaired, if it can start
    before = {name: machine.definition(name) for name in machine.running}
    # A network that the host shapes otherwise is made anew, if that ends nothing that lacks one.
    shaped = {unit.name for unit in new.units if unit.outside}
    lost = data.draw(st.lists(st.sampled_from(CERTIFICATES), unique=True, min_size=1))
    for name in lost:
        del machine.certificates[name]
    after = [deploy(host, host), deploy(new, old)]
    users = {
        unit.name for unit in new.units if {one.name for one in unit.certificate_uses} & {*lost}
    }
    plans = machine.converge(after, LATER)
    runs = {name: machine.definition(name) for name in machine.running}
    assert {name: runs.get(name) for name in host.runtime_units if name in before} == {
        name: one for name, one in before.items() if name in host.runtime_units
    }
    if users:
        stay = before.keys() - shaped
        assert {name: runs.get(name) for name in stay} == {name: before[name] for name in stay}
        waits = {
            need.subject for one in machine.plan(after, LATER).verdicts for need in one.waiting
        }
        assert waits & {*lost}
        stops = [step for plan in plans for step in plan.steps if isinstance(step, StopUnit)]
        assert not [step.unit for step in stops if step.unit in before.keys() & users]
    for name in lost:
        machine.certificates[name] = data.draw(VERSIONS)
    settled(machine, after)


@settings(max_examples=scaled(50))
@given(st.data())
def test_what_nothing_starts_is_not_started(data):
    """Unless a person has it run: then it runs on."""
    machine = fresh()
    machine.missing = {"lost.target"}
    installs = st.sampled_from([("default.target",), (), ("lost.target",)])

    def drawn(revision):
        one = data.draw(apps("a"))
        units = [
            msgspec.structs.replace(unit, wanted_by=data.draw(installs)) if unit.wanted_by else unit
            for unit in one.units
        ]
        files = {path: file for file in one.files if (path := file.path).startswith("conf/")}
        contents = {path: file.oid for path, file in files.items()}
        return app("a", *units, revision=revision, data=contents)

    old, new = drawn("r1"), drawn("r2")
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)])
    for unit in old.units:
        if not unit.before_deploy and unit.name in machine.loaded and data.draw(st.booleans()):
            machine.images.update(unit.images)
            machine.start("a", unit.name, None)  # by a person
    machine.images.update(image for unit in new.units for image in unit.images)
    before = set(machine.running)
    had = {unit.name for unit in old.units if "default.target" in unit.wanted_by}
    wanted = should_run(new.runtime_units, {"default.target"})
    for plan in machine.converge([deploy(new, old)]):
        for step in plan.steps:
            if isinstance(step, StartUnit | RestartUnit) and step.unit not in wanted:
                assert step.unit in before - had
                assert step.unit in machine.running


@given(st.data())
def test_every_moment_of_an_install_can_be_loaded(data):
    """What a unit on disk refers to is on disk too, after each single step."""
    machine = fresh()
    old, new = data.draw(apps("a")), data.draw(apps("a"))
    for one in (old, new):
        machine.teach(one)
    installed = data.draw(st.booleans())
    if installed:
        machine.converge([deploy(old)])
    for step in machine.plan([deploy(new, old if installed else None)]).steps:
        machine.carry_out(step)
        if isinstance(step, WriteFile | RemoveFile):
            there = {
                unit.name: unit
                for file in machine.files["a"].values()
                if (unit := machine.catalogue.get((file.path.rpartition("/")[2], file.oid)))
            }
            for unit in there.values():
                assert set(unit.requires) <= set(there)


@given(st.data())
def test_before_its_jobs_are_done_nothing_else_of_an_app_changes(data):
    """Whatever is restarted while they run, by systemd or by podvisor, is what it was."""
    machine = fresh()
    old, new = data.draw(apps("a")), data.draw(apps("a"))
    jobs = [unit.name for unit in new.units if unit.before_deploy]
    if not jobs or old.revision == new.revision:
        return
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)])
    before = {name: machine.loaded[name] for name in machine.running}
    machine.images.update(image for unit in new.units for image in unit.images)
    machine.ran.clear()
    plan = machine.plan([deploy(new, old)])
    changing = (StartUnit, RestartUnit, StopUnit, ReloadUnit, LeaveUnit, SealManifest)
    assert not [step for step in plan.steps if isinstance(step, changing)]
    assert [step.unit for step in plan.steps if isinstance(step, RunJob)] == jobs
    fails = data.draw(st.booleans())
    if fails:
        machine.broken.update(jobs)
    cut = data.draw(st.integers(0, len(plan.steps)))
    for step in plan.steps[:cut]:
        machine.carry_out(step)
        if data.draw(st.booleans()):
            machine.reload()  # by somebody else, in the worst moment
        assert {name: machine.loaded[name] for name in machine.running} == before
    machine.reload()
    if fails:
        machine.converge([deploy(new, old)])
        assert {name: machine.loaded[name] for name in machine.running} == before
        files = {file.path: file.oid for file in machine.files["a"].values()}
        assert files == {file.path: file.oid for file in old.files}
        machine.broken.clear()
        machine.jobs.clear()
    settled(machine, [deploy(new, old)])
    assert machine.ran[-1] == next(unit.digest for unit in new.units if unit.before_deploy)


@given(st.data())
def test_a_unit_that_moves_is_neither_stopped_nor_without_a_definition(data):
    machine = fresh()
    moving = container("moves")
    had_job = data.draw(st.sampled_from([(), (container("job", version="0", wanted_by=()),)]))
    one = app("one", moving, container("stays"), *had_job)
    taken = [moving]
    if data.draw(st.booleans()):
        taken.append(container("job", before_deploy=True, oneshot=True, wanted_by=()))
    if data.draw(st.booleans()):
        taken.append(container("other", images=("img:1",)))
    two = app("two", *taken, revision="r2")
    less = data.draw(st.sampled_from([app("one", container("stays"), revision="r2"), None]))
    for each in (one, two, less):
        if each:
            machine.teach(each)
    machine.converge([deploy(one)])
    last_good = None
    for _ in range(6):
        deployments = [deploy(less, one), deploy(two, last_good)]
        if data.draw(st.booleans()):
            deployments.reverse()
        plan = machine.plan(deployments)
        for step in plan.steps:
            assert getattr(step, "unit", "") != "moves.service"
            machine.carry_out(step)
            if isinstance(step, Reload):
                assert machine.running.keys() <= machine.loaded.keys()
            if isinstance(step, RunJob):
                places = [name for name, files in machine.files.items() if "job.container" in files]
                assert places == ["two"], "Podman would take either"
        machine.adopt(plan)
        if next(one for one in plan.verdicts if one.app == "two").complete:
            break
    settled(machine, [deploy(less, one), deploy(two)])


@given(st.data())
def test_nothing_is_sealed_before_it_is_loaded(data):
    machine = fresh()
    old, new = data.draw(apps("a")), data.draw(apps("a"))
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)])
    plan = machine.plan([deploy(new, old)])
    kinds = [type(step) for step in plan.steps]
    shaping = [
        number
        for number, step in enumerate(plan.steps)
        if (isinstance(step, WriteFile) and shapes_units(step.file.path))
        or (isinstance(step, RemoveFile) and shapes_units(step.path))
    ]
    if shaping:
        assert kinds.count(Reload) == 1
        assert max(shaping) < kinds.index(Reload)
        assert RunJob in kinds or kinds.index(Reload) < kinds.index(SealManifest)
