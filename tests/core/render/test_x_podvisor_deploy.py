"""After=, OnChange= and Run=: what they mean, and what is said of those that cannot be."""

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.files.unitfile import parse
from supervisor.core.plan.change_policy import uptake
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from supervisor.core.render.x_podvisor import read_own_section
from supervisor.core.render.x_podvisor_deploy import fits
from supervisor.model.app import AfterApp, ChangeAction, ChangeRule
from supervisor.model.observed import UnitInputs
from tests.core.candidates import from_texts
from tests.fakes.machine import container

STAGE, LIVE = "/run/user/1000/podvisor/stage/1-1", "/home/pi/.config/containers/systemd/podvisor"
PLACE = Place(stage=STAGE, live=LIVE, home="/home/pi")


def read(*lines, runs=True, head="[Service]\nType=oneshot\n"):
    text = head + "[X-Podvisor]\n" + "".join(f"{line}\n" for line in lines)
    files = AppFiles(*from_texts("web", {"web.service": text}))
    return read_own_section(parse(text), "web.service", files, known={}, runs=runs)


def test_apps_to_come_after_each_with_its_line():
    own = read("After=app:db app:cache", "After=app:mail", runs=False)
    assert own.app.after == (
        AfterApp(app="db", path="apps/web/web.service", line=4),
        AfterApp(app="cache", path="apps/web/web.service", line=4),
        AfterApp(app="mail", path="apps/web/web.service", line=5),
    )
    assert not own.findings


def test_an_empty_line_takes_back_those_before_it():
    assert [need.app for need in read("After=app:a", "After=", "After=app:b").app.after] == ["b"]
    assert not read("OnChange=reload", "OnChange=").rules


def test_a_unit_is_no_app_to_come_after():
    (finding,) = read("After=db.service").findings
    assert "write app:NAME" in finding.message
    assert finding.line == 4


def test_rules_in_their_order():
    own = read("OnChange=None *.md docs", "OnChange=Reload")
    assert [rule for _, rule in own.rules] == [
        ChangeRule(action=ChangeAction.NONE, globs=("*.md", "docs")),
        ChangeRule(action=ChangeAction.RELOAD),
    ]
    (finding,) = read("OnChange=reboot").findings
    assert finding.message.endswith("write reload, restart or none, then globs of paths, if any")
    (finding,) = read("OnChange=reload", runs=False).findings
    assert "this unit is no service" in finding.message


def test_a_job_must_end_and_be_started_by_nobody_else():
    assert read("Run=before-deploy").before_deploy
    assert not read("Run=before-deploy").findings
    (finding,) = read("Run=before-deploy", head="[Service]\n").findings
    assert finding.fatal
    assert (finding.line, finding.hint) == (3, "write Type=oneshot in [Service]")
    wanted = "[Service]\nType=oneshot\n[Install]\nWantedBy=default.target\n"
    (finding,) = read("Run=before-deploy", head=wanted).findings
    assert not finding.fatal
    in_pod = "[Service]\nType=oneshot\n[X-Container]\nPod=a.pod\n"
    (finding,) = read("Run=before-deploy", head=in_pod).findings
    assert finding.fatal
    (finding,) = read("Run=sometimes").findings
    assert "write Run=before-deploy" in finding.message


def test_what_a_glob_fits():
    assert fits("conf", "conf/site/a.conf")
    assert fits("./conf/", "conf/a")
    assert fits("*.conf", "conf/a.conf")
    assert not fits("conf", "config/a")


def generated(command, own, files, service=""):
    """Read a container's unit as the generator prints it."""
    reading = Reading(AppFiles(*from_texts("app", {"web.container": own, **files})))
    output = (
        f"---web.service---\n{own}[Unit]\nSourcePath={STAGE}/app/web.container\n"
        f"[Service]\n{service}ExecStart=/usr/bin/podman run {command} img\n"
    ).replace("APP", f"{STAGE}/app")
    read_units(output, {"app": reading}, PLACE)
    (unit,) = reading.units
    return unit, reading.findings


RELOAD = "[X-Podvisor]\nOnChange=reload\n"
CAN = "ExecReload=/usr/bin/podman exec web kill -HUP 1\n"


