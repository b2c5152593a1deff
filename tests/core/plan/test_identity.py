"""Units that become something else under one name, and objects that belong to somebody."""

import itertools

import msgspec
import pytest

from supervisor.core.plan import planner
from supervisor.core.plan.change_policy import uptake
from supervisor.core.plan.unit_inputs import inputs_of
from supervisor.model.app import AfterApp, AppOptions, ChangeAction, ChangeRule
from supervisor.model.observed import Container, PodmanObject
from supervisor.model.plan import (
    DisableUnit,
    EnableUnit,
    RemoveNetwork,
    RemoveVolume,
    RestartUnit,
    SealManifest,
    StartUnit,
    StopUnit,
)
from supervisor.model.published_port import PublishedPort
from supervisor.model.quadlet import UnitKind
from supervisor.model.source import FileKind, TreeFile
from tests.fakes.machine import Machine, app, container, deploy, network, pod, volume
from tests.words import waiting

PRUNES = AppOptions(prune_volumes=True)
NOTHING = Machine().observe([])
KINDS = (UnitKind.PLAIN, UnitKind.CONTAINER, UnitKind.KUBE, UnitKind.POD)


@pytest.fixture
def machine():
    return Machine()


def do(machine, *deployments):
    for one in deployments:
        for version in (one.wanted, one.last_good):
            if version:
                machine.teach(version)
    return machine.converge(list(deployments))


def steps(plans, *kinds):
    return [step for plan in plans for step in plan.steps if isinstance(step, kinds)]


def named(kind, called="b"):
    """A unit `b.service` of any kind."""
    made = "" if kind in (UnitKind.PLAIN, UnitKind.KUBE) else called
    is_plain = kind is UnitKind.PLAIN
    return container(
        "b",
        kind=kind,
        path="b.service" if is_plain else f"b.{kind}",
        version=f"{kind}{made}",
        object_name=made,
        links=("b.service", "default.target.wants/b.service") if is_plain else (),
    )


def build(name, *, version="1", tag=""):
    return container(
        f"{name}-build",
        kind=UnitKind.BUILD,
        path=f"{name}.build",
        version=version,
        object_name=tag or f"localhost/{name}:latest",
        build_command=("podman", "build"),
        oneshot=True,
        remain_after_exit=True,
        wanted_by=(),
    )


@pytest.mark.parametrize(("was", "becomes"), list(itertools.permutations(KINDS, 2)))
def test_what_a_unit_was_is_ended_before_it_becomes_something_else(machine, was, becomes):
    old, new = app("a", named(was)), app("a", named(becomes), revision="r2")
    do(machine, deploy(old))
    plans = do(machine, deploy(new, old))
    there_and_back = [*plans, *do(machine, deploy(old, new))]
    assert [step.unit for step in steps(there_and_back, StopUnit)] == ["b.service"] * 2
    disabled = steps(there_and_back, DisableUnit)
    assert len(disabled) == [was, becomes].count(UnitKind.PLAIN)
    assert len(machine.links) == (2 if was is UnitKind.PLAIN else 0)
    assert machine.pods == ({"b"} if was is UnitKind.POD else set())


def test_a_container_that_gets_another_name_is_stopped_under_its_old_one(machine):
    old = app("a", named(UnitKind.CONTAINER))
    new = app("a", named(UnitKind.CONTAINER, "c"), revision="r2")
    do(machine, deploy(old))
    (stop,) = steps(do(machine, deploy(new, old)), StopUnit)
    assert stop.reason == "its container was named b"


def test_a_pod_of_which_all_containers_change_is_restarted_whole(machine):
    def version(one, two):
        members = (
            container("one", version=one, requires=("p-pod.service",)),
            container("two", version=two, requires=("p-pod.service",)),
        )
        return app("a", pod("p"), *members, revision=f"{one}{two}")

    first, second, third = version("1", "1"), version("1", "2"), version("2", "3")
    do(machine, deploy(first))
    plans = do(machine, deploy(second, first))
    assert [step.unit for step in steps(plans, RestartUnit)] == ["two.service"]
    plans = do(machine, deploy(third, second))
    assert [step.unit for step in steps(plans, RestartUnit)] == ["p-pod.service"]
    assert [step.unit for step in steps(plans, StartUnit)] == ["one.service", "two.service"]
    assert (machine.running["one.service"], machine.running["two.service"]) == ("one-2", "two-3")


