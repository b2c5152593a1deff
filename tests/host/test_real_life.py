"""What people have: layouts, private repositories, every kind of unit, jobs, secrets, crashes."""

import re
import time

import pytest

from tests.host.conftest import Repository, call
from tests.host.scenes import (
    IMAGE,
    OWNED,
    WANTED,
    active,
    app_of,
    configure,
    deploy,
    deploy_folder,
    events,
    main_pid,
    ready,
    runs_anew,
    service,
    sleeper,
    source,
    states,
    status,
    stop_podvisor,
    sync,
    wait_for_states,
    waiting_of,
)

# --- layouts --------------------------------------------------------------------------------------

WEB = sleeper("Volume=./config:/srv:ro")
DEEP = sleeper("Volume=../../config:/srv:ro")
LAYOUTS = {
    "apps/NAME/*.container": (
        {
            "apps/web/web.container": WEB,
            "apps/web/config/site.conf": "one\n",
            "apps/job/job.service": service(),
            "README.md": "x",
            "tools/not-an-app.service": service(),
        },
        ["job", "web"],
        "apps/web/config/site.conf",
    ),
    "NAME with config beside": (
        {
            "web/web.container": WEB,
            "web/config/site.conf": "one\n",
            "job/job.service": service(),
            "docs/index.md": "x",
            ".github/workflows/ci.service": service(),
        },
        ["job", "web"],
        "web/config/site.conf",
    ),
    "NAME/containers/systemd/*.container": (
        {
            "web/containers/systemd/web.container": DEEP,
            "web/config/site.conf": "one\n",
            "job/systemd/user/job.service": service(),
        },
        ["job", "web"],
        "web/config/site.conf",
    ),
    "all loose in the root": (
        {
            "web.container": WEB,
            "config/site.conf": "one\n",
            "job.service": service(),
            "README.md": "x",
        },
        ["home"],
        "config/site.conf",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_of_real_life(user, git_server, layout):
    files, names, data = LAYOUTS[layout]
    repository = deploy(user, git_server, files)
    ready(user, *names)
    assert active(user, "web.service", "job.service")

    def read():
        return user.podman("exec", "systemd-web", "cat", "/srv/site.conf").stdout

    assert read() == "one\n"
    job = main_pid(user, "job.service")
    repository.commit({data: "two\n"})
    assert sync(user).returncode == 0
    assert read() == "two\n"
    assert main_pid(user, "job.service") == job


def test_one_line_of_settings_for_any_other_layout(user, git_server):
    files = {
        "hosts/pi/web/web.container": sleeper(),
        "hosts/pi/db/db.container": sleeper(),
        "hosts/nas/other/other.container": sleeper(),
    }
    deploy(user, git_server, files, 'apps = "hosts/pi/*"', 'exclude = ["db"]')
    ready(user, "web")


# --- private repositories over SSH ----------------------------------------------------------------


def test_a_private_repository_over_ssh(user, git_server):
    user.run("mkdir", "--mode=700", ".ssh")
    user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ".ssh/podvisor")
    user.run("git", "init", "--quiet", "--bare", "--initial-branch=main", "private.git")
    folder = git_server.folder / "ssh"
    folder.mkdir(parents=True)
    bare = user.home / "private.git"
    repository = Repository(url="", bare=bare, clone=folder)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("remote", "add", "origin", bare)

    def commit(files):
        call("chown", "--recursive", "0:0", bare)
        repository.commit(files)
        call("chown", "--recursive", f"{user.uid}:{user.uid}", bare)

    commit({"apps/web/web.service": service()})
    identity = f"IdentityFile /home/{user.name}/.ssh/podvisor\nIdentitiesOnly yes\n"
    user.write(".ssh/config", f"Host localhost\n{identity}", mode=0o600)
    configure(user, f'git = "ssh://{user.name}@localhost/home/{user.name}/private.git"')
    user.start_daemon()
    # Nobody is there to be asked: neither for the server's key …
    user.wait_for(lambda: "Host key verification failed" in source(user).get("error", ""))
    assert "known_hosts" in source(user)["error"]
    keys = user.run("ssh-keyscan", "localhost").stdout
    user.write(".ssh/known_hosts", keys, mode=0o600)
    # … nor for a password.
    assert sync(user).returncode == 3
    assert "Permission denied" in source(user)["error"]
    assert "deploy key" in source(user)["error"]
    key = user.read(".ssh/podvisor.pub")
    user.write(".ssh/authorized_keys", f"restrict {key}", mode=0o600)
    assert sync(user).returncode == 0
    ready(user, "web")
    # The short form is understood, too.
    configure(user, f'git = "{user.name}@localhost:private.git"')
    user.reload_daemon()
    commit({"apps/web/web.service": service(2000000)})
    assert sync(user).returncode == 0
    assert app_of(user, "web")["revision"] == repository.head


# --- every kind of unit ---------------------------------------------------------------------------

KUBE = f"""\
apiVersion: v1
kind: Pod
metadata:
  name: cube
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
    - name: init
      image: {IMAGE}:1
      command: ["sleep", "1"]
  containers:
    - name: main
      image: {IMAGE}:1
      command: ["sleep", "infinity"]
    - name: beside
      image: {IMAGE}:1
      command: ["sleep", "1h"]
"""


def test_a_pod_of_two_containers(user, git_server):
    member = f"[Container]\nImage={IMAGE}:1\nExec=sleep infinity\nPod=duo.pod\n"
    files = {
        "apps/duo/duo.pod": f"[Pod]\nNetwork=none\n{WANTED}",
        "apps/duo/one.container": member,
        "apps/duo/two.container": member,
    }
    repository = deploy(user, git_server, {**files, "apps/x/x.service": service()})
    ready(user, "duo", "x")
    assert active(user, "duo-pod.service", "one.service", "two.service")
    before = {unit: main_pid(user, unit) for unit in ("one.service", "two.service")}
    repository.commit({"apps/duo/two.container": f"{member}Environment=A=1\n"})
    assert sync(user).returncode == 0
    assert main_pid(user, "one.service") == before["one.service"]
    assert main_pid(user, "two.service") != before["two.service"]
    user.podman("pause", "systemd-one")
    user.wait_for(lambda: app_of(user, "duo")["state"] == "failing")
    assert any("podman unpause systemd-one" in text for text in waiting_of(user, "duo"))
    user.podman("unpause", "systemd-one")
    user.wait_for(lambda: app_of(user, "duo")["state"] == "ready")
    user.run("systemctl", "--user", "restart", "x.service")
    for app, unit in (("duo", "one.service"), ("x", "x.service")):
        user.run("systemctl", "--user", "freeze", unit)
        user.wait_for(lambda app=app: app_of(user, app)["state"] == "failing")
        assert any(f"systemctl --user thaw {unit}" in text for text in waiting_of(user, app))
        user.run("systemctl", "--user", "thaw", unit)
        user.wait_for(lambda app=app: app_of(user, app)["state"] == "ready")
    user.podman("rm", "--force", "--time=0", "systemd-one")
    user.wait_for(lambda: active(user, "duo-pod.service", "one.service", "two.service"))
    ready(user, "duo", "x")
    repository.commit(dict.fromkeys(files))
    assert sync(user).returncode == 0
    assert states(user) == {"x": "ready"}
    assert user.podman("pod", "ls", "--quiet").stdout == ""
    assert "systemd-one" not in user.podman("ps", "--all").stdout


def test_a_kube_file(user, git_server):
    files = {
        "apps/cube/cube.kube": f"[Kube]\nYaml=cube.yaml\nNetwork=none\n{WANTED}",
        "apps/cube/cube.yaml": KUBE,
    }
    repository = deploy(user, git_server, files)
    ready(user, "cube")
    assert "cube-main" in user.podman("ps").stdout
    pid = main_pid(user, "cube.service")
    repository.commit({"apps/cube/cube.yaml": KUBE.replace("infinity", "1000000")})
    assert sync(user).returncode == 0
    ready(user, "cube")
    assert main_pid(user, "cube.service") != pid
    user.systemctl("restart", "cube.service")  # podvisor looks on, and sees the init container
    ready(user, "cube")
    assert "cube-init" not in user.podman("ps", "--all").stdout
    user.podman("kill", "cube-beside")
    user.wait_for(lambda: app_of(user, "cube")["state"] == "failing")
    assert "container cube-beside has ended" in app_of(user, "cube")["units"][0]["health_output"]
    user.wait_for(lambda: app_of(user, "cube")["state"] == "ready")
    assert "cube-beside" in user.podman("ps").stdout
    assert "was removed" not in user.podvisor("events").stdout
    # What is another one now breaks for the first time, and need not wait to be trusted again.
    repository.commit({"apps/cube/cube.yaml": KUBE.replace("infinity", "2000000")})
    assert sync(user).returncode == 0
    ready(user, "cube")
    user.podman("rm", "--force", "--time=0", "cube-beside")
    user.wait_for(lambda: app_of(user, "cube")["state"] == "failing")
    # It is ended first, and may be found so.
    said = app_of(user, "cube")["units"][0]["health_output"]
    assert re.match(r"container cube-beside (was removed|has ended)", said)
    user.wait_for(lambda: app_of(user, "cube")["state"] == "ready")
    assert "cube-beside" in user.podman("ps").stdout
    repository.commit({"apps/cube/cube.yaml": "kind: [\n"})
    assert sync(user).returncode == 3
    assert app_of(user, "cube")["findings"][0]["path"] == "apps/cube/cube.yaml"
    assert active(user, "cube.service")


def test_a_build_and_an_image(user, git_server, registry):
    base = f"{registry.url}/podvisor-test:1"
    files = {
        "apps/made/made.build": "[Build]\nImageTag=localhost/made\nSetWorkingDirectory=unit\n",
        "apps/made/Containerfile": f"FROM {base}\nCOPY hello.txt /srv/hello.txt\n",
        "apps/made/hello.txt": "one\n",
        "apps/made/made.container": sleeper(image="made.build"),
        "apps/got/got.image": f"[Image]\nImage={base}\n",
        "apps/got/got.container": sleeper(image="got.image"),
    }
    repository = deploy(user, git_server, files)
    ready(user, "made", "got")

    def read():
        return user.podman("exec", "systemd-made", "cat", "/srv/hello.txt").stdout

    assert read() == "one\n"
    got = main_pid(user, "got.service")
    repository.commit({"apps/made/hello.txt": "two\n"})
    assert sync(user).returncode == 0
    assert read() == "two\n"
    assert main_pid(user, "got.service") == got
    # So does an image that is not there.
    repository.commit({"apps/got/got.image": f"[Image]\nImage={base}-absent\n"})
    assert sync(user).returncode == 3
    assert states(user)["got"] == "failing"
    assert main_pid(user, "got.service") == got
    repository.commit({"apps/got/got.image": files["apps/got/got.image"]})
    sync(user)
    # A build that fails leaves the old one as it is.
    pid = main_pid(user, "made.service")
    repository.commit({"apps/made/Containerfile": f"FROM {base}\nRUN exit 7\n"})
    assert sync(user).returncode == 3
    assert main_pid(user, "made.service") == pid
    where = (
        'cannot build the image of made-build.service (apps/made/made.build, at STEP "RUN exit 7")'
    )
    assert app_of(user, "made")["findings"][0]["message"].startswith(f"{where}: Error: while ")
    repository.commit({"apps/made/Containerfile": files["apps/made/Containerfile"]})
    assert sync(user).returncode == 0
    ready(user, "made", "got")
    assert read() == "two\n"


def test_what_a_container_took_to_itself_can_be_changed_and_removed(user, git_server):
    files = {
        "apps/web/web.container": sleeper("User=101", "Volume=./conf:/conf:U"),
        "apps/web/conf/x": "one\n",
        "apps/fine/fine.service": service(),
    }
    repository = deploy(user, git_server, files)
    ready(user, "web", "fine")
    conf = user.home / OWNED / "web/conf"
    assert conf.stat().st_uid != user.uid, "the container owns what was installed"
    repository.commit({"apps/web/conf/x": "two\n"})
    assert sync(user).returncode == 0
    assert (conf / "x").read_text() == "two\n"
    repository.commit({"apps/web/web.container": None, "apps/web/conf/x": None})
    assert sync(user).returncode == 0
    assert not (user.home / OWNED / "web").exists()


def test_templates_and_their_instances(user, git_server):
    template = sleeper("ContainerName=many-%i", wanted=f"{WANTED}DefaultInstance=one\n")
    files = {"apps/many/many@.container": template, "apps/plain/plain@.service": service()}
    links = {"apps/many/many@two.container": "many@.container"}
    repository = deploy(user, git_server, files, links=links)
    # Nothing names an instance of the plain one.
    wait_for_states(user, many="ready", plain="inactive")
    assert active(user, "many@one.service", "many@two.service")
    before = {unit: main_pid(user, f"many@{unit}.service") for unit in ("one", "two")}
    # A drop-in for one of them is a matter of that one.
    repository.commit(
        {"apps/many/many@two.container.d/10-name.conf": "[Container]\nHostName=two\n"}
    )
    assert sync(user).returncode == 0
    assert main_pid(user, "many@one.service") == before["one"]
    assert main_pid(user, "many@two.service") != before["two"]
    user.systemctl("stop", "many@one.service")
    user.wait_for(lambda: active(user, "many@one.service"))
    repository.commit({"apps/many/many@two.container": None})
    sync(user)
    assert not active(user, "many@two.service")
    assert active(user, "many@one.service")
    assert "many-two" not in user.podman("ps", "--all").stdout


def test_a_drop_in_concerns_its_unit_alone(user, git_server):
    files = {"apps/web/a.container": sleeper(), "apps/web/b.container": sleeper()}
    repository = deploy(user, git_server, files)
    ready(user, "web")

    def pids():
        return [main_pid(user, unit) for unit in ("a.service", "b.service")]

    before = pids()
    repository.commit({"apps/web/a.container.d/10-more.conf": "[Container]\nHostName=a\n"})
    sync(user)
    after = pids()
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)
    assert user.podman("exec", "systemd-a", "hostname").stdout == "a\n"
    repository.commit(
        {"apps/web/a.container.d/10-more.conf": "# nothing\n[Container]\nHostName=a\n"}
    )
    sync(user)
    assert pids() == after, "a comment is no change"
    repository.commit({"apps/web/a.container.d/10-more.conf": None})
    sync(user)
    assert pids()[0] != after[0]
    assert pids()[1] == before[1]
    assert user.podman("exec", "systemd-a", "hostname").stdout != "a\n"


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_that_is_replaced_restarts_its_user(user, git_server):
    user.podman("secret", "create", "word", "-", check=False)
    user.run("sh", "-c", "printf one | podman secret create --replace word -")
    files = {
        "apps/web/a.container": sleeper("Secret=word"),
        "apps/web/b.container": sleeper(),
        "apps/other/c.container": sleeper(),
    }
    deploy(user, git_server, files)
    ready(user, "web", "other")

    def read():
        done = user.podman("exec", "systemd-a", "cat", "/run/secrets/word", check=False)
        return done.stdout

    assert read() == "one"
    units = ("a.service", "b.service", "c.service")
    before = [main_pid(user, unit) for unit in units]
    user.run("sh", "-c", "printf two | podman secret create --replace word -")
    user.wait_for(lambda: read() == "two")
    ready(user, "web", "other")
    assert [main_pid(user, unit) for unit in units][1:] == before[1:]
    (restart,) = user.wait_for(lambda: events(user, step="restart"))
    assert restart["unit"] == "a.service"
    assert "word" in restart["reason"]


