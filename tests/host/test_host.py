"""The disposable host itself: it comes, works, and goes without a trace."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import (
    PATIENCE_SECONDS,
    TOOL,
    GitServer,
    Host,
    Registry,
    User,
    call,
    fresh_user,
    host_named,
    known_hosts,
    wait_until,
)

WEB = """
[Container]
Image={image}
PublishPort={port}:8080
"""


def traces(name: str) -> list[str]:
    """What is left on the machine of a host: processes, mounts, cgroups, folders, locks."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "\nState:\tZ" in (process / "status").read_text():
                continue  # dead; the machine's init has yet to notice
            if f"/podvisor-host/{name}/" in (process / "cgroup").read_text():
                found.append(f"{process}: {(process / 'comm').read_text()}")
            if f"/podvisor-host/{name}/" in (process / "mountinfo").read_text():
                found.append(f"{process}: a mount")
        except OSError:
            continue
    state = Path(os.environ.get("PODVISOR_HOST_STATE", "/var/tmp/podvisor-host"))
    places = [state / name, Path("/run/lock/podvisor-host", f"host-{name}")]
    # Other cgroups come and go meanwhile, which `walk` takes and `glob` does not.
    roots = [root for root, *_ in os.walk("/sys/fs/cgroup") if root.endswith("/podvisor-host")]
    places += [Path(root, name) for root in roots]
    return found + [str(place) for place in places if place.exists()]


def quickest(tries: int, work: Callable[[], object]) -> float:
    """Seconds that the quickest of some tries took: what else the machine does is not its fault."""
    took = []
    for _ in range(tries):
        started = time.monotonic()
        work()
        took.append(time.monotonic() - started)
    return min(took)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name for a host of the test's own, which is gone afterwards."""
    chosen = f"own-{os.getpid()}-{abs(hash(request.node.name)) % 10**6}"
    yield chosen
    call(TOOL, "down", chosen)


def test_what_is_waited_for_may_have_no_place_yet():
    found = {}

    def place():
        seen = dict(found)
        found["web"] = ["here"]
        return seen["web"][0]

    assert wait_until(place) == "here"
    with pytest.raises(pytest.fail.Exception, match=r"database: not within 0.1 s, .*KeyError"):
        wait_until(lambda: found["db"], 0.1, "the database")


def test_a_host_boots_from_the_cache(machine: Host, name: str) -> None:
    def boot() -> None:
        call(TOOL, "down", name)
        call(TOOL, "up", "--suite", machine.suite, name)

    assert quickest(2, boot) < 60, "nothing is built"
    asked = call(TOOL, "run", name, "--", "systemctl", "is-system-running", "--wait")
    assert asked.stdout == "running\n"
    known = {host["name"]: host for host in known_hosts()}[name]
    assert (known["suite"], known["state"]) == (machine.suite, "running")
    again = call(TOOL, "up", "--suite", machine.suite, name, check=False)
    assert again.returncode == 1
    assert "already running" in again.stderr

    call(TOOL, "down", name)
    assert traces(name) == []
    assert name not in {host["name"] for host in known_hosts()}
    call(TOOL, "down", name)
    assert call(TOOL, "run", name, "--", "true", check=False).returncode == 1


