"""Which apps an event of Podman's is about."""

import pytest

from supervisor.core.status.affected_apps import apps_of, same_image
from supervisor.model.podman import PodmanEvent
from supervisor.model.quadlet import UnitKind
from supervisor.model.secret import SecretUse
from tests.fakes.machine import container, network, volume

ID = "5cf6fdfd720d9d4617b86089c8bbd13fea0dbb196f60d25257fce308ea018a9a"
UNITS = {
    "blog": (
        container(
            "web",
            images=("docker.io/library/nginx:1",),
            secret_uses=(SecretUse("password", "web.container"),),
        ),
        network("site"),
        volume("data"),
    ),
    "photos": (container("gallery", images=("localhost/gallery:dev",)),),
    "kube": (container("pod", kind=UnitKind.KUBE, object_name=""),),
}


def apps(**fields: str) -> set[str]:
    return set(apps_of(PodmanEvent(**fields), UNITS.items()))


def test_only_who_uses_that_very_one_is_named() -> None:
    assert apps(type="image", name="docker.io/library/nginx:1") == {"blog"}
    assert apps(type="image", name="docker.io/library/nginx:2") == set()
    assert apps(type="image", name="localhost/gallery:dev") == {"photos"}
    assert apps(type="network", name="systemd-site") == {"blog"}
    assert apps(type="network", name="systemd-data") == set()
    assert apps(type="volume", name="systemd-data") == {"blog"}
    assert apps(type="volume", name="other") == set()
    assert apps(type="secret", name="password") == {"blog"}
    assert apps(type="secret", name="other") == set()
    assert apps(type="container", action="remove", name="systemd-gallery") == {"photos"}
    assert apps(type="container", action="died", name="x", unit="pod.service") == {"kube"}
    assert apps(type="container", action="died", name="somebody-elses") == set()


def test_a_nameless_event_is_about_all_who_use_such_a_thing() -> None:
    assert apps(type="image") == {"blog", "photos"}
    assert apps(type="network") == apps(type="volume") == apps(type="secret") == {"blog"}
    assert apps(type="container") == {"blog", "photos", "kube"}


def test_an_instance_that_is_none_of_the_replicas_is_told_of_when_it_comes() -> None:
    one = container("web@", replicas=2, instances=("1", "2"), object_name="systemd-web_%i")
    other = container("lone@", object_name="systemd-lone_%i")
    units = {"web": (one,), "lone": (other,)}.items()

    def told(unit: str, action: str) -> set[str]:
        event = PodmanEvent(type="container", action=action, name="x", id=ID, unit=unit)
        return set(apps_of(event, units))

    for action in ("create", "start"):
        assert told("web@3.service", action) == told("web@x.service", action) == {"web"}
        assert told("web@2.service", action) == told("lone@1.service", action) == set()
    assert told("web@3.service", "exec") == set()


def test_what_goes_on_in_a_running_container_is_nobodys_business() -> None:
    for action in ("create", "start", "exec", "exec_died", "init", "attach", "cleanup"):
        assert apps(type="container", action=action, name="systemd-web") == set()
    health = {"type": "container", "action": "health_status", "name": "systemd-web"}
    assert apps(**health, health="healthy") == set()
    assert apps(**health, health="unhealthy") == {"blog"}


@pytest.mark.parametrize(
    ("wanted", "name", "same"),
    [
        ("nginx", "docker.io/library/nginx:latest", True),
        ("nginx:1", "docker.io/library/nginx:1", True),
        ("nginx:1", "quay.io/mirror/nginx:1", True),
        ("nginx:1", "docker.io/library/my-nginx:1", False),
        ("docker.io/nginx:1", "docker.io/library/nginx:1", True),
        ("docker.io/nginx:1", "quay.io/library/nginx:1", False),
        ("quay.io/a/b", "quay.io/a/b:latest", True),
        ("quay.io/a/b", "quay.io/a/b:1", False),
        ("localhost:5000/a:1", "localhost:5000/a:1", True),
        ("localhost:5000/a", "localhost:5000/a:latest", True),
        ("localhost:5000/a:1", "localhost:5001/a:1", False),
        ("quay.io/a/b@sha256:" + ID, "quay.io/a/b:1", True),
        ("quay.io/a/b:7@sha256:" + ID, "quay.io/a/b@sha256:" + ID, True),
        ("quay.io/a/b@sha256:" + ID, "quay.io/a/c:1", False),
        (ID, "localhost/foo:1", True),
        (ID[:12], ID, True),
        ("sha256:" + ID, ID, True),
        ("a" * 64, "localhost/foo:1", False),
    ],
)
def test_image_references_are_compared_as_podman_means_them(
    wanted: str,
    name: str,
    same: bool,  # noqa: FBT001
) -> None:
    assert same_image(wanted, PodmanEvent(type="image", name=name, id=ID)) is same
