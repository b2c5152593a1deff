"""Which certificates units use, found in what the generator printed, in plain units and in YAML."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from supervisor.model.certificate import CertificateUse
from tests.core.candidates import from_texts

STAGE, OWN = "/stage", "/home/pi/.local/share/podvisor/certificates"
PLACE = Place(stage=STAGE, live="/live", home="/home/pi", certificates=OWN)
MINE = {"mine.certificate": "[Certificate]\nDomain=a.org\nDirectory=~/tls/\n"}


def uses_of(
    texts: dict[str, str], *, printed: str = "", section: str = "X-Container"
) -> tuple[CertificateUse, ...]:
    """Return those of the one unit."""
    reading = Reading(AppFiles(*from_texts("web", texts, links={})))
    read_plain_units(reading, PLACE)
    if printed:
        source = f"[Unit]\nSourcePath={STAGE}/web/web.container\n"
        output = f"---web.service---\n[{section}]\n{source}{printed}\n"
        read_units(output, {"web": reading}, PLACE)
    assert reading.findings == []
    (unit,) = reading.units
    return unit.certificate_uses


def of_container(line: str, printed: str, **more: str) -> tuple[CertificateUse, ...]:
    texts = {"web.container": f"[Container]\nImage=x\n{line}\n", **MINE, **more}
    return uses_of(texts, printed=f"[Service]\n{printed}")


@pytest.mark.parametrize(
    ("line", "printed", "name", "fixed"),
    [
        (
            "Volume=%h/.local/share/podvisor/certificates/web:/tls:ro",
            "ExecStart=podman run -v %h/.local/share/podvisor/certificates/web:/tls:ro x",
            "web",
            False,
        ),
        (f"Volume={OWN}/web/:/tls", f"ExecStart=podman run -v {OWN}/web/:/tls x", "web", False),
        (f"Volume={OWN}/web:/t:O", f"ExecStart=podman run -v {OWN}/web:/t:ro,O x", "web", True),
        (
            f"Volume={OWN}/web/privkey.pem:/key",
            f"ExecStart=podman run -v {OWN}/web/privkey.pem:/key x",
            "web",
            True,
        ),
        (
            f"Volume={OWN}/web/..data:/t",
            f"ExecStart=podman run -v {OWN}/web/..data:/t",
            "web",
            True,
        ),
        (
            f"Mount=type=bind,source={OWN}/web,target=/t",
            f"ExecStart=podman run --mount type=bind,source={OWN}/web,target=/t x",
            "web",
            False,
        ),
        (
            f"Mount=type=bind,source={OWN}/web/cert.pem,target=/t",
            f"ExecStart=podman run --mount type=bind,source={OWN}/web/cert.pem,target=/t x",
            "web",
            True,
        ),
        (
            f"PodmanArgs=--volume={OWN}/web/cert.pem:/t",
            f"ExecStart=podman run --volume={OWN}/web/cert.pem:/t x",
            "web",
            True,
        ),
        (f"Volume={OWN}/web:/t", f'ExecStart=podman run -v "{OWN}/web:/t" x', "web", False),
        ("Volume=%h/tls:/t", "ExecStart=podman run -v %h/tls:/t x", "mine", False),
        ("Volume=%h/tls/key:/t", "ExecStart=podman run -v /home/pi/tls/key:/t", "mine", True),
        (
            f"EnvironmentFile={OWN}/web/combined.pem",
            f"ExecStart=podman run --env-file {OWN}/web/combined.pem x",
            "web",
            True,
        ),
    ],
)
def test_a_container_that_mounts(line: str, printed: str, name: str, *, fixed: bool) -> None:
    own = name == "web"
    use = CertificateUse(name=name, fixed=fixed, own_place=own, path="web.container", line=3)
    assert of_container(line, printed) == (use,)


@pytest.mark.parametrize(
    "place",
    [
        f"{OWN}x/web",
        f"{OWN}/../web",
        f"{OWN}/-web",
        "/home/pi/tlsx",
        "/home/pi/tls/../other",
        "/root/.local/share/podvisor/certificates/web",
    ],
)
def test_what_is_no_certificate(place: str) -> None:
    assert of_container(f"Volume={place}:/t", f"ExecStart=podman run -v {place}:/t x") == ()


def test_a_file_by_itself_counts_also_beside_the_folder() -> None:
    printed = f"ExecStart=podman run -v {OWN}/web:/t -v {OWN}/web/cert.pem:/c -v {OWN}/a:/a x"
    uses = of_container(f"Volume={OWN}/web:/t\nVolume={OWN}/a:/a", printed)
    assert [(use.name, use.fixed, use.line) for use in uses] == [("a", False, 4), ("web", True, 3)]


def test_a_drop_in_that_mounts_is_named() -> None:
    more = {"web.container.d/tls.conf": f"[Container]\nVolume={OWN}/web:/t\n"}
    (use,) = of_container("", f"ExecStart=podman run -v {OWN}/web:/t x", **more)
    assert (use.path, use.line) == ("web.container.d/tls.conf", 2)


def test_the_folder_of_all_of_them_is_a_warning() -> None:
    texts = {"web.service": f"[Service]\nExecStart=/bin/caddy --tls {OWN}\n"}
    reading = Reading(AppFiles(*from_texts("web", texts, links={})))
    read_plain_units(reading, PLACE)
    (finding,) = reading.findings
    assert (finding.line, finding.fatal) == (2, False)
    assert "names the folder of all certificates" in finding.message
    assert reading.units[0].certificate_uses == ()


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        (f"ExecStart=/bin/caddy --cert {OWN}/web/fullchain.pem --key {OWN}/web/privkey.pem", False),
        (f"ExecStart=/bin/sh -c 'exec x {OWN}/web/fullchain.pem >y'", False),
        (f"ExecStart=/bin/x\nExecReload=/bin/y {OWN}/web", False),
        (f"ExecStart=/bin/x\nEnvironment=TLS={OWN}/web/fullchain.pem", False),
        ("ExecStart=/bin/x --tls %h/.local/share/podvisor/certificates/web", False),
        (f"ExecStart=/bin/x\nLoadCredential=key:{OWN}/web/privkey.pem", True),
        (f"ExecStart=/bin/x\nBindReadOnlyPaths={OWN}/web:/tls", False),
        (f"ExecStart=/bin/x\nBindReadOnlyPaths={OWN}/web/privkey.pem:/key", True),
        (f"ExecStart=/usr/bin/podman run -v {OWN}/web/privkey.pem:/key x", True),
    ],
)
def test_a_plain_unit_that_names(line: str, *, fixed: bool) -> None:
    (use,) = uses_of({"web.service": f"[Service]\n{line}\n"})
    number = 1 + next(
        n for n, one in enumerate(line.splitlines(), start=1) if "certificates/" in one
    )
    assert use == CertificateUse(
        name="web", fixed=fixed, own_place=True, path="web.service", line=number
    )


@pytest.mark.parametrize(
    ("path", "mount", "fixed"),
    [
        (f"{OWN}/web", "", False),
        (f"{OWN}/web/", "", False),
        (f"{OWN}/web/cert.pem", "", True),
        (f"{OWN}/web", ", subPath: cert.pem", True),
        ("/home/pi/tls", "", False),
    ],
)
def test_a_pod_of_kubernetes_that_mounts(path: str, mount: str, *, fixed: bool) -> None:
    yaml = (
        "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        f"  - {{image: x, volumeMounts: [{{name: tls, mountPath: /t{mount}}}]}}\n"
        f"  volumes:\n  - {{name: tls, hostPath: {{path: {path}}}}}\n"
    )
    reading = Reading(
        AppFiles(*from_texts("web", {**MINE, "p.yml": yaml, "web.kube": ""}, links={}))
    )
    printed = (
        f"---web.service---\n[Unit]\nSourcePath={STAGE}/web/web.kube\n[X-Kube]\nYaml=p.yml\n"
        f"[Service]\nExecStart=podman kube play {STAGE}/web/p.yml\n"
    )
    read_units(printed, {"web": reading}, PLACE)
    assert reading.findings == []
    (unit,) = reading.units
    name = "mine" if "tls" in path else "web"
    own = name == "web"
    use = CertificateUse(name=name, fixed=fixed, own_place=own, path="p.yml", line=7)
    assert unit.certificate_uses == (use,)


def test_podvisors_own_place_beside_its_directory_is_told_of() -> None:
    printed = f"ExecStart=podman run -v %h/tls/key.pem:/k -v {OWN}/mine:/t x"
    uses = of_container(f"Volume=%h/tls/key.pem:/k\nVolume={OWN}/mine:/t", printed)
    mine = CertificateUse(name="mine", fixed=True, own_place=True, path="web.container", line=4)
    assert uses == (mine,)


def of_template(line: str, *own: str, path: str = "web@.container", **more: str) -> Reading:
    """A template that mounts, as the generator prints it."""
    texts = {path: f"[Container]\nImage=x\nVolume={line}:/t\n", **more}
    reading = Reading(AppFiles(*from_texts("web", texts, links={})))
    printed = (
        f"---{path.removesuffix('.container')}.service---\n"
        f"[Unit]\nSourcePath={STAGE}/web/{path}\n[X-Container]\nVolume={line}:/t\n"
        f"[Service]\nExecStart=podman run -v {line}:/t x\n" + "\n".join(own)
    )
    read_units(printed, {"web": reading}, PLACE)
    return reading


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("%h/.local/share/podvisor/certificates/%i", "a.example"),
        (f"{OWN}/%i", "a.example"),
        (f"{OWN}/%p-%i", "web-a.example"),
        (f"{OWN}/%j.%I", "web.a.example"),
        ("%D/podvisor/certificates/%i", "a.example"),
        ("/srv/tls/%i", "mine"),
    ],
)
def test_a_template_uses_what_its_instance_names(line: str, name: str) -> None:
    more = {"mine.certificate": "[Certificate]\nDomain=a.org\nDirectory=/srv/tls/a.example\n"}
    reading = of_template(line, "[Install]\nDefaultInstance=a.example", **more)
    (unit,) = reading.units
    (use,) = unit.certificate_uses
    assert (use.name, use.instance, use.path, use.line) == (name, "a.example", "web@.container", 3)
    assert reading.findings == []


def test_an_instance_that_has_a_file_of_its_own() -> None:
    (unit,) = of_template(f"{OWN}/%i", path="web@a.example.container").units
    (use,) = unit.certificate_uses
    assert (use.name, use.instance, use.line) == ("a.example", "", 3)


def test_each_replica_has_its_own_and_what_all_have() -> None:
    reading = of_template(f"{OWN}/%i:/a -v {OWN}/all", "[X-Podvisor]\nReplicas=2")
    (unit,) = reading.units
    found = [[use.name for use in unit.under(name).certificate_uses] for name in unit.runtime_names]
    assert found == [["1", "all"], ["2", "all"]]
    assert [use.name for use in unit.certificate_uses] == ["1", "2", "all"]


def test_a_template_of_which_no_instance_is_known_is_told_of() -> None:
    reading = of_template(f"{OWN}/%i")
    (unit,), (finding,) = reading.units, reading.findings
    assert unit.certificate_uses == ()
    assert (finding.fatal, finding.line) == (False, 3)
    assert (
        finding.message == "names a certificate of each instance: it is not known which there are"
    )
    assert "DefaultInstance=" in finding.hint


@pytest.mark.parametrize(("within", "fixed"), [("", False), ("/..data", True)])
def test_a_volume_that_binds_the_folder(within: str, *, fixed: bool) -> None:
    text = f"[Volume]\nType=none\nOptions=bind\nDevice={OWN}/web{within}\n"
    reading = Reading(AppFiles(*from_texts("web", {"tls.volume": text}, links={})))
    printed = (
        f"---tls-volume.service---\n[Unit]\nSourcePath={STAGE}/web/tls.volume\n"
        f"[X-Volume]\nDevice={OWN}/web{within}\n[Service]\nExecStart=podman volume create --ignore"
        f" --opt type=none --opt o=bind --opt device={OWN}/web{within} systemd-tls\n"
    )
    read_units(printed, {"web": reading}, PLACE)
    (unit,) = reading.units
    assert unit.object_name == "systemd-tls"
    use = CertificateUse(name="web", fixed=fixed, own_place=True, path="tls.volume", line=4)
    assert unit.certificate_uses == (use,)
