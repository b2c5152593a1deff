"""After a boot, of the user's systemd or of the whole host: what is shown is, and becomes right."""

import contextlib

import pytest

from tests.host.conftest import TOOL, GitServer, call, copy_podvisor, fresh_user, host_named
from tests.host.scenes import (
    WANTED,
    app_of,
    deploy,
    deploy_folder,
    events,
    ready,
    service,
    sleeper,
    states,
    status,
    stop_podvisor,
    wait_for_states,
)
from tests.host.test_offline_first import boot_again

APPS = {
    "apps/bad/bad.container": sleeper("PodmanArgs=--stop-signal=KILL"),
    "apps/calm/calm.service": service(),
    # Lies on a disk that comes late.
    "apps/late/late.container": sleeper("EnvironmentFile=%h/mnt/env"),
    # It is still starting, as it was, when podvisor looks first.
    "apps/slow/slow.container": sleeper(
        "Environment=V=1",
        "PodmanArgs=--stop-signal=KILL",
        wanted=f"[Service]\nExecStartPost=/bin/sleep 6\n{WANTED}",
    ),
    "apps/when/when.service": f"[Unit]\nConditionPathExists=%h/mnt\n{service()}",
}
PUSHED = {
    "apps/bad/bad.container": APPS["apps/bad/bad.container"].replace("sleep infinity", "/no/such"),
    "apps/slow/slow.container": APPS["apps/slow/slow.container"].replace("V=1", "V=2"),
}


@contextlib.contextmanager
def own_user(host):
    """A user of a host that may be rebooted."""
    name = f"{host.name}-boot"
    call(TOOL, "up", "--suite", host.suite, name, timeout=240)
    try:
        other = host_named(name)
        copy_podvisor(host, other)
        with fresh_user(other) as made:
            yield made
    finally:
        call(TOOL, "down", name)


def environment(user, container):
    done = user.podman("inspect", "--format={{.Config.Env}}", container, check=False)
    return done.stdout


@pytest.mark.parametrize("whole", [False, True], ids=["the user's systemd", "the host"])
def test_what_a_boot_and_a_push_before_it_come_to(host, tmp_path, *, whole):
    with own_user(host) if whole else fresh_user(host) as user:
        user.write("mnt/env", "A=1\n")
        git_server = GitServer(host=user.host, folder=tmp_path / "clones")
        repository = deploy(user, git_server, APPS)
        ready(user, "bad", "calm", "late", "slow", "when")
        good = repository.head

        stop_podvisor(user)
        bad = repository.commit(PUSHED, "Break bad, change slow")
        (user.home / "mnt").rename(user.home / "away")
        if whole:
            user.host.reboot()
        else:
            boot_again(user)

        user.wait_for(lambda: states(user).get("late") == "failing", what="late to be failing")
        assert not app_of(user, "late")["units"][0].get("up", False)
        (user.home / "away").rename(user.home / "mnt")
        wait_for_states(
            user, bad="reverted", calm="ready", late="ready", slow="ready", when="inactive"
        )
        assert app_of(user, "bad")["revision"] == good
        assert app_of(user, "slow")["revision"] == bad
        assert "V=2" in environment(user, "systemd-slow")
        (when,) = app_of(user, "when")["units"]
        assert when["unmet"] == f"ConditionPathExists=/home/{user.name}/mnt"
        assert user.podvisor("plan", "--exit-code", check=False).returncode != 2
        assert not [one for one in events(user, unit="calm.service") if one["step"] == "restart"]


def test_a_session_that_ends_under_it_leaves_nothing_that_is_wrong(user):
    deploy_folder(user, {f"{name}/{name}.service": service() for name in ("one", "two", "three")})
    ready(user, "one", "two", "three")
    boot_again(user)
    user.wait_for(lambda: user.unit_state("podvisor.service")["ActiveState"] == "active")
    ready(user, "one", "two", "three")
    assert not status(user).get("incidents")
