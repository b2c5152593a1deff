"""What the planner decides, on a machine in memory."""

import itertools

import msgspec
import pytest
from msgspec.structs import replace

from supervisor.core.health.crash_backoff import BACKOFF_SECONDS
from supervisor.core.plan import planner
from supervisor.model.app import AppOptions
from supervisor.model.errors import Finding
from supervisor.model.observed import UnitState
from supervisor.model.plan import (
    EnableUnit,
    PullImage,
    Reload,
    RestartUnit,
    StartUnit,
    StopUnit,
    TryRevision,
    WriteFile,
)
from supervisor.model.quadlet import UnitKind
from tests.fakes.machine import Machine, app, container, deploy, network, volume
from tests.words import waiting

PRUNES = AppOptions(prune_volumes=True)


@pytest.fixture
def machine():
    return Machine()


def do(machine, *deployments, now=0.0):
    for one in deployments:
        for version in (one.wanted, one.last_good):
            if version:
                machine.teach(version)
    return machine.converge(list(deployments), now)


def steps(plans, *kinds):
    return [step for plan in plans for step in plan.steps if isinstance(step, kinds)]


def test_a_new_app_is_written_loaded_and_started(machine):
    blog = app("blog", container("web"), network("site"), data={"conf/a.conf": "a1"})
    do(machine, deploy(blog))
    assert machine.running["web.service"] == "web-1"
    assert machine.reloads == 1
    assert machine.manifests["blog"].sealed


def test_a_folder_that_a_container_took_to_itself_is_told_and_holds_back_what_is_new_in_it(machine):
    blog = app("blog", container("web"), data={"data/.gitkeep": "", "conf/a": "1"})
    do(machine, deploy(blog))
    machine.closed["blog"] = ("data",)
    (verdict,) = machine.plan([deploy(blog, blog)]).verdicts
    assert verdict.complete
    assert "cannot look into" in str(verdict.findings)
    elsewhere = app(
        "blog", container("web"), revision="r2", data={"data/.gitkeep": "", "conf/a": "2"}
    )
    do(machine, deploy(elsewhere, blog))
    assert machine.manifests["blog"].revision == "r2"
    data = {"data/.gitkeep": "", "data/b": "1"}
    within = app("blog", container("web"), revision="r3", data=data)
    plan = machine.plan([deploy(within, elsewhere)])
    assert not plan.steps, "nothing is begun that cannot be ended"
    assert "cannot write into" in str(plan.verdicts[0].findings)


def test_many_apps_share_one_reload(machine):
    do(machine, *(deploy(app(f"app{n}", container(f"web{n}"))) for n in range(20)))
    assert machine.reloads == 1


def test_only_the_changed_unit_restarts(machine):
    old = app("blog", container("web"), container("db"))
    do(machine, deploy(old))
    new = app("blog", container("web", version="2"), container("db"), revision="r2")
    plans = do(machine, deploy(new, old))
    assert [step.unit for step in steps(plans, RestartUnit, StartUnit, StopUnit)] == ["web.service"]
    assert machine.running == {"web.service": "web-2", "db.service": "db-1"}


def test_what_needs_a_restarted_unit_is_restarted_along_by_systemd_also_over_others(machine):
    def release(version):
        first = container("first", version=version)
        second = container("second", requires=(first.name,))
        third = container("third", requires=(second.name,))
        return app("a", first, second, third, revision=version)

    old, new = release("1"), release("2")
    for one in (old, new):
        machine.teach(one)
    machine.converge([deploy(old)])
    (plan,) = machine.converge([deploy(new, old)], 2.0)
    (restart,) = [one for one in plan.steps if isinstance(one, StartUnit | RestartUnit)]
    assert restart.unit == "first.service"
    assert machine.running == {unit.name: unit.digest for unit in new.units}


def test_another_image_of_the_same_name_restarts_nothing_and_is_known_of_what_restarts(machine):
    web, db = (container(name, images=("img:1",)) for name in ("web", "db"))
    old = app("blog", web, db)
    do(machine, deploy(old))
    machine.pulled_anew["img:1"] = "newer"
    assert not machine.plan([deploy(old, old)]).steps
    new = app("blog", container("web", version="2", images=("img:1",)), db, revision="r2")
    do(machine, deploy(new, old))
    runs = {name: one.images for name, one in machine.applied["blog"].units.items()}
    assert runs == {"web.service": {"img:1": "newer"}, "db.service": {"img:1": "id of img:1"}}
    assert not machine.plan([deploy(new, new)]).verdicts[0].adopt


