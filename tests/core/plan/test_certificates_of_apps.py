"""What an app does about its certificates: it waits for them, and takes up another one."""

import msgspec
import pytest

from supervisor.core.plan import planner
from supervisor.core.plan.certificates import certificate_blockers, described
from supervisor.core.plan.needs import blocked_units
from supervisor.model.app import AppOptions, ChangeAction, ChangeRule
from supervisor.model.certificate import CertificateTerms, CertificateUse, DesiredCertificate
from supervisor.model.need import NeedKind
from supervisor.model.observed import PodmanObject
from supervisor.model.plan import (
    LeaveUnit,
    PullImage,
    ReloadUnit,
    RestartUnit,
    RunJob,
    SnapshotVolumes,
    StartUnit,
    StopUnit,
    TryRevision,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Outcome
from tests.fakes.machine import Machine, app, container, deploy, network, volume

ENDING = (RestartUnit, StopUnit)


def using(name, *certificates, fixed=False, **more):
    uses = tuple(
        CertificateUse(name=one, fixed=fixed, path=f"{name}.container", line=7)
        for one in certificates
    )
    return container(name, certificate_uses=uses, **more)


def describing(one, *names):
    certificates = tuple(
        DesiredCertificate(
            name=name, path=f"{name}.certificate", terms=CertificateTerms(domains=("a.example",))
        )
        for name in names
    )
    return msgspec.structs.replace(one, certificates=certificates)


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ({}, {}, {"old", "new"}),
        ({"directory": "/home/pi/tls"}, {}, {"old", "new"}),
        ({"directory": "/home/pi/tls"}, {"directory": "/home/pi/tls"}, {"new"}),
        ({"secrets": ("tls", "more")}, {"secrets": ("tls",)}, {"new"}),
    ],
)
def test_a_way_back_leaves_its_places_to_who_is_to_have_them(before, after, known):
    def has(name, **fields):
        made = describing(app("web", using("web")), name)
        (one,) = made.certificates
        changed = msgspec.structs.replace(one, **fields)
        return msgspec.structs.replace(made, certificates=(changed,))

    former, wanted = has("old", **before), has("new", **after)
    assert described([deploy(wanted, former)]).keys() == known
    assert described([deploy(None, former, keep=True)]).keys() == {"old"}, "it is not on its way"
    assert described([deploy(former, former), deploy(wanted)]).keys() == {"old", "new"}


@pytest.fixture
def machine():
    return Machine()


def stands(machine, one, **versions):
    """An app that runs with these versions of its certificates."""
    machine.teach(one)
    machine.certificates.update(versions)
    machine.converge([deploy(one)])
    return deploy(one, one)


def step_of(machine, deployment):
    (step,) = machine.plan([deployment]).steps
    return step


@pytest.mark.parametrize(
    "change", [{"owner": (999, 0)}, {"mode": 0o640}, {"directory": "/srv/tls"}]
)
def test_another_revision_waits_until_it_is_installed_as_that_says(machine, change):
    before = describing(app("web", using("web", "site")), "site")
    (certificate,) = before.certificates
    machine.manners["site"] = certificate.manner
    stands(machine, before, site="v1")
    other = msgspec.structs.replace(certificate, **change)
    after = describing(app("web", using("web", "site", digest="another")), "site")
    after = msgspec.structs.replace(after, certificates=(other,))
    plan = machine.plan([deploy(after, before)])
    assert not [step for step in plan.steps if isinstance(step, ENDING)]
    (verdict,) = plan.verdicts
    assert [str(one) for one in verdict.waiting] == [
        "certificate site: it is to be installed as site.certificate says now"
    ]
    machine.manners["site"] = other.manner
    plan = machine.plan([deploy(after, before)])
    assert [step.unit for step in plan.steps if isinstance(step, RestartUnit)] == ["web.service"]


