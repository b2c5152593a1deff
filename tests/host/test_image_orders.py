"""What people order of images, on a real host with a real registry."""

import pytest

from tests.host.image_scenes import images_of
from tests.host.registries import OwnRegistry
from tests.host.scenes import active, configure, sleeper


@pytest.fixture
def own(user, registry):
    """A registry that tells nobody of what is pushed."""
    return OwnRegistry(user=user, shared=registry, port=user.port).start()


def start(own):
    """Deploy an app that follows a tag; what is pushed is found when a person asks."""
    unit = sleeper("AutoUpdate=registry", image=own.image("web:1")).replace("Exec=", "# Exec=")
    own.user.write("apps/web/web.container", unit)
    configure(own.user, 'folder = "~/apps"', more='[images]\ninterval = "0s"\n')
    own.user.start_daemon()
    own.user.wait_for(lambda: active(own.user, "web.service"), what="web")
    own.user.podvisor("sync")


def order(user, *arguments, code=0):
    done = user.podvisor(*arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def image(user):
    (one,) = images_of(user, "web")
    return one


def running(user):
    """The digest by which Podman runs the container."""
    form = "--format={{.ImageName}}"
    return user.podman("inspect", form, "systemd-web").stdout.strip().rpartition("@")[2]


def test_a_person_has_the_last_word(own):
    user = own.user
    one = own.push("podvisor-test:1", "web:1")
    start(own)
    assert running(user) == one
    two = own.push("podvisor-test:2", "web:1", "web:two")
    said = order(user, "update", "--dry-run")
    assert f"1 ({one[7:19]}) → 1 ({two[7:19]})" in said
    assert running(user) == one
    order(user, "update", "web")
    assert running(user) == two

    own.push("podvisor-test:crash", "web:1")
    said = order(user, "update", "web", code=3)
    assert "failed here, and the one before runs" in said
    assert running(user) == two
    assert order(user, "status").count("failed here") == 1
    order(user, "retry", "web", code=3)
    assert running(user) == two

    own.push("podvisor-test:1", "web:1")
    order(user, "pin", "web", "two")
    said = order(user, "update", "web", "--now")
    assert "pinned" in said
    assert running(user) == two
    order(user, "unpin", "web")
    assert running(user) == one
    order(user, "rollback", "web")
    assert running(user) == two
    assert image(user)["held"]["version"]["runs"].endswith(one)
    order(user, "resume", "web")
    user.wait_for(lambda: running(user) == one, what="the newest version")


def test_without_a_registry_and_without_a_daemon_what_is_known_is_told(own):
    user = own.user
    one = own.push("podvisor-test:1", "web:1")
    two = own.push("podvisor-test:2", "web:two")
    start(own)
    nobodys = f"sha256:{'d' * 64}"
    assert "has no such image" in order(user, "pin", "web", nobodys, code=1)
    order(user, "pin", "web", two)
    assert running(user) == two
    order(user, "unpin", "web")
    own.stop()
    said = order(user, "update", "web", code=3)
    assert "unknown, last answered" in said
    assert order(user, "images", code=3).count("unknown") == 2
    said = order(user, "status")
    unknown = "it is unknown whether there is a newer one, last answered "
    assert f"! of 1 image of localhost:{own.port} {unknown}" in said
    assert "ago: Connection refused (podvisor images)" in said
    assert "1 app ready; 1 image unknown." in said
    assert "Connection refused" in order(user, "pin", "web", nobodys, code=1)
    order(user, "pin", "web")
    user.systemctl("stop", "podvisor.service")
    said = order(user, "images", code=4)
    assert f"pinned at 1 ({one[7:19]})" in said