def echo(version="1", wanted_by=()):
    socket = container(
        "echo", kind=UnitKind.PLAIN, path="echo.socket", version=version, object_name=""
    )
    socket = msgspec.structs.replace(socket, name="echo.socket", activates="echo.service")
    service = container(
        "echo", kind=UnitKind.PLAIN, path="echo.service", wanted_by=wanted_by, object_name=""
    )
    return app("s", socket, service, revision=version)


@pytest.mark.parametrize("wanted_by", [(), ("default.target",)])
def test_a_socket_is_not_opened_while_its_service_runs(machine, wanted_by):
    old, new = echo("1", wanted_by), echo("2", wanted_by)
    do(machine, deploy(old))
    machine.start("s", "echo.service", inputs_of(old, old.units[1], NOTHING))  # by a connection
    plans = do(machine, deploy(new, old))
    stopped = [step.unit for step in steps(plans, StopUnit)]
    assert stopped == ["echo.socket", "echo.service"]
    assert ("echo.service" in machine.running) is bool(wanted_by)
    machine.start("s", "echo.service", inputs_of(new, new.units[1], NOTHING))
    machine.stop("echo.socket")  # by hand
    plans = do(machine, deploy(new, new))
    assert [step.unit for step in steps(plans, StopUnit)] == ["echo.service"]
    assert "echo.socket" in machine.running


def test_who_gives_a_port_up_is_stopped_before_another_takes_it(machine):
    def published(name, port):
        one = PublishedPort(address="", first=port, last=port, protocol="tcp", path="")
        return app(name, container(name, version=str(port), publishes=(one,)), revision=str(port))

    old = [deploy(published("a", 80)), deploy(published("b", 81))]
    do(machine, *old)
    new = [
        deploy(published("a", 82), old[0].wanted),
        deploy(published("b", 80), old[1].wanted),
    ]
    (stop,) = steps(do(machine, *new), StopUnit)
    assert (stop.unit, stop.reason) == ("a.service", "port 80/tcp goes to b.service")


@pytest.mark.parametrize("shared", [False, True])
def test_who_gives_a_path_up_is_stopped_before_another_writes_there(machine, shared):
    def mounting(name, *paths):
        version = "".join(paths)
        return app(name, container(name, version=version, mounts=paths), revision=f"r{version}")

    old = [deploy(mounting("a", "/srv/data")), deploy(mounting("b", *["/srv/data"] * shared))]
    do(machine, *old)
    new = [
        deploy(mounting("a", "/srv/other"), old[0].wanted),
        deploy(mounting("b", "/srv/data", "/srv/more"), old[1].wanted),
    ]
    stops = [(stop.unit, stop.reason) for stop in steps(do(machine, *new), StopUnit)]
    assert stops == ([] if shared else [("a.service", "path /srv/data goes to b.service")])


def test_links_follow_the_install_of_a_plain_unit(machine):
    def version(revision, *links):
        more = {"kind": UnitKind.PLAIN, "path": "t.service", "object_name": "", "links": links}
        unit = container("t", version=revision, **more)
        return app("t", unit, revision=revision)

    old = version("r1", "t.service", "default.target.wants/t.service", "alias.service")
    new = version("r2", "t.service", "sockets.target.wants/t.service")
    do(machine, deploy(old))
    assert set(machine.links) == set(old.units[0].links)
    do(machine, deploy(new, old))
    assert set(machine.links) == set(new.units[0].links)


@pytest.mark.parametrize("install", [(), ("default.target.wants/t.service",)])
def test_only_an_install_that_is_there_is_the_reason_for_links(machine, install):
    unit = container("t", kind=UnitKind.PLAIN, path="t.service", links=("t.service", *install))
    (enable,) = steps(do(machine, deploy(app("t", unit))), EnableUnit)
    assert ("[Install]" in enable.reason) is bool(install)


