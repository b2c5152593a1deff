"""Replicas= and MaxUnavailable=: what they mean, and what there can be only one of."""

import msgspec
import pytest

from supervisor.core.desired.scales import scaled
from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from supervisor.model.rollout import Scale
from tests.core.candidates import from_texts
from tests.fakes.machine import app, deploy

STAGE = "/stage"
PLACE = Place(stage=STAGE, live="/live", home="/home/pi")


def read(*own, container=(), install="WantedBy=default.target", name="web@"):
    """What is understood of a container file with these lines, as Podman's generator has it."""
    lines = ["[Container]", "Image=x", *container, "[X-Podvisor]", *own, "[Install]", install]
    text = "\n".join(lines) + "\n"
    path = f"{name}.container"
    reading = Reading(AppFiles(*from_texts("web", {path: text})))
    made = text.replace("[Container]", "[X-Container]")
    called = name.replace("@", "_%i")
    command = f"[Service]\nExecStart=podman run --name {called} x\n"
    command = f"[Unit]\nSourcePath={STAGE}/web/{path}\n{command}"
    read_units(f"---{name}.service---\n{made}{command}", {"web": reading}, PLACE)
    return reading


def test_so_many_instances_numbered_from_one():
    (unit,) = (reading := read("Replicas=3", "MaxUnavailable=2")).units
    assert unit.runtime_names == ("web@1.service", "web@2.service", "web@3.service")
    assert (unit.replicas, unit.max_unavailable) == (3, 2)
    assert not reading.findings


def test_they_are_to_run_whatever_the_install_says():
    (unit,) = read("Replicas=1", install="").units
    assert unit.wanted_by == ("default.target",)
    (unit,) = read("Replicas=1", install="WantedBy=my.target").units
    assert unit.wanted_by == ("my.target",)


def test_none_is_a_number():
    (unit,) = (reading := read("Replicas=0")).units
    assert (unit.replicas, unit.instances) == (0, ())
    assert not reading.findings


def test_what_is_of_each_follows_the_number_that_a_person_orders():
    lines = ("Secret=pw-%i", "Secret=all", "Image=x-%i")
    (unit,) = (reading := read("Replicas=2", container=lines)).units
    assert unit.per_instance.images == ("x-%i",)
    one = app("web", unit)
    order = Scale(app="web", unit=unit.name, replicas=4, instead_of=2, at=1.0)
    (more,) = scaled(deploy(one, one), [order]).wanted.units
    assert more.images == ("x-1", "x-2", "x-3", "x-4")
    assert set(more.secrets) == {"all", "pw-1", "pw-2", "pw-3", "pw-4"}
    assert {use.line for use in more.secret_uses} == {3, 4}
    none = msgspec.structs.replace(order, replicas=0)
    (fewer,) = scaled(deploy(one, one), [none]).wanted.units
    assert (fewer.images, fewer.secrets) == ((), ("all",))
    assert not reading.findings


def test_secrets_and_images_are_those_of_each():
    lines = ("Secret=pw-%i", "Image=x-%i")
    (unit,) = read("Replicas=2", container=lines).units
    assert unit.secrets == ("pw-1", "pw-2")
    assert unit.images == ("x-1", "x-2")


@pytest.mark.parametrize("value", ["-1", "101", "1000000000000000000000", "three", "1.5", "٣"])
def test_a_number_that_is_none_refuses_the_file(value):
    (finding,) = read(f"Replicas={value}").findings
    assert finding.fatal
    assert "it must be a number from 0 to 100" in finding.message
    assert finding.line == 4


def test_a_slip_of_the_pen_refuses_the_file():
    """Passed over, all replicas but one would go."""
    (finding,) = read("Replica=3").findings
    assert finding.fatal
    assert "Replicas=" in finding.hint


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("PublishPort=8080:80", "PublishPort=808%i:80"),
        ("PublishPort=127.0.0.1:8080:80", "PublishPort=80"),
        ("ContainerName=web", "ContainerName=web-%i"),
        ("IP=10.0.0.2", "IP=10.0.0.%i"),
        ("IP6=fd00::2", "IP6=fd00::%i"),
    ],
)
def test_what_only_one_can_have_is_refused(line, own):
    (finding,) = read("Replicas=2", container=[line]).findings
    assert finding.fatal
    assert finding.message == f"{line}: 2 replicas cannot share it"
    assert finding.line == 3
    assert "%i" in finding.hint
    alone = read("Replicas=1", container=[line])
    assert not alone.findings
    assert alone.units[0].only_one == line
    assert not read("Replicas=2", container=[own]).findings
    assert not read("Replicas=2", container=["Network=none", "PublishPort=8080:80"]).findings


def test_a_unit_that_is_no_template_has_none():
    (finding,) = read("Replicas=2", name="web").findings
    assert finding.fatal
    assert finding.message == "Replicas=2: there can be only one of web.container"
    assert finding.hint == "call it web@.container, a template"


def test_an_instance_of_another_name_is_none_of_them():
    install = "WantedBy=default.target\nDefaultInstance=blue"
    (finding,) = read("Replicas=2", install=install).findings
    assert finding.fatal
    assert "DefaultInstance=blue is none of the 2 instances" in finding.message
    assert not read("Replicas=2", install=install.replace("blue", "2")).findings


def test_how_many_may_be_down_means_nothing_without_replicas():
    (finding,) = read("MaxUnavailable=2").findings
    assert finding.message == "MaxUnavailable= has no meaning without Replicas="
    assert not finding.fatal


@pytest.mark.parametrize(
    ("own", "lines", "warns"),
    [
        (("Replicas=2",), ("Pod=my.pod",), True),
        (("Replicas=2",), ("Pod=my.pod", "StartWithPod=no"), False),
        (("Replicas=2",), (), False),
        ((), ("Pod=my.pod",), False),
    ],
)
def test_a_pod_that_starts_an_instance_of_its_own_is_warned_of(own, lines, warns):
    findings = read(*own, container=lines).findings
    assert [one.fatal for one in findings] == [False] * warns
    for one in findings:
        assert "the pod starts one more instance" in one.message
        assert one.line


def test_certificates_of_each_follow_the_number_that_a_person_orders():
    own = "/home/pi/.local/share/podvisor/certificates"
    text = "[Container]\nImage=x\n[X-Podvisor]\nReplicas=2\n"
    tls = "[Certificate]\nDomain=a.org\nDirectory=/srv/tls/3\n"
    files = {"web@.container": text, "third.certificate": tls}
    reading = Reading(AppFiles(*from_texts("web", files)))
    command = f"[Service]\nExecStart=podman run -v {own}/%i:/t -v /srv/tls/%i:/u x\n"
    command = f"[Unit]\nSourcePath={STAGE}/web/web@.container\n{command}"
    made = text.replace("[Container]", "[X-Container]")
    place = msgspec.structs.replace(PLACE, certificates=own)
    read_units(f"---web@.service---\n{made}{command}", {"web": reading}, place)
    (unit,) = reading.units
    one = app("web", unit)
    order = Scale(app="web", unit=unit.name, replicas=3, instead_of=2, at=1.0)
    (more,) = scaled(deploy(one, one), [order]).wanted.units
    assert [use.name for use in unit.certificate_uses] == ["1", "2"]
    assert [use.name for use in more.certificate_uses] == ["1", "2", "3", "third"]
    fewer = Scale(app="web", unit=unit.name, replicas=1, instead_of=2, at=1.0)
    (less,) = scaled(deploy(one, one), [fewer]).wanted.units
    assert [use.name for use in less.certificate_uses] == ["1"]