def test_what_a_container_sees_change():
    files = {"conf/a": "", "site.conf": "", "env": "", "data/b": ""}
    unit, findings = generated(
        "-v APP/conf:/conf:ro -v APP/site.conf:/site.conf -v APP/data:/data:O --env-file APP/env",
        RELOAD,
        files,
        CAN,
    )
    assert unit.can_reload
    assert unit.reads == ("conf", "data", "env", "site.conf")
    assert unit.live == ("conf",)
    assert not findings


def test_a_folder_and_a_file_of_it_mounted_by_itself():
    unit, _ = generated("-v APP/conf:/conf -v APP/conf/a:/a", RELOAD, {"conf/a": ""}, CAN)
    assert unit.live == ("conf",)
    assert taken_up(unit, {"conf/a": "1"}, {"conf/a": "2"}).action is ChangeAction.RESTART


def test_a_plain_unit_reads_what_its_commands_name_again():
    text = (
        "[Service]\nExecStart=%h/x/APP/run --config %h/x/APP/conf/a\nExecReload=/bin/kill -HUP\n"
        "EnvironmentFile=%h/x/APP/env\n[X-Podvisor]\nOnChange=reload\n"
    ).replace("%h/x/APP", f"{LIVE}/app")
    files = {"p.service": text, "run": "", "conf/a": "", "env": ""}
    reading = Reading(AppFiles(*from_texts("app", files)))
    read_plain_units(reading, PLACE)
    (unit,) = reading.units
    assert unit.reads == ("conf/a", "env", "run")
    assert unit.live == ("conf/a",)
    assert unit.can_reload


def test_a_rule_that_cannot_have_its_effect_is_told_of():
    _, (finding,) = generated("-v APP/conf:/conf", RELOAD, {"conf/a": ""})
    assert "cannot be reloaded, so a change restarts it" in finding.message
    assert (finding.path, finding.line, finding.fatal) == ("apps/app/web.container", 2, False)
    lines = "[X-Podvisor]\nOnChange=none cnf\n"
    _, (finding,) = generated("-v APP/conf:/conf", lines, {"conf/a": ""})
    assert "cnf fits no file of the app that this unit reads" in finding.message


def taken_up(unit, old, new):
    return uptake(unit, UnitInputs(digest="1", files=old), UnitInputs(digest="1", files=new))


def web(*rules, **more):
    more = {"can_reload": True, "reads": ("conf", "env"), "live": ("conf",), **more}
    return container("web", on_change=rules, **more)


RELOADS = ChangeRule(action=ChangeAction.RELOAD)
LEAVES = ChangeRule(action=ChangeAction.NONE, globs=("*.md",))


def test_the_strongest_word_counts_of_several_files():
    unit = web(LEAVES, RELOADS)
    read_me, site = {"conf/a.md": "1"}, {"conf/site": "1"}
    assert taken_up(unit, read_me, {"conf/a.md": "2"}).action is ChangeAction.NONE
    assert taken_up(unit, site, {"conf/site": "2"}).action is ChangeAction.RELOAD
    both = taken_up(unit, {**read_me, **site}, {"conf/a.md": "2", "conf/site": "2"})
    assert both.action is ChangeAction.RELOAD
    env = taken_up(unit, {**site, "env": "1"}, {"conf/site": "2", "env": "2"})
    assert env.action is ChangeAction.RESTART
    assert "a reload would not show it env" in env.reason
    assert taken_up(web(), site, {"conf/site": "2"}).action is ChangeAction.RESTART


def test_a_changed_unit_or_secret_always_restarts():
    unit = web(ChangeRule(action=ChangeAction.NONE))
    old = UnitInputs(digest="1", files={"conf/a": "1"}, secrets={"key": "id1"})
    for new in (
        UnitInputs(digest="2", files={"conf/a": "2"}, secrets={"key": "id1"}),
        UnitInputs(digest="1", files={"conf/a": "2"}, secrets={"key": "id2"}),
    ):
        assert uptake(unit, old, new).action is ChangeAction.RESTART
    assert uptake(unit, old, old).reason == ""


def test_a_unit_that_cannot_reload_restarts():
    unit = web(RELOADS, can_reload=False)
    assert taken_up(unit, {"conf/a": "1"}, {"conf/a": "2"}).action is ChangeAction.RESTART