# --- jobs -----------------------------------------------------------------------------------------


def test_a_job_that_a_timer_starts_is_left_to_the_timer(user, git_server):
    def job(words):
        return f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo {words} >>%h/ran'\n"

    timer = "[Timer]\nOnCalendar=yearly\n\n[Install]\nWantedBy=timers.target\n"
    files = {
        "apps/job/job.service": job("one"),
        "apps/job/job.timer": timer,
        "apps/box/box.container": sleeper(wanted="\n[Service]\nType=oneshot\n"),
        "apps/box/box.timer": timer,
    }
    repository = deploy(user, git_server, files)
    ready(user, "job", "box")
    assert active(user, "job.timer", "box.timer")
    repository.commit({"apps/job/job.service": job("two")})
    assert sync(user).returncode == 0
    ready(user, "job", "box")
    assert not (user.home / "ran").exists(), "neither started nor restarted by a deployment"
    assert user.unit_state("box.service")["ActiveState"] == "inactive"
    user.systemctl("start", "job.service")
    assert user.read("ran") == "two\n", "but what runs is the newest"
    sync(user)
    assert user.read("ran") == "two\n"
    # A timer that was stopped is started again.
    user.systemctl("stop", "job.timer")
    user.wait_for(lambda: active(user, "job.timer"))