def test_a_changed_config_restarts_its_readers_without_a_reload(machine):
    units = (container("web", reads=("conf",)), container("db"))
    old = app("blog", *units, data={"conf/a.conf": "a1", "README": "x"})
    do(machine, deploy(old))
    new = app("blog", *units, revision="r2", data={"conf/a.conf": "a2", "README": "y"})
    plans = do(machine, deploy(new, old))
    (restart,) = steps(plans, RestartUnit)
    assert restart.unit == "web.service"
    assert restart.reason == "conf/a.conf changed"
    assert machine.reloads == 1


def test_what_left_the_app_is_stopped_and_cleaned(machine):
    old = app("blog", container("web"), container("db"), network("site"), volume("data"))
    do(machine, deploy(old))
    new = app("blog", container("web"), revision="r2")
    do(machine, deploy(new, old))
    assert set(machine.running) == {"web.service"}
    assert set(machine.files["blog"]) == {"web.container"}
    assert machine.networks == set()
    assert machine.volumes == set(), "never started, so never made"


def test_an_app_that_left_is_removed_but_its_volumes_stay(machine):
    unit = container("web", requires=("data-volume.service",))
    old = app("blog", unit, volume("data"))
    do(machine, deploy(old))
    do(machine, deploy(None, old))
    assert machine.running == {}
    assert machine.manifests == {}
    assert machine.volumes == {"systemd-data"}


def test_volumes_go_only_if_the_app_says_so(machine):
    unit = container("web", requires=("data-volume.service",))
    old = msgspec.structs.replace(app("blog", unit, volume("data")), options=PRUNES)
    do(machine, deploy(old))
    do(machine, deploy(None, old))
    assert machine.volumes == set()


def test_no_volume_goes_for_what_only_the_settings_leave_out(machine):
    unit = container("web", requires=("data-volume.service",))
    old = msgspec.structs.replace(app("blog", unit, volume("data")), options=PRUNES)
    do(machine, deploy(old))
    less = msgspec.structs.replace(app("blog", container("web"), revision="r2"), options=PRUNES)
    machine.teach(less)
    do(machine, msgspec.structs.replace(deploy(less, old), spare_volumes=True))
    assert machine.volumes == {"systemd-data"}
    gone = msgspec.structs.replace(
        deploy(None, less), left_out="ignored (blog)", spare_volumes=True
    )
    plan = machine.plan([gone])
    assert {step.reason for step in plan.steps if isinstance(step, StopUnit)} == {
        "left out (ignored (blog)); its volumes stay"
    }
    do(machine, gone)
    assert (machine.running, machine.volumes) == ({}, {"systemd-data"})


def test_images_come_before_anything_stops(machine):
    old = app("blog", container("web"))
    do(machine, deploy(old))
    new = app("blog", container("web", version="2", images=("img:2",)), revision="r2")
    machine.teach(new)
    plan = machine.plan([deploy(new, old)])
    assert [type(step) for step in plan.steps] == [PullImage]
    assert waiting(plan.verdicts[0]) == ("image img:2",)
    assert not plan.verdicts[0].complete
    assert machine.running["web.service"] == "web-1"
    machine.images.add("img:2")
    do(machine, deploy(new, old))
    assert machine.running["web.service"] == "web-2"


def test_an_image_is_pulled_by_the_credentials_of_all_units_that_need_it(machine):
    one, two, three = (
        msgspec.structs.replace(container(name, images=("img:2",)), authfile=authfile)
        for name, authfile in (("a", "/x.json"), ("b", ""), ("c", "/x.json"))
    )
    blog = app("blog", one, two, three)
    machine.teach(blog)
    (pull,) = steps([machine.plan([deploy(blog)])], PullImage)
    assert pull.authfiles == ("/x.json", "")


def test_while_an_image_is_awaited_the_old_version_is_kept_running(machine):
    old = app("blog", container("web"))
    do(machine, deploy(old))
    del machine.running["web.service"]
    new = app("blog", container("web", version="2", images=("img:2",)), revision="r2")
    machine.teach(new)
    plan = machine.plan([deploy(new, old)])
    assert [type(step) for step in plan.steps] == [PullImage, StartUnit]


