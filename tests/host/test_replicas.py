"""Replicas of a template unit: counted, repaired, scaled, and rolled out one by one."""

from itertools import pairwise

import pytest

from tests.host.scenes import (
    active,
    app_of,
    deploy,
    deploy_folder,
    events,
    main_pid,
    ready,
    sleeper,
    states,
    sync,
    wait_for_states,
)


def web(version, replicas=3, *more):
    own = f"\n[X-Podvisor]\nReplicas={replicas}\n"
    return {"apps/web/web@.container": sleeper(f"Label=v={version}", *more) + own}


def units(*numbers):
    return [f"web@{number}.service" for number in numbers]


def running(user):
    names = user.podman("ps", "--format={{.Names}}").stdout.split()
    return sorted(int(name.rpartition("_")[2]) for name in names if name.startswith("systemd-web_"))


def versions(user):
    """The release that each container is of."""
    return user.podman("ps", "--format={{.Labels.v}}").stdout.split()


def pids(user, *numbers):
    return [main_pid(user, one) for one in units(*numbers)]


@pytest.fixture
def repository(user, git_server):
    made = deploy(user, git_server, web(1))
    ready(user, "web")
    return made


def test_there_are_as_many_as_asked_for(user, repository):
    assert running(user) == [1, 2, 3]
    assert "3/3" in user.podvisor("status").stdout
    before = pids(user, 1, 2)
    # One that is gone comes again, and one too many goes.
    user.podman("kill", "systemd-web_3")
    user.wait_for(lambda: active(user, "web@3.service") and running(user) == [1, 2, 3])
    user.systemctl("start", "web@4.service", check=False)  # which may be cancelled
    user.wait_for(lambda: events(user, step="stop"))
    (stop,) = events(user, step="stop")
    assert (stop["unit"], stop["reason"]) == ("web@4.service", "no more than 3 replicas should run")
    assert running(user) == [1, 2, 3]
    # A person orders others, and none.
    assert user.podvisor("scale", "web=5").returncode == 0
    assert running(user) == [1, 2, 3, 4, 5]
    assert pids(user, 1, 2) == before
    assert "was scaled to 5 replicas" in user.podvisor("status").stdout
    assert user.podvisor("scale", "web=0").returncode == 0
    assert running(user) == []
    assert states(user) == {"web": "ready"}
    assert user.podvisor("scale", "web").returncode == 0
    assert running(user) == [1, 2, 3]
    # A file that says another number restarts none, and ends what was ordered.
    user.podvisor("scale", "web=4")
    before = pids(user, 1, 2)
    repository.commit(web(1, 2))
    assert sync(user).returncode == 0
    assert running(user) == [1, 2]
    assert pids(user, 1, 2) == before
    assert "scaled" not in user.podvisor("status").stdout
    assert user.podvisor("scale", "web=101", check=False).returncode != 0


def test_a_release_goes_one_by_one(user, repository):
    loads = len(events(user, step="reload"))
    repository.commit(web(2))
    assert sync(user).returncode == 0
    assert versions(user) == ["2"] * 3
    restarts = events(user, step="restart")
    assert [one["unit"] for one in restarts] == units(1, 2, 3)
    for one, after in pairwise(restarts):
        assert after["time"] - one["time"] > 0.9, "the one before has to settle"
    assert len(events(user, step="reload")) == loads + 1
    # The first that fails stops it, and what moved is taken back.
    untouched = pids(user, 2, 3)
    repository.commit(web(3, 3, "Exec=sleep nothing"))
    assert sync(user).returncode == 3
    wait_for_states(user, web="reverted")
    user.wait_for(lambda: versions(user) == ["2"] * 3)
    assert pids(user, 2, 3) == untouched


def test_cut_short_in_the_middle_all_are_of_one_release_again(user, host):
    def write(version):
        (text,) = web(version).values()
        user.write("apps/web/web@.container", text)
        user.wait_for(lambda: str(version) in versions(user))
        assert set(versions(user)) != {str(version)}, "not all at once"

    deploy_folder(user, {"web/web@.container": web(1)["apps/web/web@.container"]})
    ready(user, "web")
    write(2)
    user.systemctl("kill", "--signal=SIGKILL", "podvisor.service")
    user.wait_for(lambda: versions(user) == ["2"] * 3)
    ready(user, "web")
    write(3)
    host.systemctl("restart", f"user@{user.uid}.service")
    user.wait_for(lambda: versions(user) == ["3"] * 3)
    ready(user, "web")


def test_what_there_can_be_only_one_of_is_refused(user, repository):
    before, alone = pids(user, 1, 2, 3), "apps/web/web.container"
    for files, said in (
        (web(1, 2, "PublishPort=8080:80", "Network="), "2 replicas cannot share it"),
        (web(1, 1000), "a number from 0 to 100"),
        (web(1, 2, "ContainerName=web"), "2 replicas cannot share it"),
        (web(1) | {alone: sleeper() + "\n[X-Podvisor]\nReplicas=2\n"}, "web@.container"),
    ):
        repository.commit(files)
        assert sync(user).returncode != 0
        findings = str(app_of(user, "web")["findings"])
        assert said in findings
        assert running(user) == [1, 2, 3]
        assert pids(user, 1, 2, 3) == before