def test_a_job_that_ended_well_is_well(user, git_server):
    box = sleeper(wanted=f"\n[Service]\nType=oneshot\n{WANTED}").replace("sleep infinity", "true")
    files = {
        "apps/box/box.container": box,
        "apps/stay/stay.container": f"{box}\n[Service]\nRemainAfterExit=yes\n",
        "apps/job/job.service": f"[Service]\nType=oneshot\nExecStart=/bin/true\n{WANTED}",
        "apps/bad/bad.service": f"[Service]\nType=oneshot\nExecStart=/bin/false\n{WANTED}",
    }
    repository = deploy(user, git_server, files)
    well = {"box": "ready", "job": "ready", "stay": "ready"}
    user.wait_for(lambda: states(user) == {**well, "bad": "failing"})
    assert user.unit_state("stay.service")["SubState"] == "exited"
    user.wait_for(lambda: app_of(user, "stay")["revision"] == repository.head, what="its gate")
    assert len(events(user, unit="box.service", step="start")) == 1
    ended = user.unit_state("box.service")["ExecMainExitTimestampMonotonic"]
    repository.commit({"apps/job/README": "x"})
    sync(user)
    user.systemctl("restart", "podvisor.service")
    wait_for_states(user, **well, bad="failing")
    assert user.unit_state("box.service")["ExecMainExitTimestampMonotonic"] == ended