def test_while_an_image_that_was_removed_is_awaited_the_others_are_repaired(machine):
    blog = app("blog", container("web", images=("img:1",)), container("db"))
    machine.images.add("img:1")
    do(machine, deploy(blog))
    machine.images.clear()
    machine.running.clear()
    plan = machine.plan([deploy(blog, blog)])
    assert [type(step) for step in plan.steps] == [PullImage, StartUnit]
    assert plan.steps[1].unit == "db.service"
    assert plan.verdicts[0].revision == blog.revision
    assert not plan.verdicts[0].complete
    machine.images.add("img:1")
    do(machine, deploy(blog, blog))
    assert set(machine.running) == {"web.service", "db.service"}


def test_a_stopped_unit_is_started_at_once_and_then_with_backoff(machine):
    blog = app("blog", container("web"))
    do(machine, deploy(blog))
    machine.broken.add("web.service")
    machine.running.clear()
    machine.failed.add("web.service")
    now, tried_at = 1_000.0, []
    while len(tried_at) < 6:
        plan = machine.plan([deploy(blog, blog)], now)
        if plan.steps:
            tried_at.append(now)
            for step in plan.steps:
                machine.carry_out(step)
        else:
            assert plan.verdicts[0].next_at > now, "always an alarm for the next try"
            assert plan.verdicts[0].waiting
            now = plan.verdicts[0].next_at
    waits = [b - a for a, b in itertools.pairwise(tried_at)]
    assert waits == list(BACKOFF_SECONDS[1:6])


def test_an_edited_file_is_restored_and_its_readers_restarted(machine):
    blog = app("blog", container("web", reads=("conf",)), data={"conf/a": "a1"})
    do(machine, deploy(blog))
    machine.files["blog"]["conf/a"] = type(blog.files[0])(path="conf/a", oid="edited")
    plans = do(machine, deploy(blog, blog))
    (write,) = steps(plans, WriteFile)
    assert write.reason == "edited outside podvisor: restored"
    assert [step.unit for step in steps(plans, RestartUnit)] == ["web.service"]


def test_a_folder_that_was_removed_whole_is_restored_and_its_readers_restarted(machine):
    blog = app("blog", container("web", reads=("conf",)), container("db"), data={"conf/a": "a1"})
    do(machine, deploy(blog))
    machine.files.clear()
    machine.manifests.clear()
    plans = do(machine, deploy(blog))
    assert "conf/a was changed outside podvisor" in {s.reason for s in steps(plans, RestartUnit)}
    assert set(machine.files["blog"]) == {"conf/a", "db.container", "web.container"}


def test_a_network_that_vanished_is_made_again(machine):
    blog = app("blog", container("web", requires=("site-network.service",)), network("site"))
    do(machine, deploy(blog))
    machine.networks.clear()
    plans = do(machine, deploy(blog, blog))
    (restart,) = steps(plans, RestartUnit)
    assert restart.reason == "network systemd-site is gone while its unit says active"
    assert machine.networks == {"systemd-site"}


def test_a_changed_network_is_made_anew_with_its_users_stopped(machine):
    web = container("web", requires=("site-network.service",))
    old = app("blog", web, network("site"))
    do(machine, deploy(old))
    new = app("blog", web, network("site", version="2"), revision="r2")
    plans = do(machine, deploy(new, old))
    stopped = [step.unit for step in steps(plans, StopUnit)]
    assert sorted(stopped) == ["site-network.service", "web.service"]
    assert machine.running["site-network.service"] == "site-network-2"
    assert "web.service" in machine.running


def test_a_changed_volume_keeps_its_data_and_says_so(machine):
    web = container("web", requires=("data-volume.service",))
    old = app("blog", web, volume("data"))
    do(machine, deploy(old))
    new = app("blog", web, volume("data", version="2"), revision="r2")
    machine.teach(new)
    plan = machine.plan([deploy(new, old)])
    assert "keeps the options" in plan.verdicts[0].findings[0].message
    assert not plan.verdicts[0].findings[0].fatal
    do(machine, deploy(new, old))
    assert machine.volumes == {"systemd-data"}