@pytest.mark.parametrize("install", [(), ("defualt.target",)], ids=["no-install", "no-such"])
@pytest.mark.parametrize(
    "changed", ["nothing", "unit", "file", "build", "network", "name", "pod", "guest"]
)
def test_what_nothing_starts_any_more_is_stopped_and_not_started(machine, install, changed):
    """Whatever else of it changes, and whatever it is made of."""
    machine.missing = set(install)

    def version(revision, *, wanted_by=("default.target",)):
        def of(what):
            return revision if changed == what else "r1"

        in_pod = changed in ("pod", "guest")
        needs = [build("i", version=of("build")), network("n", version=of("network"))]
        if in_pod:
            needs.append(pod("p", version=of("pod"), wanted_by=wanted_by))
        unit = container(
            "b",
            version=of("unit") + of("guest"),
            wanted_by=() if in_pod else wanted_by,
            requires=tuple(one.name for one in needs),
            reads=("conf",),
            object_name=f"b-{of('name')}",
        )
        return app("a", unit, *needs, revision=revision, data={"conf": of("file")})

    old, new = version("r1"), version("r2", wanted_by=install)
    do(machine, deploy(old))
    if changed in ("pod", "guest"):
        machine.start("a", "b.service", None)  # by its pod
    runs = {"b.service", "p-pod.service"}
    plans = do(machine, deploy(new, old))
    assert any("nothing starts" in one.reason for one in steps(plans, StopUnit))
    assert not [one for one in steps(plans, StartUnit, RestartUnit) if one.unit in runs]
    assert not runs & machine.running.keys()
    for name in runs & {unit.name for unit in new.units}:
        machine.start("a", name, None)  # by a person
    do(machine, deploy(new, new))
    assert "b.service" in machine.running


def test_an_instance_that_is_not_the_default_any_more_is_stopped(machine):
    def template(instance):
        unit = container("c@", instances=(instance,), version="1")
        return app("a", unit, revision=instance)

    one, two = template("one"), template("two")
    for each in (one, two):
        machine.teach(each)
        (unit,) = each.units
        at = f"c@{unit.instances[0]}.service"
        machine.catalogue[at, f"oid-{unit.digest}"] = unit
    machine.loaded = {f"c@{name}.service": one.units[0] for name in ("one", "two")}
    machine.reload = lambda: None
    do(machine, deploy(one))
    assert set(machine.running) == {"c@one.service"}
    do(machine, deploy(two, one))
    assert set(machine.running) == {"c@two.service"}


@pytest.mark.parametrize(
    ("unit", "others"),
    [
        (network("n", object_name="shared"), "networks"),
        (volume("v"), "volumes"),
        (pod("p"), "pods"),
        (build("i"), "images"),
    ],
)
def test_what_others_made_is_neither_taken_over_nor_removed(machine, unit, others):
    theirs = getattr(machine, others)
    theirs.add(unit.object_name)
    new = app("a", unit)
    plan = machine.plan([deploy(new)])
    assert plan.steps == ()
    (finding,) = plan.verdicts[0].findings
    kind = "image" if unit.kind is UnitKind.BUILD else unit.kind
    assert f"{kind} {unit.object_name} exists already" in finding.message
    if unit.kind is UnitKind.POD:
        return
    assert "Adopt=yes" in finding.hint
    adopting = msgspec.structs.replace(unit, adopt=True)
    taken = msgspec.structs.replace(app("a", adopting, container("web")), options=PRUNES)
    do(machine, deploy(taken))
    changed = msgspec.structs.replace(adopting, digest="other")
    do(machine, deploy(app("a", changed, revision="r2"), taken))
    do(machine, deploy(None, taken))
    assert machine.manifests == {}
    assert theirs == {unit.object_name}


def test_an_image_that_podvisor_built_is_built_anew_and_follows_its_unit(machine):
    old = app("a", build("i"), container("web", requires=("i-build.service",)))
    do(machine, deploy(old))
    assert machine.images == {"localhost/i:latest"}
    new = app("a", build("i", version="2"), *old.units[1:], revision="r2")
    do(machine, deploy(new, old))
    assert machine.running["i-build.service"] == "i-build-2"
    renamed = app("a", build("i", version="R", tag="localhost/n:1"), *old.units[1:], revision="R")
    assert not steps(do(machine, deploy(renamed, new)), StopUnit)
    do(machine, deploy(new, renamed))
    machine.applied.clear()  # the ledger is lost
    again = app("a", build("i", version="3"), *old.units[1:], revision="r3")
    do(machine, deploy(again, new))
    assert machine.running["i-build.service"] == "i-build-3"
    other = app("b", *again.units)
    do(machine, deploy(other), deploy(None, again))
    theirs = app("b", build("i", version="4", tag="localhost/theirs:1"), revision="r4")
    machine.images.add("localhost/theirs:1")
    machine.teach(theirs)
    (finding,) = machine.plan([deploy(theirs, other)]).verdicts[0].findings
    assert "image localhost/theirs:1 exists already" in finding.message
    assert "ImageTag=" in finding.hint