def test_run_passes_on_input_output_and_exit_code(machine: Host, plain_user: User) -> None:
    done = machine.run("sh", "-c", "cat; echo b >&2; exit 7", input="a\n", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("a\n", "b\n", 7)
    done = plain_user.run(
        "sh",
        "-c",
        "pwd; id -u; echo $KEY; systemctl --user is-system-running --wait",
        env={"KEY": "a b"},
    )
    assert done.stdout.split("\n")[:4] == [
        f"/home/{plain_user.name}",
        str(plain_user.uid),
        "a b",
        "running",
    ]


def test_run_is_cheap(machine: Host) -> None:
    def used() -> float:
        times = os.times()
        return times.children_user + times.children_system

    before = used()
    for _ in range(10):
        machine.run("true")
    assert (used() - before) / 10 < 0.5, "seconds of CPU time for each"


def test_a_command_ends_with_the_run_that_started_it(machine: Host, plain_user: User) -> None:
    run = subprocess.Popen(
        [TOOL, "run", machine.name, "--as", plain_user.name, "--", "sleep", "4321"]
    )
    alive = lambda: machine.run("pgrep", "-f", "sleep 4321", check=False).returncode == 0  # noqa: E731
    wait_until(alive, what="the command to start")
    run.kill()
    run.wait()
    wait_until(lambda: not alive(), what="the command to end")


def test_each_host_has_its_own_loopback(machine: Host, name: str) -> None:
    call(TOOL, "up", "--suite", machine.suite, name)
    machine.run("systemd-run", "--unit=listener", "python3", "-m", "http.server", "4321")
    ask = ["curl", "--silent", "--fail", "--output", "/dev/null", "localhost:4321"]
    try:
        wait_until(lambda: machine.run(*ask, check=False).returncode == 0, what="the listener")
        assert call(TOOL, "run", name, "--", *ask, check=False).returncode != 0
    finally:
        machine.systemctl("stop", "listener")


@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])
def test_down_cleans_up_after_an_up_that_was_killed(
    machine: Host, name: str, seconds: float
) -> None:
    up = subprocess.Popen([TOOL, "up", "--suite", machine.suite, name], stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    up.kill()
    up.wait()
    call(TOOL, "down", name)
    assert traces(name) == []


@pytest.mark.parametrize("moment", ["root", "console.log", "host.json", "notify"])
def test_down_ends_an_up_in_its_middle(machine: Host, name: str, moment: str) -> None:
    up = subprocess.Popen([TOOL, "up", "--suite", machine.suite, name], stdout=subprocess.DEVNULL)
    state = Path(machine.path.parent, name)
    while not (state / moment).exists():
        assert up.poll() is None
    call(TOOL, "down", name)
    assert up.wait(timeout=PATIENCE_SECONDS) != 0
    assert traces(name) == []


def test_an_interrupted_up_cleans_up_after_itself(machine: Host, name: str) -> None:
    up = subprocess.Popen([TOOL, "up", "--suite", machine.suite, name], stderr=subprocess.DEVNULL)
    state = Path(machine.path.parent, name)
    while not (state / "console.log").exists():
        assert up.poll() is None
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=PATIENCE_SECONDS) == 143
    assert traces(name) == []


@pytest.mark.parametrize("seconds", [0.03, 0.06, 0.1, 0.15])
def test_down_can_be_killed_and_repeated(machine: Host, name: str, seconds: float) -> None:
    call(TOOL, "up", "--suite", machine.suite, name)
    down = subprocess.Popen([TOOL, "down", name])
    time.sleep(seconds)
    down.kill()
    down.wait()
    call(TOOL, "down", name)
    assert traces(name) == []


def test_down_all_leaves_the_hosts_of_other_folders(
    machine: Host, name: str, tmp_path: Path
) -> None:
    apart = {"PODVISOR_HOST_STATE": str(tmp_path / ("long" * 30))}
    call(TOOL, "up", "--suite", machine.suite, name, env=apart)
    said = call(TOOL, "down", "--all", env=apart).stderr
    assert said == f"host: ending {name} (running)\n"
    assert traces(name) == []
    assert machine.run("true").returncode == 0


