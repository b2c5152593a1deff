"""Without Git, names and a network: what was applied comes up, is looked after, and catches up."""

import contextlib

from tests.host.conftest import wait_until
from tests.host.scenes import (
    IMAGE,
    OWNED,
    WANTED,
    active,
    app_of,
    configure,
    deploy,
    main_pid,
    ready,
    runs_anew,
    service,
    sleeper,
    source,
    status,
    sync,
)
from tests.host.test_sources import GIT_SERVER, Home

APPS = {"apps/web/web.container": sleeper(), "apps/job/job.service": service()}


@contextlib.contextmanager
def no_network(host):
    """The cable is out: the loopback alone is left, and there never was a name server."""
    host.run("ip", "link", "set", "eth0", "down")
    try:
        yield
    finally:
        host.run("ip", "link", "set", "eth0", "up")
        host.run("ip", "address", "replace", "fd00::15/64", "dev", "eth0", "nodad")


def boot_again(user):
    """The user's whole manager goes, and comes as at a boot."""
    user.host.systemctl("stop", f"user@{user.uid}.service")
    user.host.systemctl("start", f"user@{user.uid}.service")


def came_up(user, *units):
    """Whether they are up by systemd alone, but for what Podman fails of by itself.

    The first Podman of a session runs itself anew, and now and then systemd hears of the end of the
    former before it hears of the container: about one boot in six on a busy machine.
    """
    for unit in units:
        if user.unit_state(unit)["Result"] == "protocol":
            user.systemctl("restart", unit, check=False)
    return active(user, *units)


def test_a_boot_without_git_names_and_network(user, git_server):
    repository = deploy(user, git_server, APPS)
    ready(user, "job", "web")
    applied = repository.head
    user.systemctl("disable", "podvisor.service")
    with git_server.stopped(), no_network(user.host):
        boot_again(user)
        # By systemd alone.
        user.wait_for(lambda: came_up(user, "web.service", "job.service"))
        assert not active(user, "podvisor.service")
        done = user.podvisor("status", check=False)
        assert done.returncode == 4
        assert "web" in done.stdout
        pids = {unit: main_pid(user, unit) for unit in ("web.service", "job.service")}
        user.systemctl("enable", "--now", "podvisor.service")
        ready(user, "job", "web")
        told = status(user)
        assert told["running"]
        assert app_of(user, "web")["revision"] == applied
        user.wait_for(lambda: source(user).get("error"))
        assert {unit: main_pid(user, unit) for unit in pids} == pids, "nothing was restarted"
        # Drift is repaired from the last good revision.
        installed = user.home / OWNED / "job/job.service"
        installed.write_text("defaced\n")
        user.wait_for(lambda: installed.read_text() == APPS["apps/job/job.service"])
        user.podman("kill", "systemd-web")
        user.wait_for(lambda: runs_anew(user, "web.service", pids["web.service"]))
        repository.commit({"apps/job/job.service": service(2000000)})
        assert sync(user).returncode == 3
        assert app_of(user, "job")["revision"] == applied
    # The network is there again: tried at once, not at the end of a backoff.
    assert sync(user).returncode == 0
    assert app_of(user, "job")["revision"] == repository.head
    assert "error" not in source(user)


def git_app(user, port):
    """A Git server in a container of its own: its programs are the host's."""
    home = f"/home/{user.name}"
    return {
        "apps/git/git.container": (
            f"[Container]\nImage={IMAGE}:1\nNetwork=host\n"
            + "".join(f"Volume={folder}:{folder}:ro\n" for folder in ("/usr", "/lib", "/lib64"))
            + f"Volume={home}/repos:/repos\nVolume=./git_server.py:/git_server.py:ro\n"
            + f"Exec=/usr/bin/python3 /git_server.py {port} /repos\n"
            + WANTED
        ),
        "apps/git/git_server.py": GIT_SERVER,
    }


def test_the_git_server_is_one_of_the_apps(user, git_server):
    port = user.port
    home = Home(user, git_server.folder / "own")
    home.commit({**APPS, **git_app(user, port)})
    # The first time it comes from the folder that it will serve.
    configure(user, f'git = "file:///home/{user.name}/repos/home.git"')
    user.start_daemon()
    ready(user, "git", "job", "web")
    configure(user, f'git = "http://localhost:{port}/home.git"')
    user.reload_daemon()
    head = home.commit({"apps/job/job.service": service(2000000)})
    assert sync(user).returncode == 0
    assert app_of(user, "job")["revision"] == head
    assert source(user)["location"].startswith("http://localhost")
    # All of it goes, and comes without anybody's help.
    boot_again(user)
    wait_until(lambda: status(user)["running"], what="podvisor itself")
    ready(user, "git", "job", "web")
    assert active(user, "git.service", "web.service", "job.service")
    # It may change the very server that the change comes from.
    pid = main_pid(user, "git.service")
    head = home.commit({"apps/git/git_server.py": GIT_SERVER + "# changed\n"})
    user.wait_for(lambda: sync(user).returncode == 0)
    user.wait_for(lambda: runs_anew(user, "git.service", pid))
    assert app_of(user, "git")["revision"] == head
    head = home.commit({"apps/job/job.service": service(3000000)})
    user.wait_for(lambda: sync(user).returncode == 0)
    assert app_of(user, "job")["revision"] == head
    # Broken by hand, it comes back from what is stored: there is nobody to be asked.
    pid = main_pid(user, "git.service")
    user.podman("rm", "--force", "systemd-git")
    user.wait_for(lambda: runs_anew(user, "git.service", pid))
    ready(user, "git", "job", "web")