def kube(name="k", *, pods=("p",), **more):
    return container(
        name, kind=UnitKind.KUBE, path=f"{name}.kube", object_name="", pods=pods, **more
    )


@pytest.mark.parametrize("by", ["theirs.service", ""])
def test_a_kube_does_not_replace_the_pod_of_somebody_else(machine, by):
    new = [deploy(app("a", kube()))]
    machine.teach(new[0].wanted)
    machine.pods.add("p")
    made = [Container(id="1", name="p-web", unit=by, pod="p")] if by else []
    plan = planner.plan(new, with_containers(machine, new, *made), 0.0)
    assert plan.steps == ()
    (finding,) = plan.verdicts[0].findings
    assert "a pod named p exists already and is not podvisor's" in finding.message
    assert "podman pod rm p" in finding.hint


def test_the_pod_of_a_kube_is_its_own_and_moves_when_it_was_stopped(machine):
    old = app("a", kube("k"), kube("other", pods=("q",)))
    do(machine, deploy(old))
    machine.pods.update({"p", "q"})
    made = [
        Container(id="1", name="p-web", unit="k.service", pod="p"),
        Container(id="2", name="q-web", unit="other.service", pod="q"),
    ]
    swapped = app(
        "a",
        kube("k", pods=("q",), version="2"),
        kube("other", pods=("r",), version="2"),
        revision="r2",
    )
    machine.teach(swapped)
    deployments = [deploy(swapped, old)]
    plan = planner.plan(deployments, with_containers(machine, deployments, *made), 0.0)
    assert plan.verdicts[0].findings == ()
    stops = [step.unit for step in steps([plan], StopUnit)]
    assert "other.service" in stops
    again = [deploy(old, old)]
    plan = planner.plan(again, with_containers(machine, again, *made), 0.0)
    assert plan.verdicts[0].findings == ()


@pytest.mark.parametrize("name", ["k", "other"])
def test_the_pod_of_a_kube_is_podvisors_when_a_pod_follows_it(machine, name):
    kube = container("k", kind=UnitKind.KUBE, path="k.kube", object_name="")
    old = app("a", kube)
    member = container(name, requires=("p-pod.service",), version="2")
    new = app("a", pod("p", object_name="k"), member, revision="r2")
    do(machine, deploy(old))
    machine.teach(new)
    machine.pods.add("k")
    deployments = [deploy(new, old)]
    made = Container(id="1", name="k-web", unit="k.service", pod="k")
    observed = with_containers(machine, deployments, made)
    plan = planner.plan(deployments, observed, 0.0)
    assert plan.verdicts[0].findings == ()
    (sealed,) = steps([plan], SealManifest)
    assert PodmanObject(UnitKind.POD, "k") in sealed.manifest.objects
    theirs = msgspec.structs.replace(made, unit="theirs.service")
    plan = planner.plan(deployments, with_containers(machine, deployments, theirs), 0.0)
    assert "pod k exists already" in plan.verdicts[0].findings[0].message


def test_a_network_that_is_renamed_leaves_nothing_behind_and_goes_back(machine):
    def version(called):
        web = container("web", requires=("n-network.service",), version=called)
        return app("a", network("n", object_name=called, version=called), web, revision=called)

    old, new = version("g1"), version("g2")
    do(machine, deploy(old))
    plans = do(machine, deploy(new, old))
    assert machine.networks == {"g2"}
    assert [step.network for step in steps(plans, RemoveNetwork)] == ["g1"]
    do(machine, deploy(old, new))
    assert machine.networks == {"g1"}


def test_a_network_whose_removal_failed_is_still_the_old_one(machine):
    old = app("a", container("web", requires=("n-network.service",)), network("n"))
    new = app("a", *old.units[:1], network("n", version="2"), revision="r2")
    do(machine, deploy(old))
    machine.teach(new)
    for step in machine.plan([deploy(new, old)]).steps:
        if isinstance(step, RemoveNetwork):
            break  # Podman refuses, and the app's steps are cut
        machine.carry_out(step)
    plans = do(machine, deploy(new, old))
    assert steps(plans, RemoveNetwork)
    assert machine.running["n-network.service"] == "n-network-2"


