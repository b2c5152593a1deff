"""Health on a real host: checks that are asked less often, probes, and what they cost."""

import json

import pytest

from tests.host.scenes import (
    WANTED,
    app_of,
    deploy_folder,
    events,
    main_pid,
    ready,
    service,
    sleeper,
)

QUICK = '[health]\nidle_after = "1s"\n'
CHECKED = (
    'HealthCmd=["/bin/busybox","test","-e","/state/ok"]',
    "HealthInterval=2s",
    "HealthRetries=2",
    "Volume=%h/state:/state",
)
IDLE = "\n[X-Podvisor]\nHealthIdleInterval=5s\n"


def container(user, fact, name="systemd-web"):
    return user.podman("inspect", name, "--format", f"{{{{{fact}}}}}").stdout.strip()


def interval(user):
    return container(user, ".Config.Healthcheck.Interval")


def unit(user):
    (one,) = app_of(user, "web")["units"]
    return one


def test_a_container_that_is_well_is_asked_less_often(user, wait_for):
    user.run("sh", "-c", "mkdir state && touch state/ok")
    deploy_folder(user, {"web/web.container": sleeper(*CHECKED) + IDLE}, more=QUICK)
    ready(user, "web")
    before = container(user, ".Id"), container(user, ".State.StartedAt"), main_pid(user, "web")
    assert interval(user) == "2s"
    wait_for(lambda: interval(user) == "5s", what="longer interval")
    wait_for(lambda: unit(user).get("health_interval") == 5.0, what="shown")
    # A failed check: asked as declared again, found unhealthy, told; healthy again, told.
    user.run("rm", "state/ok")
    wait_for(lambda: app_of(user, "web")["state"] == "failing", what="unhealthy")
    assert interval(user) == "2s"
    assert unit(user)["health"] == "unhealthy"
    user.run("touch", "state/ok")
    wait_for(lambda: app_of(user, "web")["state"] == "ready", what="healthy")
    wait_for(lambda: interval(user) == "5s", what="longer interval again")
    after = container(user, ".Id"), container(user, ".State.StartedAt"), main_pid(user, "web")
    assert after == before, "nothing was restarted"
    bad, good = events(user, kind="health")
    assert (bad["ok"], bad["unit"], good.get("ok", True)) == (False, "web.service", True)
    # A new container is asked as declared.
    user.systemctl("restart", "web")
    assert interval(user) == "2s"


def test_a_probe_judges_and_repairs(user, wait_for):
    port = user.port
    quick = "ProbeInterval=1s\nProbeRetries=2\n"
    serve = f"[Service]\nExecStart=busybox httpd -f -p 127.0.0.1:{port} -h %h/www\n"
    probes = {
        "web": f"{serve}{WANTED}[X-Podvisor]\nProbe=http://127.0.0.1:{port}/\n{quick}",
        "tcp": f"{service()}[X-Podvisor]\nProbe=tcp://localhost:{port}\n{quick}",
        "bus": f"{service()}[X-Podvisor]\nProbe=unix:%t/bus\n{quick}",
    }
    user.write("www/index.html", "well")
    deploy_folder(user, {f"web/{name}.service": text for name, text in probes.items()})

    def health():
        return {one["name"]: one.get("health") for one in app_of(user, "web").get("units", ())}

    well = {f"{name}.service": "healthy" for name in probes}
    wait_for(lambda: health() == well, what="all healthy")
    user.run("rm", "www/index.html")
    wait_for(lambda: health() == {**well, "web.service": "unhealthy"}, what="a 404 is not well")
    assert app_of(user, "web")["state"] == "failing"
    user.write("www/index.html", "well")
    wait_for(lambda: health() == well, what="well again")
    bad, good = events(user, kind="health", unit="web.service")
    assert (bad["ok"], bad["detail"], good.get("ok", True)) == (False, "404 Not Found", True)
    # What is never well is restarted, if it says so.
    before = main_pid(user, "tcp")
    none = f"[X-Podvisor]\nProbe=unix:%h/none.sock\n{quick}ProbeOnFailure=restart\n"
    user.write("apps/web/tcp.service", service() + none)
    wait_for(lambda: main_pid(user, "tcp") != before, what="a restart")
    restarts = events(user, step="restart", unit="tcp.service")
    assert "No such file" in restarts[-1]["reason"]


def test_doctor_measures_what_checks_cost(user):
    check = ('HealthCmd=["/bin/busybox","true"]', "HealthInterval=30s")
    deploy_folder(user, {"web/web.container": sleeper(*check), "web/quiet.container": sleeper()})
    ready(user, "web")
    before = user.podman("inspect", "systemd-web", "--format", "{{len .State.Health.Log}}").stdout
    (one,) = json.loads(
        user.podvisor("doctor", "--json", "--measure", "--runs=2", check=False).stdout
    )["health_costs"]["checks"]
    after = user.podman("inspect", "systemd-web", "--format", "{{len .State.Health.Log}}").stdout
    assert int(after) >= int(before) + 2, "it was really run"
    assert (one["container"], one["unit"], one["interval"]) == ("systemd-web", "web.service", 30.0)
    assert one["managed"]
    assert 10 < one["ms_per_run"] < 2000, "three programs are started"
    assert one["ms_per_minute"] == pytest.approx(2 * one["ms_per_run"])
    said = user.podvisor("doctor", "--measure", "--runs=1", check=False).stdout
    assert "web.container of the app web, in its source" in said
    assert "HealthIdleInterval=5m" in said
    left = user.systemctl("list-units", "--all", "--no-legend", "podvisor-doctor*").stdout
    assert left == ""
