"""Images on a real host: pushed, told of, pulled, gated, taken back, and kept by digest."""

import json

import pytest

from tests.host.image_scenes import (
    LAST_WORDS,
    PATIENT_SETTLE,
    THREE,
    Images,
    digest_of,
    held,
    look,
    pinned,
    verdict,
)
from tests.host.scenes import (
    active,
    app_of,
    deploy,
    events,
    main_pid,
    ready,
    sync,
)


@pytest.fixture
def images(user, registry):
    return Images.of(user, registry)


def test_what_is_pushed_runs_seconds_later_and_is_pinned(images):
    user = images.user
    first = images.deploy()
    assert (digest_of(user), pinned(user)) == (first, first)
    before = main_pid(user, "podvisor.service")
    second = images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert (digest_of(user), pinned(user)) == (second, second)
    assert "AutoUpdate=registry" in user.read(
        ".config/containers/systemd/podvisor/web/web.container"
    ), "the app's own file stays as it is"
    told = max(one["time"] for one in events(user, kind="webhook"))
    restarted = max(one["time"] for one in events(user, step="restart", app="web"))
    assert 0 < restarted - told < 10, "seconds"
    assert main_pid(user, "podvisor.service") == before
    history = user.podvisor("history", "web").stdout
    assert second[7:19] in history
    assert "latest" in history


def test_a_bad_one_is_taken_back_and_never_tried_again(images):
    user = images.user
    images.deploy(settle=PATIENT_SETTLE)
    second = images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    bad = images.push("dead")
    images.taken_back(bad)
    images.answered("podvisor-test 2")
    assert (digest_of(user), pinned(user)) == (second, second)
    up = int(user.unit_state("web.service")["ActiveEnterTimestampMonotonic"]) / 1e6
    clock = user.run("python3", "-c", "import time; print(time.time() - time.monotonic())").stdout
    assert 0 < up + float(clock) - verdict(user) < 2
    (reverted,) = events(user, kind="reverted", app="web")
    assert LAST_WORDS in reverted["reason"]
    assert bad[7:19] in user.podvisor("history", "web").stdout
    assert held(user)["version"]["runs"].endswith(bad)
    assert held(user)["failed"]

    def not_tried():
        before, pid = images.own.requests(), main_pid(user, "web.service")
        look(user)
        # A daemon that was started anew has to find out first how the registry speaks.
        asked = [one for one in images.since(before) if one.path != "/v2/"]
        # What a webhook told is asked about again shortly, and so is all at a start.
        assert set(asked) == {("HEAD", "/v2/web/manifests/latest", 200)}
        assert main_pid(user, "web.service") == pid
        assert digest_of(user) == second

    not_tried()
    user.systemctl("restart", "podvisor.service")
    images.taken_back(bad)
    not_tried()
    user.host.systemctl("restart", f"user@{user.uid}.service")
    user.wait_for(lambda: active(user, "registry.service", "podvisor.service", "web.service"))
    images.taken_back(bad)
    not_tried()
    # The same once more is no other.
    pid = main_pid(user, "web.service")
    images.push("dead")
    look(user)
    assert (main_pid(user, "web.service"), digest_of(user)) == (pid, second)
    third = images.push("three")
    images.answered("three")
    ready(user, "web")
    assert pinned(user) == third
    assert not held(user)


SICK = "web.service is unhealthy: its image's health check `/bin/false` failed and printed nothing"


@pytest.mark.parametrize(("bad", "why"), [("sick", SICK), ("lacking", "/bin/lacking")])
def test_one_that_is_unhealthy_or_lacks_its_command_is_taken_back_each_time(images, bad, why):
    user = images.user
    first = images.deploy()
    pushed = images.push(bad)
    images.taken_back(pushed)
    images.answered("podvisor-test 1")
    assert pinned(user) == first
    (reverted,) = events(user, kind="reverted", app="web")
    assert why in reverted["reason"]
    # A person has it tried again, and it fails again.
    assert user.podvisor("retry", "web", check=False).returncode == 3
    assert len(events(user, kind="reverted", app="web")) == 2
    images.taken_back(pushed)
    images.answered("podvisor-test 1")
    assert pinned(user) == first


def test_nothing_changes_by_accident(images):
    """Not by a moved tag, a prune, Podman's auto-update, nor by another program's pull."""
    user = images.user
    first = images.deploy('update = "notify"')
    pid = main_pid(user, "web.service")
    name = images.own.image("web:latest")
    second = images.push("two")
    user.podman("pull", "--quiet", name)
    user.podman("tag", "localhost/podvisor-test:2", name)
    user.wait_for(lambda: held(user), what="the moved tag")
    assert held(user)["version"]["runs"].endswith(second)
    user.podman("auto-update")
    user.podman("image", "prune", "--all", "--force")
    sync(user)
    assert (main_pid(user, "web.service"), digest_of(user)) == (pid, first)
    user.systemctl("restart", "web.service")
    images.answered("podvisor-test 1")
    # Gone here, it is had by its digest again: what the tag stands for now is another one.
    user.systemctl("stop", "podvisor.service", "web.service")
    user.podman("rmi", "--all", "--force")
    user.systemctl("start", "podvisor.service")
    images.answered("podvisor-test 1")
    ready(user, "web")
    assert digest_of(user) == first


def test_a_boot_brings_the_same_digest(images):
    user = images.user
    first = images.deploy('update = "notify"')
    images.push("two")
    user.wait_for(lambda: held(user))
    user.podman("pull", "--quiet", images.own.image("web:latest"))
    user.host.reboot()
    user.wait_for(lambda: active(user, "podvisor.service", "web.service"))
    images.answered("podvisor-test 1")
    assert (digest_of(user), pinned(user)) == (first, first)
    assert held(user), "and what waits is still known"


