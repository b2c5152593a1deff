"""What Podman is asked about before a plan."""

import msgspec
import pytest

from supervisor.core.plan.asked_objects import asked_images, asked_kinds
from supervisor.model.certificate import CertificateUse
from supervisor.model.quadlet import UnitKind
from supervisor.model.secret import SecretUse
from tests.fakes.machine import Machine, app, container, deploy, network, volume


def asked(deployment, machine, *, changing=False):
    seen = machine.observe([deployment])
    names = {deployment.name} if changing else set()
    kinds = asked_kinds([deployment], seen.apps, seen.applied, changing=names)
    images = asked_images(
        [deployment],
        seen.units,
        seen.applied,
        changing=names,
        certificates=seen.certificates,
    )
    return images, kinds


@pytest.fixture
def machine():
    return Machine()


def stands(machine, one):
    machine.teach(one)
    machine.converge([deploy(one)])
    return deploy(one, one)


def test_nothing_is_asked_of_what_stands_as_wanted(machine):
    machine.images.add("img:1")
    one = stands(machine, app("web", container("web", images=("img:1",))))
    assert asked(one, machine) == (set(), set())


def test_what_may_start_has_its_image_looked_for(machine):
    machine.images.add("img:1")
    one = stands(machine, app("web", container("web", images=("img:1",))))
    machine.stop("web.service")
    assert asked(one, machine)[0] == {"img:1"}
    newer = app("web", container("web", version="2", images=("img:2",)), revision="r2")
    assert asked(deploy(newer, one.wanted), machine, changing=True)[0] == {"img:1", "img:2"}


def test_what_another_certificate_may_restart_has_its_image_looked_for(machine):
    """What it is restarted with is written down, with the images that there are."""
    machine.images.add("img:1")
    machine.certificates["site"] = "v1"
    uses = (CertificateUse(name="site"),)
    one = stands(machine, app("web", container("web", images=("img:1",), certificate_uses=uses)))
    assert asked(one, machine) == (set(), set())
    machine.certificates["site"] = "v2"
    assert asked(one, machine)[0] == {"img:1"}


def test_names_are_looked_for_where_something_comes_or_goes(machine):
    one = app("web", container("web"))
    assert asked(deploy(one), machine, changing=True)[1] == {"containers"}
    old = stands(machine, one)
    assert asked(msgspec.structs.replace(old, wanted=None), machine)[1] == {"containers"}
    kept = msgspec.structs.replace(old, wanted=None, keep=True)
    assert asked(kept, machine)[1] == set()


def test_networks_and_volumes_are_always_looked_for(machine):
    """They can be lost behind systemd's back, while their units count as active."""
    units = (network("net"), volume("data"), container("web"))
    assert asked(stands(machine, app("web", *units)), machine)[1] == {"networks", "volumes"}


def test_secrets_are_looked_for_where_a_unit_uses_some(machine):
    one = stands(
        machine, app("web", container("web", secret_uses=(SecretUse("token", "web.container"),)))
    )
    assert "secrets" in asked(one, machine)[1]


def test_an_image_that_is_built_is_looked_for_where_it_may_be_built_anew(machine):
    build = container("img-build", kind=UnitKind.BUILD, object_name="localhost/img:latest")
    assert asked(deploy(app("web", build)), machine, changing=True)[0] == {"localhost/img:latest"}