def test_a_refused_app_keeps_its_last_good_version_running(machine):
    old = app("blog", container("web"))
    do(machine, deploy(old))
    machine.running.clear()
    refusal = Finding(message="unsupported key 'Bogus'", app="blog")
    do(machine, deploy(None, old, findings=(refusal,)))
    assert machine.running == {"web.service": "web-1"}


def test_a_unit_of_others_is_never_taken_over(machine):
    blog = app("blog", container("web"))
    machine.teach(blog)
    machine.foreign = {"web.service": "/home/pi/.config/systemd/user/web.service"}
    plan = machine.plan([deploy(blog)])
    assert plan.steps == ()
    (finding,) = plan.verdicts[0].findings
    assert "web.service exists already" in finding.message
    assert "rename one of them" in finding.hint


def test_a_unit_of_others_is_not_taken_over_by_an_alias_either(machine):
    thief = replace(container("thief"), aliases=("podvisor.service",))
    machine.foreign = {"podvisor.service": "/home/pi/.config/systemd/user/podvisor.service"}
    plan = machine.plan([deploy(app("blog", thief))])
    assert plan.steps == ()
    (finding,) = plan.verdicts[0].findings
    assert "podvisor.service exists already" in finding.message
    assert finding.hint == "take Alias=podvisor.service out"


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("dbus", "/usr/lib/systemd/user/dbus.service", "that one is the system's"),
        ("podvisor", "/home/pi/.config/systemd/user/podvisor.service", "is podvisor itself"),
    ],
)
def test_nobody_is_told_to_remove_what_the_machine_needs(machine, name, path, said):
    blog = app("blog", container(name))
    machine.foreign = {f"{name}.service": path}
    (verdict,) = machine.plan([deploy(blog)]).verdicts
    (finding,) = verdict.findings
    assert said in finding.hint
    assert "remove" not in finding.hint


@pytest.mark.parametrize("how", ["", "--runtime "])
def test_a_unit_that_somebody_masked_is_told_with_what_undoes_that(machine, how):
    blog = app("blog", container("web"))
    do(machine, deploy(blog))
    if not how:
        machine.foreign = {"web.service": "/home/pi/.config/systemd/user/web.service"}
    machine.masked.add("web.service")
    new = app("blog", container("web", version="2"), revision="r2")
    plan = machine.plan([deploy(new, blog)])
    assert plan.steps == ()
    (finding,) = plan.verdicts[0].findings
    assert finding.message == "web.service is masked: systemd does not start it, whatever it says"
    assert finding.hint == f"`systemctl --user unmask {how}web.service`"


def test_a_file_that_is_a_drop_in_by_a_link_only_is_loaded_before_the_restart(machine):
    """By its path nothing tells that systemd's generator reads it; by what comes out it does."""
    old = app("blog", container("web", version="1"), data={"common/1.conf": "a"})
    new = app("blog", container("web", version="2"), revision="r2", data={"common/1.conf": "b"})
    of_old = {file.path: file for file in old.files}
    same = tuple(of_old.get(file.path, file) for file in new.files if file.path == "web.container")
    new = msgspec.structs.replace(
        new, files=(*same, *(one for one in new.files if one.path == "common/1.conf"))
    )
    do(machine, deploy(old))
    (reload,) = steps([machine.plan([deploy(new, old)])], Reload)
    assert "web.service comes out of Podman's generator otherwise" in reload.reason


@pytest.mark.parametrize("path", ["/home/pi/web.container", "/home/pi/web.service"])
def test_what_was_started_as_others_define_it_is_started_anew_when_their_file_is_gone(
    machine, path
):
    blog = app("blog", container("web"), container("db"))
    do(machine, deploy(blog))
    reloads = machine.reloads
    machine.foreign = {"web.service": path}
    assert steps(do(machine, deploy(blog, blog)), RestartUnit, StartUnit) == []
    machine.places["web.service"] = path
    machine.running["web.service"] = "theirs"
    assert steps(do(machine, deploy(blog, blog)), RestartUnit, StartUnit) == []
    assert machine.running["web.service"] == "theirs"
    machine.foreign = {}
    (again,) = steps(do(machine, deploy(blog, blog)), RestartUnit)
    assert (again.unit, again.reason) == (
        "web.service",
        f"it was started as {path} defined it",
    )
    assert machine.running["web.service"] == "web-1"
    assert machine.reloads == reloads + 1