def test_a_first_deploy_waits_for_its_certificate(machine):
    one = describing(app("web", using("web", "site"), container("cache")), "site")
    machine.teach(one)
    plan = machine.plan([deploy(one)])
    assert plan.steps == ()
    (verdict,) = plan.verdicts
    (need,) = verdict.waiting
    assert (need.kind, need.subject, need.units) == ("certificate", "site", ("web.service",))
    assert str(need) == "certificate site: it is not there yet"
    assert not verdict.complete
    machine.certificates["site"] = "v1"
    machine.converge([deploy(one)])
    assert machine.running.keys() == {"web.service", "cache.service"}
    assert machine.applied["web"].units["web.service"].certificates == {"site": "v1"}
    assert blocked_units(one, machine.observe([deploy(one)])) == frozenset()


def test_who_asks_for_it_is_said_where_that_is_another_app(machine):
    proxy = describing(app("proxy", container("proxy")), "site")
    web = app("web", using("web", "site"))
    for one in (proxy, web):
        machine.teach(one)
    verdicts = {one.app: one for one in machine.plan([deploy(proxy), deploy(web)]).verdicts}
    (need,) = verdicts["web"].waiting
    assert (need.app, need.text) == ("proxy", "certificate site of app proxy")
    assert verdicts["proxy"].complete, "nothing of it uses what it asks for"


def test_images_are_pulled_while_a_certificate_is_waited_for(machine):
    one = describing(app("web", using("web", "site", images=("img:1",))), "site")
    machine.teach(one)
    machine.converge([deploy(one)])
    assert machine.images == {"img:1"}
    assert not machine.running


def test_a_certificate_that_no_app_describes_keeps_the_app_out(machine):
    one = app("web", using("web", "site"), using("mail", "site"))
    machine.teach(one)
    plan = machine.plan([deploy(one)])
    first, second = plan.verdicts[0].findings
    assert first.fatal
    assert (first.path, first.line) == ("web/web.container", 7)
    assert first.message == "web.service uses the certificate site, which no app describes"
    assert first.hint == "describe it in a file site.certificate, of this app or of another one"
    assert second.path == "web/mail.container"
    assert plan.steps == ()


@pytest.mark.parametrize(
    ("name", "hint"), [("stie", "did you mean site?"), ("mail", "describe it in a file mail.cert")]
)
def test_one_that_is_nearly_called_so_is_asked_for(name, hint):
    one = app("web", using("web", name))
    (finding,) = certificate_blockers(one, {"site": "tls"})
    assert finding.hint.startswith(hint)


def test_one_that_is_still_there_when_nobody_describes_it_any_more_keeps_nothing_out(machine):
    one = app("web", using("web", "site"))
    deployment = stands(machine, one, site="v1")
    machine.stop("web.service")
    plan = machine.plan([deployment])
    (finding,) = plan.verdicts[0].findings
    assert not finding.fatal
    assert "is not renewed" in finding.message
    assert [step.unit for step in plan.steps] == ["web.service"]


def test_what_runs_goes_on_while_an_update_waits_for_a_new_certificate(machine):
    old = app("web", container("web"), container("other"))
    stands(machine, old)
    new = describing(
        app("web", using("web", "site", version="2"), container("more"), revision="r2"), "site"
    )
    machine.teach(new)
    waiting = deploy(new, old)
    assert machine.converge([waiting]) == []
    (verdict,) = machine.plan([waiting]).verdicts
    assert [need.subject for need in verdict.waiting] == ["site"]
    machine.stop("other.service")
    machine.converge([waiting])
    assert machine.running.keys() == {"web.service", "other.service"}, "it is repaired meanwhile"
    machine.certificates["site"] = "v1"
    machine.converge([waiting])
    assert machine.running == {"web.service": "web-2", "more.service": "more-1"}


