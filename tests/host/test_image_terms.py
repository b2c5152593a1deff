"""What people and settings say of images, on a real host: when, which, and not at all."""

import pytest

from tests.host.image_scenes import (
    PATIENT_SETTLE,
    Images,
    digest_of,
    held,
    images_of,
    look,
    pinned,
)
from tests.host.scenes import main_pid, ready, states


@pytest.fixture
def images(user, registry):
    return Images.of(user, registry)


def stays(images, digest, text):
    """Whether all is as it was, after the registry was asked."""
    look(images.user)
    assert (pinned(images.user), digest_of(images.user)) == (digest, digest)
    assert images.answers() == text


def test_pin_unpin_and_update(images):
    user = images.user
    first = images.deploy()
    images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    user.podvisor("pin", "web", first, "--reason", "too blue")
    images.answered("podvisor-test 1")
    ready(user, "web")
    stays(images, first, "podvisor-test 1")
    assert "pinned" in held(user)["why"]
    user.systemctl("restart", "podvisor.service")
    ready(user, "web")
    stays(images, first, "podvisor-test 1")
    third = images.push("three")
    stays(images, first, "podvisor-test 1")
    user.podvisor("unpin", "web")
    images.answered("three")
    ready(user, "web")
    user.podvisor("rollback", "web")
    images.answered("podvisor-test 1")
    assert states(user) == {"web": "held"}
    user.podvisor("resume", "web")
    images.answered("three")
    assert pinned(user) == third


@pytest.mark.parametrize(
    ("line", "words"),
    [('cooldown = "3d"', "cooldown"), ('window = "*-02-29 04:00..05:00"', "window")],
)
def test_cooldown_and_window_hold_and_are_visible(images, line, words):
    user = images.user
    first = images.deploy(line)
    second = images.push("two")
    waits = user.wait_for(lambda: held(user))
    assert waits["version"]["runs"].endswith(second)
    assert words in waits["why"]
    assert waits["until"] > 0
    stays(images, first, "podvisor-test 1")
    pid = main_pid(user, "web.service")
    dry = user.podvisor("update", "--dry-run")
    assert second[7:19] in dry.stdout
    assert words in dry.stdout
    user.podvisor("update", "web", check=False)
    assert main_pid(user, "web.service") == pid, "it waits as before"
    done = user.podvisor("update", "web", "--now")
    assert words in done.stdout, "what is passed over is said"
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert pinned(user) == second


def test_a_cooldown_ends_by_itself(images):
    user = images.user
    first = images.deploy('cooldown = "8s"')
    second = images.push("two")
    user.wait_for(lambda: held(user))
    assert pinned(user) == first
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert pinned(user) == second


def test_notify_and_download(images):
    user = images.user
    first = images.deploy(unit=["[X-Podvisor]", "Update=notify"])
    second = images.push("two")
    user.wait_for(lambda: held(user))
    stays(images, first, "podvisor-test 1")
    assert not here(images, second)
    user.write("apps/web/web.container", images.unit("[X-Podvisor]", "Update=download"))
    user.wait_for(lambda: here(images, second), what="it is pulled")
    stays(images, first, "podvisor-test 1")
    user.podvisor("update", "web", "--now")
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert pinned(user) == second


def here(images, digest):
    name = f"{images.own.host}/web@{digest}"
    return not images.user.podman("image", "exists", name, check=False).returncode


def test_policies_choose_among_tags(images):
    user = images.user
    images.push("one", "web:1.0.0", "web:1.0.0-rc.1", "web:latest")
    images.push("two", "web:2.0.0")
    rule = ["[X-Podvisor]", "ImagePolicy=semver:^1"]
    user.write("apps/web/web.container", images.unit(*rule, name="web:1.0.0"))
    images.settings(settle=PATIENT_SETTLE)
    user.start_daemon()
    ready(user, "web")
    images.answered("podvisor-test 1")
    third = images.push("three", "web:1.1.0")
    images.answered("three")
    ready(user, "web")
    assert pinned(user) == third
    (shown,) = images_of(user, "web")
    assert shown["running"]["tag"] == "1.1.0"
    bad = images.push("dead", "web:1.2.0")
    images.taken_back(bad)
    images.answered("three")
    images.push("two", "web:1.2.1")
    images.answered("podvisor-test 2")


def test_what_was_given_up_for_a_version_that_fails_is_tried_again(images):
    user = images.user
    first = images.deploy(settle="8s")
    between = images.push("three")
    images.answered("three")
    assert states(user) == {"web": "changing"}, "it is on trial"
    bad = images.push("dead")
    images.taken_back(bad)
    images.answered("three")
    assert pinned(user) == between
    assert first != between
    (shown,) = images_of(user, "web")
    assert shown["held"]["failed"]