def test_a_file_of_others_in_the_folder_is_never_overwritten(machine):
    blog = app("blog", container("web"), data={"conf/a": "a1"})
    machine.teach(blog)
    machine.files["blog"] = {"conf/a": type(blog.files[0])(path="conf/a", oid="mine")}
    plan = machine.plan([deploy(blog)])
    assert plan.steps == ()
    assert "conf/a exists already" in plan.verdicts[0].findings[0].message


@pytest.mark.parametrize("is_remembered", [False, True])
def test_what_a_power_cut_left_of_an_app_is_podvisors_own(machine, is_remembered):
    blog = app("blog", container("web"), container("db"), data={"conf/a": "a1"})
    do(machine, deploy(blog))
    torn = {
        path: msgspec.structs.replace(file, oid="torn")
        for path, file in machine.files["blog"].items()
    }
    machine.files["blog"] = torn
    manifest = machine.manifests.pop("blog")
    if is_remembered:
        machine.manifests["blog"] = msgspec.structs.replace(
            manifest, sealed=False, files=tuple(torn.values())
        )
    newer = app("blog", container("web"), revision="r2", data={"conf/a": "a1"})
    plans = do(machine, deploy(newer, last_good=blog))
    assert not any(one.fatal for plan in plans for v in plan.verdicts for one in v.findings)
    assert {file.path: file.oid for file in newer.files}.items() <= {
        path: file.oid for path, file in machine.files["blog"].items()
    }.items()
    if is_remembered:
        assert set(machine.files["blog"]) == {file.path for file in newer.files}


def test_a_unit_that_moves_to_another_app_is_not_stopped(machine):
    web, db = container("web"), container("db")
    a, b = app("a", web, db), app("b", container("x"))
    do(machine, deploy(a), deploy(b))
    a2 = app("a", web, revision="r2")
    b2 = app("b", container("x"), db, revision="r2")
    plans = do(machine, deploy(a2, a), deploy(b2, b))
    assert steps(plans, StopUnit, RestartUnit, StartUnit) == []
    assert "db.service" in machine.running


def observe(machine, deployments, **changes):
    return msgspec.structs.replace(machine.observe(deployments), **changes)


def test_a_linked_unit_that_moves_to_another_app_is_not_taken_for_a_foreign_one(machine):
    from supervisor.core.plan import planner

    job = msgspec.structs.replace(container("job"), kind=UnitKind.PLAIN)
    old = app("old", job)
    do(machine, deploy(old))
    deployments = [deploy(app("new", job)), deploy(None, old)]
    observed = machine.observe(deployments)
    observed.units["job.service"] = msgspec.structs.replace(
        observed.units["job.service"], path="/home/pi/.config/systemd/user/job.service"
    )
    verdicts = planner.plan(deployments, observed, 0.0).verdicts
    assert [one.findings for one in verdicts] == [(), ()]
    elsewhere = msgspec.structs.replace(observed, apps={"new": observed.apps["new"]})
    verdict = planner.plan(deployments[:1], elsewhere, 0.0).verdicts[0]
    assert verdict.findings == (), "nor if the other one is not looked at now"


def test_a_container_whose_file_is_renamed_keeps_its_name(machine):
    from supervisor.core.plan import planner
    from supervisor.model.observed import Container

    web = msgspec.structs.replace(container("web"), object_name="shop")
    site = msgspec.structs.replace(container("site"), object_name="shop")
    old = app("blog", web)
    do(machine, deploy(old))
    deployments = [deploy(app("blog", site, revision="r2"), old)]

    def refusals(unit):
        one = Container(id="1", name="shop", unit=unit, state="running", image="x")
        inventory = msgspec.structs.replace(
            machine.observe(deployments).inventory, containers=(one,)
        )
        observed = observe(machine, deployments, inventory=inventory)
        (verdict,) = planner.plan(deployments, observed, 0.0).verdicts
        return verdict.findings

    assert refusals("web.service") == ()
    (finding,) = refusals("")
    assert "a container named shop exists already" in finding.message