def processes_about(path: Path) -> list[str]:
    """Command lines of the processes that name it."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            lines.append((process / "cmdline").read_text())
    return [line for line in lines if str(path) in line]


def test_a_killed_build_stops_and_counts_for_nothing(
    machine: Host, name: str, tmp_path: Path
) -> None:
    up = subprocess.Popen(
        [TOOL, "up", "--suite", machine.suite, name],
        env=os.environ | {"PODVISOR_HOST_CACHE": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: list(tmp_path.glob("roots/.building-*/var")), 120, "the build to begin")
    up.kill()
    up.wait()
    wait_until(lambda: not processes_about(tmp_path), 120, "the build to end")
    assert not list(tmp_path.glob("roots/[!.]*"))
    call(TOOL, "down", name)
    assert traces(name) == []


def test_a_user_comes_and_goes_in_seconds(machine: Host) -> None:
    user = f"brief{os.getpid()}"

    def come() -> None:
        call(TOOL, "user", "--remove", machine.name, user)
        call(TOOL, "user", machine.name, user)

    assert quickest(3, come) < 20
    home = machine.path / "home" / user
    uid = home.stat().st_uid
    machine.run("busctl", "--user", "list", user=user)
    # A file of a subordinate id, and a container that is still running.
    machine.run("podman", "unshare", "sh", "-c", "touch f && chown 5:5 f", user=user)
    machine.run("podman", "run", "--detach", "localhost/podvisor-test:1", user=user)
    assert (home / "f").stat().st_uid not in {0, uid}

    call(TOOL, "user", "--remove", machine.name, user)
    assert not home.exists()
    assert machine.run("pgrep", "--uid", str(uid), check=False).returncode == 1
    assert machine.run("id", user, check=False).returncode == 1


@pytest.mark.parametrize("image", ["localhost/podvisor-test:1", "localhost:5000/podvisor-test:2"])
def test_a_quadlet_container_serves_on_its_port(plain_user: User, image: str) -> None:
    plain_user.write(
        ".config/containers/systemd/web.container", WEB.format(image=image, port=18080)
    )
    plain_user.systemctl("daemon-reload")
    plain_user.systemctl("start", "web.service")
    ask = ["curl", "--silent", "localhost:18080"]
    answer = plain_user.wait_for(lambda: plain_user.run(*ask, check=False).stdout, what="an answer")
    assert answer == f"podvisor-test {image[-1]}\n"

    plain_user.systemctl("stop", "web.service")
    assert plain_user.unit_state("web.service")["Result"] == "success", "it was not killed"
    assert "web" in plain_user.journal("web.service")


def test_the_other_images_fail_as_they_should(plain_user: User) -> None:
    crash = plain_user.podman("run", "localhost/podvisor-test:crash", check=False)
    assert crash.returncode == 1
    plain_user.podman("run", "--detach", "--name=sick", "localhost/podvisor-test:sick")
    health = ["inspect", "--format={{.State.Health.Status}}", "sick"]
    plain_user.wait_for(
        lambda: plain_user.podman(*health).stdout == "unhealthy\n", what="the health check to fail"
    )


def test_podman_answers_on_its_socket(plain_user: User) -> None:
    info = json.loads(plain_user.podman("info", "--format=json").stdout)
    assert info["host"]["security"]["rootless"]
    assert info["host"]["cgroupManager"] == "systemd"
    assert info["host"]["networkBackend"] == "netavark"
    plain_user.systemctl("enable", "--now", "podman.socket")
    socket = f"{plain_user.runtime}/podman/podman.sock"
    answer = plain_user.run(
        "curl", "--silent", "--unix-socket", socket, "http://podman/v5.0.0/libpod/version"
    )
    assert json.loads(answer.stdout)["Version"] == info["version"]["Version"]


def test_git_over_http(plain_user: User, git_server: GitServer) -> None:
    repository = git_server.create("open")
    first = repository.commit({"a": "1", "b/c": "2"}, executable=["a"])
    plain_user.run("git", "clone", "--quiet", repository.url, "clone")
    assert plain_user.read("clone/b/c") == "2"
    push = (
        "cd clone; git config user.name x; git config user.email x; "
        "echo 3 >d; git rm -q a; git add d; git commit -qm inside; git push -q"
    )
    plain_user.run("sh", "-euc", push)
    second = repository.pull()
    assert second != first
    repository.commit({"d": None})
    repository.git("reset", "--hard", first)
    forced = repository.commit({"e": "4"}, force=True)
    seen = plain_user.run("git", "ls-remote", repository.url, "main").stdout
    assert seen.split()[0] == forced

    ask = ["git", "ls-remote", repository.url]
    with git_server.stopped():
        assert plain_user.run(*ask, check=False).returncode != 0
    plain_user.run(*ask)
    repository.delete()
    assert plain_user.run(*ask, check=False).returncode != 0


def test_git_with_a_password(plain_user: User, git_server: GitServer) -> None:
    repository = git_server.create("hidden", private=True)
    commit = repository.commit({"a": "1"})
    silent = {"GIT_TERMINAL_PROMPT": "0"}
    refused = plain_user.run("git", "ls-remote", repository.url, env=silent, check=False)
    assert refused.returncode != 0
    url = repository.url.replace("//", f"//{repository.username}:{repository.password}@")
    assert plain_user.run("git", "ls-remote", url, "main").stdout.split()[0] == commit
    plain_user.run("git", "clone", "--quiet", url, "clone")
    plain_user.run("git", "-C", "clone", "push", "--quiet", "origin", "HEAD:refs/heads/other")


def test_the_registries(plain_user: User, registry: Registry) -> None:
    first = registry.push("podvisor-test:1", "app:latest")
    plain_user.podman("pull", "--quiet", "localhost:5000/app:latest")
    second = registry.push("podvisor-test:2", "app:latest")
    assert second != first
    assert registry.digest("app:latest") == second
    variant = registry.push_variant("podvisor-test:2", "app:latest", Labels={"key": "value"})
    assert registry.digest("app:latest") == variant != second
    plain_user.podman("pull", "--quiet", "localhost:5000/app:latest")
    labels = ["image", "inspect", "--format={{json .Labels}}", "localhost:5000/app:latest"]
    assert json.loads(plain_user.podman(*labels).stdout) == {"key": "value"}
    registry.delete("app:latest")
    pull = ["pull", "--quiet", "--retry=0", "localhost:5000/app:latest"]
    assert plain_user.podman(*pull, check=False).returncode != 0

    registry.push("podvisor-test:1", "hidden:1", private=True)
    hidden = ["pull", "--quiet", "--retry=0", "localhost:5001/hidden:1"]
    assert plain_user.podman(*hidden, check=False).returncode != 0
    plain_user.podman("login", "--username=pi", "--password=raspberry", "localhost:5001")
    plain_user.podman(*hidden)


@pytest.mark.parametrize("hard", [False, True], ids=["orderly", "power cut"])
def test_what_a_user_enabled_is_back_after_a_reboot(
    machine: Host, name: str, *, hard: bool
) -> None:
    call(TOOL, "up", "--suite", machine.suite, name)
    own = host_named(name)
    with fresh_user(own) as user:
        unit = WEB.format(image="localhost/podvisor-test:1", port=18080)
        user.write(
            ".config/containers/systemd/web.container",
            unit + "[Install]\nWantedBy=default.target\n",
        )
        user.systemctl("daemon-reload")
        user.systemctl("start", "web.service")
        before = own.pid
        own.reboot(hard=hard)
        assert own.pid != before
        ask = ["curl", "--silent", "localhost:18080"]
        user.wait_for(lambda: user.run(*ask, check=False).stdout == "podvisor-test 1\n")


def test_an_idle_host_is_silent(machine: Host, plain_user: User) -> None:
    timers = machine.run("systemctl", "list-timers", "--no-legend").stdout
    assert timers == ""
    usage = plain_user.cgroup / "cpu.stat"

    def is_silent() -> bool:
        before = usage.read_text().splitlines()[0]
        time.sleep(2)
        return usage.read_text().splitlines()[0] == before

    # A manager that has just come up still has things to end.
    plain_user.wait_for(is_silent, what="two seconds without any CPU time")