def proxy(version="1"):
    return app("proxy", network("n", version=version), revision=version)


def test_what_other_apps_have_in_a_network_is_stopped_until_it_is_made_anew(machine):
    web = app("web", container("web", requires=("n-network.service",)))
    do(machine, deploy(proxy()), deploy(web))
    before = machine.applied["web"]
    for together in ([deploy(web, web)], []):
        new, old = proxy("3" if together else "2"), proxy("2" if together else "1")
        plans = do(machine, deploy(new, old), *together)
        assert [step.network for step in steps(plans, RemoveNetwork)] == ["systemd-n"]
        assert [step.unit for step in steps(plans, StopUnit)].count("web.service") == 1
        assert [step.unit for step in steps(plans, StartUnit)].count("web.service") == 1
        assert machine.running["web.service"] == "web-1"
        assert machine.applied["web"] == before


def test_what_is_stopped_with_a_network_is_started_again_though_it_is_in_another(machine):
    db = container("db", requires=("n-network.service",))

    def version(called):
        return app("proxy", network("n", object_name=called, version=called), db, revision=called)

    old, new = version("g1"), version("g2")
    before = app("web", container("other"))
    web = app("web", container("web", requires=("n-network.service",)), revision="r2")
    do(machine, deploy(old), deploy(before))
    machine.cut_power()
    machine.boot()  # what is written before the network's job is done, is what it is made by
    do(machine, deploy(new, old), deploy(web, before))
    assert machine.running.keys() == {"n-network.service", "db.service", "web.service"}
    assert not machine.repairs, "it did not come to repairs"
    assert machine.networks == {"g2"}


def test_what_leaves_in_the_same_pass_is_not_started_for_its_network(machine):
    web = app("web", container("web", requires=("n-network.service",)), container("other"))
    do(machine, deploy(proxy()), deploy(web))
    less = app("web", container("other"), revision="r2")
    do(machine, deploy(proxy("2"), proxy()), deploy(less, web))
    assert "web.service" not in machine.running


def test_a_network_whose_last_guest_leaves_in_the_same_pass_goes(machine):
    web = app("web", container("web", requires=("n-network.service",)))
    do(machine, deploy(proxy()), deploy(web))
    alone = app("web", container("web", version="2"), revision="r2")
    do(machine, deploy(None, proxy()), deploy(alone, web))
    assert machine.running == {"web.service": "web-2"}
    assert not machine.networks


@pytest.mark.parametrize("is_in_the_pass", [True, False])
def test_what_an_app_still_needs_does_not_go_before_it_has_changed(machine, is_in_the_pass):
    web = app("web", container("web", requires=("n-network.service",)))
    do(machine, deploy(proxy()), deploy(web))
    alone = app("web", container("web", version="2", images=("img:2",)), revision="r2")
    machine.teach(alone)
    change = deploy(alone, web)
    leaving = [deploy(None, proxy()), *([change] if is_in_the_pass else [])]
    observed = machine.observe([*leaving, change])
    everyone = {one.name: one for one in (*leaving, change)}
    plan = planner.plan(leaving, observed, 0.0, everyone=everyone)
    assert not [step for step in plan.steps if step.app == "proxy"]
    assert waiting(plan.verdicts[0]) == ("waits for app web, which still needs n-network.service",)
    do(machine, deploy(None, proxy()), change)
    assert machine.running == {"web.service": "web-2"}
    assert not machine.networks


def test_apps_that_wait_for_each_other_both_begin(machine):
    web = app("web", container("web", requires=("n-network.service",)))
    do(machine, deploy(proxy()), deploy(web))
    after = (AfterApp(app="proxy", path="web.container"),)
    alone = app("web", container("web", version="2", images=("img:2",)), revision="r2")
    machine.teach(alone)
    change = deploy(msgspec.structs.replace(alone, options=AppOptions(after=after)), web)
    less = app("proxy", container("proxy"), revision="r2")
    machine.teach(less)
    plan = machine.plan([deploy(less, proxy()), change])
    assert plan.verdicts[0].complete