def test_of_a_template_only_instances_are_enabled(machine):
    wanted = {"kind": UnitKind.PLAIN, "wanted_by": ("default.target",), "links": ("job@.service",)}
    one = msgspec.structs.replace(container("job"), name="job@.service", **wanted)
    two = msgspec.structs.replace(
        container("run"), name="run@.service", instances=("main",), **wanted
    )
    plan = machine.plan([deploy(app("jobs", one, two))])
    enabled = {step.unit: step.install for step in steps([plan], EnableUnit)}
    assert enabled == {"job@.service": False, "run@.service": True}


def test_a_job_that_ended_well_is_not_run_again(machine):
    job = container("job", oneshot=True, kind=UnitKind.CONTAINER)
    blog = app("blog", job)
    do(machine, deploy(blog))
    machine.running.clear()
    deployments = [deploy(blog, blog)]
    observed = machine.observe(deployments)
    from supervisor.core.plan import planner
    from supervisor.model.observed import UnitState

    ended = UnitState(name="job.service", load="loaded", active="inactive", ever_started=True)
    observed.units["job.service"] = ended
    assert planner.plan(deployments, observed, 0.0).steps == ()


def test_what_systemd_restarts_is_left_to_it(machine):
    from supervisor.core.plan import planner
    from supervisor.model.observed import UnitState

    blog = app("blog", container("web"))
    do(machine, deploy(blog))
    deployments = [deploy(blog, blog)]
    observed = machine.observe(deployments)
    observed.units["web.service"] = UnitState(
        name="web.service", load="loaded", active="activating", sub="auto-restart"
    )
    plan = planner.plan(deployments, observed, 0.0)
    assert plan.steps == ()
    assert waiting(plan.verdicts[0]) == ("web.service: systemd is restarting it",)


def test_a_lost_ledger_restarts_nothing(machine):
    blog = app("blog", container("web"), container("db"))
    do(machine, deploy(blog))
    machine.applied.clear()
    machine.rollouts.clear()
    plans = do(machine, deploy(blog, blog))
    assert {type(step) for plan in plans for step in plan.steps} <= {TryRevision}
    assert set(machine.applied["blog"].units) == {"web.service", "db.service"}


def migration(version):
    return container(
        "migrate", version=version, reads=("conf",), before_deploy=True, oneshot=True, wanted_by=()
    )


def test_a_job_that_was_written_and_not_loaded_is_loaded_before_it_runs(machine):
    old = app("blog", container("web"))
    do(machine, deploy(old))
    new = app("blog", container("web"), migration("1"), revision="r2", data={"conf/a": "1"})
    newer = app("blog", container("web"), migration("1"), revision="r3", data={"conf/a": "2"})
    machine.teach(new)
    for step in machine.plan([deploy(new, old)]).steps:
        if isinstance(step, Reload):
            break  # the power goes
        machine.carry_out(step)
    do(machine, deploy(newer, old))
    assert machine.ran == ["migrate-1"]


def test_what_a_job_needs_is_put_in_place_and_nothing_else(machine):
    old = app("blog", container("web"), network("site"))
    do(machine, deploy(old))
    job = container(
        "migrate",
        requires=("site-network.service", "data-volume.service"),
        before_deploy=True,
        oneshot=True,
        wanted_by=(),
    )
    web = container("web", version="2")
    new = app("blog", web, network("site", version="2"), volume("data"), job, revision="r2")
    machine.teach(new)
    plan = machine.plan([deploy(new, old)])
    written = [step.file.path for step in plan.steps if isinstance(step, WriteFile)]
    assert written == ["data.volume", "migrate.container"]
    (verdict,) = plan.verdicts
    assert not verdict.complete
    assert waiting(verdict)[0].startswith("migrate.service first, then ")
    assert verdict.revision == "r1"


def test_a_job_that_runs_already_is_waited_for(machine):
    new = app("blog", container("web"), migration("1"), data={"conf/a": "1"})
    machine.teach(new)
    observed = machine.observe([deploy(new)])
    state = UnitState(name="migrate.service", load="loaded", active="activating", sub="start")
    observed = msgspec.structs.replace(observed, units={**observed.units, state.name: state})
    result = planner.plan([deploy(new)], observed, 0.0)
    assert result.steps == ()
    assert waiting(result.verdicts[0]) == ("migrate.service: the job runs",)