@pytest.mark.parametrize("can_reload", [True, False])
@pytest.mark.parametrize("fixed", [True, False])
def test_a_renewed_certificate_is_taken_up_by_a_reload_where_that_shows_it(
    machine, can_reload, fixed
):
    one = describing(app("web", using("web", "site", fixed=fixed, can_reload=can_reload)), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    step = step_of(machine, deployment)
    assert isinstance(step, ReloadUnit if can_reload and not fixed else RestartUnit)
    assert step.reason == "certificate site was renewed"
    machine.converge([deployment])
    assert machine.serving["web.service"] == {"site": "v2"}
    assert machine.applied["web"].units["web.service"].certificates == {"site": "v2"}


def test_what_serves_the_former_one_is_restarted_and_left_alone_when_it_does_not_any_more(machine):
    one = describing(app("web", using("web", "site", can_reload=True)), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v1+"
    step = step_of(machine, deployment)
    assert isinstance(step, RestartUnit)
    assert step.reason == "certificate site is installed, and is not served"
    machine.converge([deployment])
    machine.certificates["site"] = "v1"
    assert machine.converge([deployment]) == []
    assert machine.applied["web"].units["web.service"].certificates == {"site": "v1"}


@pytest.mark.parametrize(
    ("had", "version", "step", "reason"),
    [
        ("v1", "v1.1", RestartUnit, "the folder of certificate site was made anew"),
        ("v1.1", "v1.2", RestartUnit, "the folder of certificate site was made anew"),
        ("v1", "v2.1", RestartUnit, "certificate site was renewed"),
        ("v1.1", "v2.1", ReloadUnit, "certificate site was renewed"),
        ("v1.1", "v1.1+", RestartUnit, "certificate site is installed, and is not served"),
    ],
)
def test_who_has_mounted_a_folder_that_is_gone_restarts(machine, had, version, step, reason):
    one = describing(app("web", using("web", "site", can_reload=True)), "site")
    deployment = stands(machine, one, site=had)
    machine.certificates["site"] = version
    found = step_of(machine, deployment)
    assert (type(found), found.reason) == (step, reason)
    machine.converge([deployment])
    assert machine.converge([deployment]) == []


def test_who_missed_one_restarts_at_once_where_others_had_to(machine):
    one = describing(app("web", using("web", "site", can_reload=True)), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2+"
    assert isinstance(step_of(machine, deployment), RestartUnit)


def test_one_that_was_put_back_is_said_to_be(machine):
    one = describing(app("web", using("web", "site", can_reload=True)), "site")
    deployment = stands(machine, one, site="v2+")
    machine.certificates["site"] = "v1"
    observed = machine.observe([deployment])
    observed = msgspec.structs.replace(observed, put_back=frozenset({"v2"}))
    (step,) = planner.plan([deployment], observed, 1.0, certificates={"site": "web"}).steps
    assert isinstance(step, ReloadUnit)
    assert step.reason == "the former certificate site was put back, as nobody served the newer one"


def test_one_that_nothing_is_on_record_of_is_recorded_and_restarts_nothing(machine):
    before = app("web", container("web"))
    stands(machine, before)
    one = describing(app("web", using("web", "site")), "site")  # the use is known since today
    machine.teach(one)
    machine.certificates["site"] = "v1"
    assert machine.converge([deploy(one, one)]) == []
    assert machine.applied["web"].units["web.service"].certificates == {"site": "v1"}
    machine.certificates["site"] = "v2"
    assert isinstance(step_of(machine, deploy(one, one)), RestartUnit)


@pytest.mark.parametrize("can_reload", [True, False])
def test_what_runs_takes_up_a_certificate_that_comes_to_where_it_reads(machine, can_reload):
    """As with a `Directory=` that a unit has mounted all along: its own file did not change."""
    before = app("web", container("web", can_reload=can_reload))
    stands(machine, before)
    unit = using("web", "site", can_reload=can_reload)
    one = describing(app("web", unit, data={"site.certificate": "new"}, revision="r2"), "site")
    machine.teach(one)
    machine.certificates["site"] = "v1"
    kind = ReloadUnit if can_reload else RestartUnit
    (plan,) = machine.converge([deploy(one, before)])
    (step,) = (step for step in plan.steps if isinstance(step, kind))
    assert step.reason == "it uses certificate site now"
    assert machine.plan([deploy(one, one)]).steps == ()


@pytest.mark.parametrize("action", ChangeAction)
def test_no_rule_for_files_is_about_certificates(machine, action):
    rules = (ChangeRule(action=action),)
    unit = using("web", "site", can_reload=True, on_change=rules, reads=("conf",), live=("conf",))
    one = describing(app("web", unit, data={"conf/a": "1"}), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    assert isinstance(step_of(machine, deployment), ReloadUnit)
    new = describing(app("web", unit, data={"conf/a": "2"}, revision="r2"), "site")
    machine.teach(new)
    (step,) = (
        step
        for step in machine.plan([deploy(new, one)]).steps
        if isinstance(step, RestartUnit | ReloadUnit | LeaveUnit)
    )
    wanted = RestartUnit if action is ChangeAction.RESTART else ReloadUnit
    assert isinstance(step, wanted)
    assert "conf/a changed" in step.reason
    assert step.reason.endswith("certificate site was renewed")


def test_what_is_down_takes_it_up_when_it_starts(machine):
    one = describing(app("web", using("web", "site"), using("job", "site", wanted_by=())), "site")
    deployment = stands(machine, one, site="v1")
    machine.stop("web.service")
    machine.certificates["site"] = "v2"
    step = step_of(machine, deployment)
    assert isinstance(step, StartUnit)
    assert step.inputs.certificates == {"site": "v2"}
    machine.converge([deployment])
    units = machine.applied["web"].units
    assert units["job.service"].certificates == {"site": "v2"}, "whoever starts it has it read that"


def test_a_renewed_certificate_is_no_new_release(machine):
    one = describing(
        app("web", using("web", "site", volumes=("data",), requires=("data-volume.service",))),
        "site",
    )
    one = msgspec.structs.replace(
        one,
        units=(*one.units, volume("data")),
        files=app("web", *one.units, volume("data")).files,
        options=AppOptions(snapshot=True),
    )
    deployment = stands(machine, one, site="v1")
    before = dict(machine.rollouts["web"])
    machine.certificates["site"] = "v2"
    machine.broken.add("web.service")
    for plan in machine.converge([deployment]):
        assert not [s for s in plan.steps if isinstance(s, TryRevision | SnapshotVolumes)]
    assert machine.rollouts["web"] == before
    (tried,) = before.values()
    assert tried.outcome is Outcome.GOOD
    assert "web.service" in machine.failed
    machine.broken.clear()
    machine.converge([deployment], now=10_000.0)
    assert "web.service" in machine.running, "it is repaired as always"


def test_units_of_another_app_take_it_up_too(machine):
    proxy = describing(app("proxy", using("proxy", "site", can_reload=True)), "site")
    web = app("web", using("web", "site"))
    machine.certificates["site"] = "v1"
    for one in (proxy, web):
        machine.teach(one)
    machine.converge([deploy(proxy), deploy(web)])
    both = [deploy(proxy, proxy), deploy(web, web)]
    machine.certificates["site"] = "v2"
    steps = machine.plan(both).steps
    assert {step.unit: type(step) for step in steps} == {
        "proxy.service": ReloadUnit,
        "web.service": RestartUnit,
    }


def test_replicas_take_it_up_in_turns(machine):
    unit = using("web@", "site", path="web@.container", instances=("1", "2", "3"), replicas=3)
    one = describing(app("web", unit), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    plans = machine.converge([deployment])
    restarted = [[s.unit for s in plan.steps if isinstance(s, RestartUnit)] for plan in plans]
    assert restarted == [["web@1.service"], ["web@2.service"], ["web@3.service"]]
    assert {one["site"] for one in machine.serving.values()} == {"v2"}


def test_an_app_that_asks_for_it_restarts_one_by_one(machine):
    one = describing(app("web", using("web", "site"), using("mail", "site")), "site")
    one = msgspec.structs.replace(one, options=AppOptions(one_by_one=True))
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    assert isinstance(step_of(machine, deployment), RestartUnit)
    assert len(machine.converge([deployment])) == 2


def test_a_kube_is_ended_by_what_it_was_and_started_with_the_new_one(machine):
    one = describing(app("web", using("web", "site", kind=UnitKind.KUBE)), "site")
    deployment = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    machine.converge([deployment])
    assert machine.serving["web.service"] == {"site": "v2"}


def test_a_certificate_that_is_gone_stops_nothing_and_is_remembered(machine):
    one = describing(app("web", using("web", "site"), container("other")), "site")
    deployment = stands(machine, one, site="v1")
    del machine.certificates["site"]
    assert machine.converge([deployment]) == []
    (need,) = machine.plan([deployment]).verdicts[0].waiting
    assert need.kind is NeedKind.CERTIFICATE
    machine.stop("other.service")
    machine.converge([deployment])
    assert machine.running.keys() == {"web.service", "other.service"}
    machine.certificates["site"] = "v2"
    assert isinstance(step_of(machine, deployment), RestartUnit), "it ran with another one"


@pytest.mark.parametrize("lacking", ["certificate", "image"])
def test_the_way_back_starts_nothing_without_what_lacks_and_stops_nothing_for_it(machine, lacking):
    """And it comes to rest meanwhile."""
    old = describing(
        app("web", using("web", "site", images=("img:1",)), container("other")), "site"
    )
    machine.images.add("img:1")
    stands(machine, old, site="v1")
    new = app("web", container("web", version="2"), container("other", version="2"), revision="r2")
    machine.teach(new)
    machine.bad.add("other-2")
    back = deploy(new, old)
    plan = machine.plan([back])
    for step in plan.steps:  # it is tried, and fails
        machine.carry_out(step)
    machine.adopt(plan)
    if lacking == "certificate":
        machine.certificates.clear()
    else:
        machine.images.clear()
    for _ in range(2):
        plan = machine.plan([back], now=10.0)
        for step in plan.steps:
            if not isinstance(step, PullImage):  # nobody has it
                machine.carry_out(step)
        machine.adopt(plan)
    assert machine.tried("web", "r2").outcome is Outcome.FAILED
    assert machine.running == {"web.service": "web-2", "other.service": "other-1"}
    plan = machine.plan([back], now=10.0)
    assert [step for step in plan.steps if not isinstance(step, PullImage)] == []
    needs = [(str(need.kind), need.subject) for need in plan.verdicts[0].waiting]
    assert needs == [(lacking, "site" if lacking == "certificate" else "img:1")]
    machine.certificates["site"] = "v1"
    machine.converge([back], now=10.0)
    assert machine.running == {"web.service": "web-1", "other.service": "other-1"}


@pytest.mark.parametrize("kind", [UnitKind.CONTAINER, UnitKind.KUBE])
@pytest.mark.parametrize("lacking", ["certificate", "image"])
def test_what_is_made_anew_waits_while_what_runs_on_it_could_not_start_again(
    machine, kind, lacking
):
    """A network's user is stopped for it: by a host's own drop-in for it, the app is no other."""
    user = using("web", "site", requires=("net-network.service",), kind=kind, images=("img:1",))
    one = describing(app("web", network("net"), user, container("down")), "site")
    machine.images.add("img:1")
    deployment = stands(machine, one, site="v1")
    assert PodmanObject(UnitKind.NETWORK, "systemd-net") in machine.manifests["web"].objects
    changed = msgspec.structs.replace(one.units[0], digest="net-other", outside={"/etc/x": "1"})
    drifted = msgspec.structs.replace(one, units=(changed, *one.units[1:]))
    if lacking == "image":
        machine.images.clear()
    else:
        machine.certificates.clear()
    machine.stop("down.service")
    plan = machine.plan([deploy(drifted, drifted)])
    touched = [step.unit for step in plan.steps if isinstance(step, (*ENDING, StartUnit))]
    assert touched == ["down.service"]
    assert deployment.name == "web"
    machine.images.add("img:1")
    machine.certificates["site"] = "v1"
    plan = machine.plan([deploy(drifted, drifted)])
    assert {step.unit for step in plan.steps if isinstance(step, StopUnit)} == {
        "net-network.service",
        "web.service",
    }


@pytest.mark.parametrize("lacking", ["certificate", "image"])
def test_before_its_jobs_are_done_nothing_is_repaired_that_could_not_start(machine, lacking):
    old = describing(
        app("web", using("web", "site", images=("img:1",)), container("other")), "site"
    )
    machine.images.add("img:1")
    stands(machine, old, site="v1")
    job = container("job", before_deploy=True, oneshot=True, wanted_by=())
    new = app("web", container("web", version="2"), container("other"), job, revision="r2")
    machine.teach(new)
    for unit in tuple(machine.running):
        machine.stop(unit)
    if lacking == "certificate":
        machine.certificates.clear()
    else:
        machine.images.clear()
    steps = machine.plan([deploy(new, old)]).steps
    assert [step.unit for step in steps if isinstance(step, RunJob)] == ["job.service"]
    assert [step.unit for step in steps if isinstance(step, StartUnit)] == ["other.service"]


def test_what_others_need_is_restarted_where_only_nobody_asked_of_their_images(machine):
    """Images are looked for where something is about to start."""
    db, web = using("db", "site"), container("web", images=("img:1",), requires=("db.service",))
    one = describing(app("web", db, web, using("mail", "mx")), "site", "mx")
    machine.images.add("img:1")
    deployment = stands(machine, one, site="v1", mx="v1")
    machine.images.clear()
    machine.certificates["site"] = "v2"
    del machine.certificates["mx"]
    step = step_of(machine, deployment)
    assert isinstance(step, RestartUnit)
    assert step.unit == "db.service"


def test_what_needs_another_unit_is_not_restarted_with_it_while_its_certificate_is_gone(machine):
    db, web = using("db", "site"), using("web", "mx", requires=("db.service",))
    one = describing(app("web", db, web), "site", "mx")
    deployment = stands(machine, one, site="v1", mx="v1")
    machine.certificates["site"] = "v2"
    del machine.certificates["mx"]
    assert machine.plan([deployment]).steps == ()
    machine.certificates["mx"] = "v1"
    assert step_of(machine, deployment).unit == "db.service"


def replicas(*names):
    """A template of which each instance has a certificate of its own name."""
    uses = tuple(CertificateUse(name=one, instance=one) for one in names)
    return container("web@", certificate_uses=uses, instances=names, replicas=len(names))


def test_of_replicas_with_certificates_of_their_own_only_that_one_restarts(machine):
    one = describing(app("web", replicas("1", "2")), "1", "2")
    deployed = stands(machine, one, **{"1": "v1", "2": "v1"})
    units = machine.applied["web"].units
    assert {name: had.certificates for name, had in units.items()} == {
        "web@1.service": {"1": "v1"},
        "web@2.service": {"2": "v1"},
    }
    machine.certificates["2"] = "v2"
    step = step_of(machine, deployed)
    assert isinstance(step, RestartUnit)
    assert step.unit == "web@2.service"


def test_only_the_replica_whose_certificate_is_not_there_waits(machine):
    one = describing(app("web", replicas("1", "2")), "1", "2")
    machine.teach(one)
    machine.certificates["1"] = "v1"
    (verdict,) = machine.plan([deploy(one)]).verdicts
    (need,) = verdict.waiting
    assert (need.subject, need.units) == ("2", ("web@2.service",))


def test_a_volume_that_binds_a_certificate_waits_and_is_left_alone_afterwards(machine):
    """A restart of it would take who mounts it along, which may be able to reload."""
    bound = CertificateUse(name="site")
    tls = msgspec.structs.replace(volume("tls"), certificate_uses=(bound,))
    user = using("web", "site", requires=(tls.name,), can_reload=True)
    one = describing(app("web", tls, user), "site")
    machine.teach(one)
    plan = machine.plan([deploy(one)])
    assert plan.steps == ()
    assert set(plan.verdicts[0].waiting[0].units) == {tls.name, user.name}
    deployed = stands(machine, one, site="v1")
    machine.certificates["site"] = "v2"
    step = step_of(machine, deployed)
    assert isinstance(step, ReloadUnit)
    assert step.unit == user.name