# --- crash loops, slow starts, sleep --------------------------------------------------------------


def test_a_crash_loop_is_visible_with_its_backoff(user, git_server):
    crash = f"[Container]\nImage={IMAGE}:crash\nNetwork=none\n{WANTED}"
    files = {"apps/web/web.container": crash, "apps/fine/fine.service": service()}
    repository = deploy(user, git_server, files)

    def unit():
        return next(iter(app_of(user, "web").get("units", ())), {})

    user.wait_for(lambda: unit().get("failures", 0) >= 2, what="two repairs in vain")
    wait_for_states(user, web="failing", fine="ready")

    def shown():
        return " ".join(user.podvisor("status", check=False).stdout.split())

    said = re.compile(r"brought back \d+ times.* next try in ")
    user.wait_for(lambda: said.search(shown()), what="how often, and the next try")
    before = unit()["failures"]
    user.systemctl("restart", "podvisor.service")
    user.wait_for(lambda: unit().get("failures", 0) >= before, what="the memory outlasts a restart")
    assert events(user, kind="waiting", unit="web.service")
    # A new revision is tried at once, and recovers it.
    repository.commit({"apps/web/web.container": sleeper()})
    assert sync(user).returncode == 0
    ready(user, "web", "fine")


def test_systemds_own_restart_goes_first(user, git_server):
    crash = f"[Container]\nImage={IMAGE}:crash\nNetwork=none\n"
    crash += f"\n[Service]\nRestart=always\nRestartSec=1\n{WANTED}"
    deploy(user, git_server, {"apps/web/web.container": crash})
    user.wait_for(lambda: int(user.unit_state("web.service")["NRestarts"]) >= 2)
    starts = events(user, unit="web.service", step="start")
    assert len(starts) == 1, "it is systemd that restarts it"
    assert states(user)["web"] in {"changing", "failing", "ready"}