def test_who_is_in_a_network_by_its_name_starts_again_when_it_is_made_anew(machine):
    others = (container("db", requires=("n-network.service",)), container("web"))
    old = app("a", network("n"), *others)
    new = app("a", network("n", version="2"), *others, revision="r2")
    do(machine, deploy(old))
    user = Container(id="1", name="web", unit="web.service", networks=("systemd-n",))
    machine.teach(new)
    deployments = [deploy(new, old)]
    plan = planner.plan(deployments, with_containers(machine, deployments, user), 0.0)
    (start,) = (step for step in steps([plan], StartUnit) if step.unit == "web.service")
    assert start.inputs == machine.applied["a"].units["web.service"]
    assert "web.service" in {step.unit for step in steps([plan], StopUnit)}
    assert steps([plan], RemoveNetwork)


def test_a_changed_network_waits_until_no_stranger_uses_it(machine):
    web = container("web", requires=("n-network.service",))
    old = app("a", network("n"), web)
    new = app("a", network("n", version="2"), web, revision="r2")
    do(machine, deploy(old))
    machine.unowned_files.add(Container(id="2", name="theirs", networks=("systemd-n",)))
    plans = do(machine, deploy(new, old))
    assert not steps(plans, StopUnit, StartUnit, RestartUnit), "nothing restarts in vain"
    for _ in range(2):
        verdict = machine.plan([deploy(new, new)]).verdicts[0]
        (finding,) = verdict.findings
        assert not finding.fatal
        assert "network systemd-n keeps the options" in finding.message
        assert "theirs" in finding.message
    machine.unowned_files.clear()
    plans = do(machine, deploy(new, new))
    assert steps(plans, RemoveNetwork)
    assert machine.running["n-network.service"] == "n-network-2"
    assert machine.plan([deploy(new, new)]).verdicts[0].findings == ()


def with_containers(machine, deployments, *containers):
    observed = machine.observe(deployments)
    inventory = msgspec.structs.replace(observed.inventory, containers=containers)
    return msgspec.structs.replace(observed, inventory=inventory)


def test_who_uses_a_network_by_its_name_is_stopped_before_it_goes(machine):
    web = container("web", requires=("n-network.service",))
    old = app("a", network("n", object_name="n"), web)
    new = app("a", container("web", version="2"), revision="r2")
    do(machine, deploy(old))
    machine.teach(new)
    user = Container(id="1", name="web", unit="web.service", networks=("n",))
    deployments = [deploy(new, old)]
    plan = planner.plan(deployments, with_containers(machine, deployments, user), 0.0)
    stops = {step.unit for step in plan.steps if isinstance(step, StopUnit)}
    assert stops == {"n-network.service", "web.service"}
    stranger = Container(id="2", name="theirs", networks=("n",))
    plan = planner.plan(deployments, with_containers(machine, deployments, user, stranger), 0.0)
    assert not steps([plan], RemoveNetwork), "it is left until nobody else uses it"


def test_volumes_that_podvisor_made_go_when_the_app_says_so(machine):
    old = app("a", container("web", requires=("v-volume.service",)), volume("v"))
    do(machine, deploy(old))
    machine.volumes.add("theirs")
    less = msgspec.structs.replace(
        app("a", container("web", version="2"), revision="r2"),
        options=PRUNES,
    )
    plans = do(machine, deploy(less, old))
    assert [step.volume for step in steps(plans, RemoveVolume)] == ["systemd-v"]
    assert machine.volumes == {"theirs"}


def test_what_a_gone_app_left_behind_is_podvisors_still(machine):
    new = app("a", volume("v"))
    machine.teach(new)
    machine.volumes.add("systemd-v")
    deployments = [deploy(new)]
    left = frozenset({PodmanObject(UnitKind.VOLUME, "systemd-v")})
    observed = msgspec.structs.replace(machine.observe(deployments), left=left)
    plan = planner.plan(deployments, observed, 0.0)
    assert plan.verdicts[0].findings == ()
    (sealed,) = steps([plan], SealManifest)
    assert sealed.manifest.objects == tuple(left)


def test_the_executable_bit_alone_is_a_change():
    unit = container("a", reads=("hc.sh",), on_change=(ChangeRule(action=ChangeAction.RESTART),))
    plain = app("a", unit, data={"hc.sh": "1"})
    executable = msgspec.structs.replace(
        plain,
        files=tuple(
            TreeFile(one.path, one.oid, FileKind.EXECUTABLE) if one.path == "hc.sh" else one
            for one in plain.files
        ),
    )
    change = uptake(unit, inputs_of(plain, unit, NOTHING), inputs_of(executable, unit, NOTHING))
    assert change.reason == "hc.sh changed"