def test_gone_in_the_registry_while_it_is_the_only_way_back(images):
    user = images.user
    first = images.deploy(settle=PATIENT_SETTLE)
    images.own.delete("web:latest")
    bad = images.push("dead")
    images.taken_back(bad)
    images.answered("podvisor-test 1")
    user.podman("image", "prune", "--all", "--force")
    user.systemctl("restart", "web.service")
    images.answered("podvisor-test 1")
    assert pinned(user) == first


def test_a_registry_that_is_down_at_the_first_deploy(images):
    user = images.user
    first = images.push("one")
    name = images.own.image("web:latest")
    user.podman("pull", "--quiet", name)
    images.own.stop()
    user.write("apps/web/web.container", images.unit())
    images.settings('interval = "5s"')
    user.start_daemon()
    ready(user, "web")
    images.answered("podvisor-test 1")
    assert "refused" in user.podvisor("images", check=False).stdout, "unknown is not up to date"
    user.systemctl("start", "registry.service")
    images.push("two")
    images.answered("podvisor-test 2")
    assert pinned(user) != first


def test_two_units_of_one_image_move_together(images):
    user = images.user
    other = images.unit().replace(f"PublishPort={images.web}:8080", "Network=none")
    user.write("apps/web/other.container", other)
    first = images.deploy(settle=PATIENT_SETTLE)
    assert pinned(user, "other.service") == first
    second = images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert pinned(user) == pinned(user, "other.service") == second
    assert digest_of(user, "systemd-other") == second
    bad = images.push("dead")
    images.taken_back(bad)
    images.answered("podvisor-test 2")
    assert pinned(user) == pinned(user, "other.service") == second
    assert digest_of(user, "systemd-other") == second


def test_a_commit_and_an_image_at_once_go_one_after_the_other(images, git_server):
    user = images.user
    first = images.push("one")
    path = "apps/web/web.container"
    repository = deploy(user, git_server, {path: images.unit()})
    images.settings(source=f'git = "{repository.url}"', settle=PATIENT_SETTLE)
    user.reload_daemon()
    ready(user, "web")
    assert pinned(user) == first
    second = images.push("two")
    head = repository.commit({path: images.unit("Environment=TURN=2")})
    sync(user)
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert pinned(user) == second
    assert app_of(user, "web")["revision"] == head
    # A bad image beside a good commit: the commit counts.
    bad = images.push("dead")
    head = repository.commit({path: images.unit("Environment=TURN=3")})
    sync(user)
    images.taken_back(bad)
    images.answered("podvisor-test 2")
    assert pinned(user) == second
    assert "TURN=3" in user.podman("inspect", "systemd-web").stdout
    assert app_of(user, "web")["revision"] == head


def test_a_digest_in_git_never_moves(images):
    user = images.user
    first = images.push("one")
    images.deploy(name=f"web@{first}")
    images.push("two")
    user.podvisor("update", "web", "--now", check=False)
    sync(user)
    ready(user, "web")
    images.answered("podvisor-test 1")
    assert pinned(user) == first


def test_what_is_held_or_suspended_waits_visibly(images):
    user = images.user
    images.deploy()
    second = images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    user.podvisor("rollback", "web", "--reason", "too blue")
    images.answered("podvisor-test 1")
    third = images.push("three")
    user.wait_for(lambda: held(user) and held(user)["version"]["runs"].endswith(third))
    assert "held" in held(user)["why"]
    images.answered("podvisor-test 1")
    user.podvisor("resume", "web")
    images.answered("three")
    ready(user, "web")
    user.podvisor("suspend", "web")
    images.push("two")
    user.wait_for(lambda: held(user))
    images.answered("three")
    user.podvisor("resume", "web")
    images.answered("podvisor-test 2")
    assert pinned(user) == second


def test_scaled_to_none_a_newer_version_is_tried_with_the_first_that_runs(images):
    user = images.user
    first = images.push("one")
    unit = images.unit("[X-Podvisor]", "Replicas=1")
    user.write("apps/web/web@.container", unit)
    images.settings()
    user.start_daemon()
    ready(user, "web")
    images.answered("podvisor-test 1")
    user.podvisor("scale", "web=0")
    bad = images.push("dead")
    user.wait_for(lambda: held(user) and held(user)["version"]["runs"].endswith(bad))
    assert "scaled to 0" in held(user)["why"]
    user.podvisor("scale", "web=1", check=False)
    images.taken_back(bad)
    images.answered("podvisor-test 1")
    assert pinned(user, "web@1.service") == first


def test_what_is_built_tagged_or_loaded_here_runs_at_once(images):
    user = images.user
    name = "localhost/mine:dev"
    user.podman("tag", "localhost/podvisor-test:1", name)
    user.write("apps/web/web.container", images.unit(image=name, update="local"))
    images.settings()
    user.start_daemon()
    ready(user, "web")
    images.answered("podvisor-test 1")
    user.podman("tag", "localhost/podvisor-test:2", name)
    images.answered("podvisor-test 2")
    ready(user, "web")
    base = f"{images.own.shared.url}/podvisor-test:1"
    user.write("image/Containerfile", f"FROM {base}\nCMD {json.dumps(THREE)}\n")
    user.podman("build", "--quiet", f"--tag={name}", f"/home/{user.name}/image")
    images.answered("three")
    ready(user, "web")
    user.podman("save", "--quiet", f"--output=/home/{user.name}/two.tar", name)
    user.podman("tag", "localhost/podvisor-test:1", name)
    images.answered("podvisor-test 1")
    ready(user, "web")
    user.podman("load", "--quiet", f"--input=/home/{user.name}/two.tar")
    images.answered("three")
    ready(user, "web")