def test_it_ends_within_five_seconds_while_a_unit_starts_slowly(user, git_server):
    slow = f"[Service]\nType=oneshot\nExecStart=/bin/sleep 600\nTimeoutStartSec=900\n{WANTED}"
    files = {"apps/slow/slow.service": slow, "apps/fine/fine.service": service()}
    repository = git_server.create(f"{user.name}-home")
    repository.commit(files)
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    user.wait_for(lambda: user.unit_state("slow.service")["ActiveState"] == "activating")
    user.wait_for(lambda: active(user, "fine.service"))
    assert user.podvisor("status", check=False).stdout
    stop_podvisor(user)
    assert user.unit_state("slow.service")["ActiveState"] == "activating", "and it goes on"
    assert active(user, "fine.service")


def test_asleep_it_wakes_for_its_own_units_only(user, git_server):
    deploy(user, git_server, {"apps/web/web.container": sleeper(), "apps/a/a.service": service()})
    ready(user, "web", "a")

    def cpu():
        return int(user.unit_state("podvisor.service")["CPUUsageNSec"])

    def asleep():
        before = cpu()
        time.sleep(1)
        return cpu() == before

    user.wait_for(asleep, what="nothing left to do")
    before = cpu()
    for _ in range(10):
        user.systemctl("start", "stranger.service", check=False)
        user.run("systemd-run", "--user", "--quiet", "--wait", "true")
    assert cpu() - before < 20_000_000, "units of others do not wake it"
    pid = main_pid(user, "a.service")
    user.systemctl("kill", "-sKILL", "a.service")
    user.wait_for(lambda: runs_anew(user, "a.service", pid), what="its own do")
    assert not status(user).get("problems")


def test_files_of_a_container_in_its_folder_are_left_alone(user):
    """What a container writes beside its unit is its own, and no drift."""
    deploy_folder(
        user,
        {"web/web.container": sleeper("Volume=./data:/data"), "web/data/seed": "seed\n"},
    )
    ready(user, "web")
    pid = main_pid(user, "web.service")
    user.podman("exec", "systemd-web", "sh", "-c", "echo own >/data/own")
    user.write("apps/web/data/seed", "seed two\n")
    user.wait_for(lambda: runs_anew(user, "web.service", pid))
    assert user.podman("exec", "systemd-web", "cat", "/data/own").stdout == "own\n"
    assert user.read(f"{OWNED}/web/data/seed") == "seed two\n"
    ready(user, "web")
