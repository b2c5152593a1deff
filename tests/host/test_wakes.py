"""What wakes podvisor, and what it costs others: nothing is missed, nobody works for nothing."""

import json
import shutil
import time
from pathlib import Path

from scenes import active, deploy_folder, main_pid, ready, service, sleeper

from tests.host.certificate_scenes import certificates, nginx_unit
from tests.test_idle_imports import OF_IMAGES

QUIET = Path(__file__).parent / "contracts" / "quiet.py"
SECONDS = 5


def test_health_checks_are_no_ones_business(user):
    """systemd signals nothing of them, and podvisor hears and says nothing."""
    checked = sleeper('HealthCmd=["/bin/true"]', "HealthInterval=1s")
    deploy_folder(user, {f"web{n}/web{n}.container": checked for n in range(3)})
    ready(user, "web0", "web1", "web2")

    def listen(*arguments):
        python = ("/opt/podvisor/bin/python", "-", str(SECONDS), *arguments)
        return json.loads(user.run(*python, input=QUIET.read_text()).stdout)

    def checks():
        user.host.run("journalctl", "--sync")  # where Podman's events are
        lines = user.podman("events", "--stream=false", "--filter=event=health_status")
        return len(lines.stdout.splitlines())

    user.wait_for(lambda: listen()["podvisor"] == 0, what="rest after the deployment")
    # The slow look at health comes every 150 s: if this stretch meets it, the next one does not.
    # On a busy machine a stretch may meet hardly any check.
    for _ in range(6):
        before, switched = checks(), switches(user)
        heard = listen()
        switched = switches(user) - switched
        checked = checks() - before
        if heard["podvisor"] == 0 and checked >= 3:
            break
    assert checked >= 3, "there were health checks"
    assert heard["checks"] == heard["podvisor"] == 0, heard
    assert switched < checked, f"{switched} wake-ups in {checked} checks"
    assert listen("subscribe")["checks"] > 0, "what a subscription would cost"


def switches(user):
    """How often podvisor has woken up so far."""
    status = user.run("cat", f"/proc/{main_pid(user, 'podvisor.service')}/status").stdout
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_a_certificate_that_is_not_due_costs_nothing(user, acme, port):
    """Neither a process nor a wake-up, nor a library of those who order it."""
    deploy_folder(user, nginx_unit(user, port), more=acme.settings())
    ready(user, "web")
    user.wait_for(lambda: certificates(user)["web"]["state"] == "valid", what="its being served")
    pid, asked = main_pid(user, "podvisor.service"), len(acme.requests())
    group = user.unit_state("podvisor.service")["ControlGroup"]
    counts = []
    for _ in range(12):  # what comes after a deployment comes to an end
        before = switches(user)
        time.sleep(SECONDS)
        counts.append(switches(user) - before)
        if counts[-1] == 0:
            break
    assert counts[-1] == 0, counts
    assert user.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").stdout.split() == [pid]
    assert len(acme.requests()) == asked
    loaded = user.run("cat", f"/proc/{pid}/maps").stdout
    assert "_rust" not in loaded, "cryptography's"


def test_what_the_daemon_does_loads_no_library_that_it_has_no_use_for(user):
    deploy_folder(user, {"web/web.container": sleeper(), "web/job.service": service()})
    ready(user, "web")
    user.write("apps/web/job.service", service() + "# changed\n")
    user.podvisor("sync")
    user.podvisor("status")
    loaded = user.run("cat", f"/proc/{main_pid(user, 'podvisor.service')}/maps").stdout
    assert "_sqlite3" in loaded
    for name in ("_bz2", "_lzma", "_yaml", "pyrage", "_rust"):  # the last is cryptography's
        assert name not in loaded


def test_a_daemon_that_follows_no_image_loads_little_of_what_serves_them(user):
    """Its passes and its status, too: `test_idle_imports` sees its start alone."""
    profile = "[Service]\nEnvironment=PYTHONPROFILEIMPORTTIME=1\n"
    user.write(".config/systemd/user/podvisor.service.d/profile.conf", profile)
    deploy_folder(user, {"web/web.container": sleeper()})
    ready(user, "web")
    user.podvisor("sync")
    user.podvisor("status")
    user.host.run("journalctl", "--sync")
    lines = user.run("journalctl", "--user", "-o", "cat", "-u", "podvisor.service").stdout
    imported = {line.rpartition("|")[2].strip() for line in lines.splitlines() if "|" in line}
    assert "supervisor.controllers.images.schedule" in imported
    assert not imported & OF_IMAGES


def test_nothing_is_missed_while_everything_changes(user):
    """Units die while others come and go, and while systemd reloads and is executed anew."""
    unit = service().replace("[Service]", "[Service]\nRestart=no")
    deploy_folder(user, {f"a{n}/a{n}.service": unit for n in range(10)})
    ready(user, *[f"a{n}" for n in range(10)])
    pids = {n: main_pid(user, f"a{n}.service") for n in range(10)}
    for n in range(10, 20):
        user.write(f"apps/a{n}/a{n}.service", unit)
    for n in range(10):
        user.systemctl("kill", "-sKILL", f"a{n}.service")
        if n == 3:
            user.systemctl("daemon-reload")
        if n == 6:
            user.systemctl("daemon-reexec")
    shutil.rmtree(user.home / "apps/a0")
    ready(user, *[f"a{n}" for n in range(1, 20)])
    assert active(user, *[f"a{n}.service" for n in range(1, 20)])
    assert not active(user, "a0.service")
    for n in range(1, 10):
        assert main_pid(user, f"a{n}.service") != pids[n]
    assert "a0.service" not in user.systemctl("list-units", "--all", "--plain").stdout
