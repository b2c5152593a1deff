"""What is understood of the output of real generators (golden/*.out, *.err; made by record.py)."""

from pathlib import Path

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.digest import digest
from supervisor.core.files.file_references import Place
from supervisor.core.files.kube import KubeError, read_kube
from supervisor.core.files.names import shapes_units
from supervisor.core.files.unitfile import parse
from supervisor.core.render.generator_errors import (
    is_staged,
    read_refusals,
    report_dependents,
    report_links,
    report_missing,
    report_twice,
)
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import divide, read_units
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.quadlet import QUADLETS, UnitKind
from supervisor.model.secret import SecretUse
from supervisor.model.source import FileKind
from tests.core.candidates import from_folder, from_texts
from tests.fakes.machine import app

GOLDEN = Path(__file__).parents[1] / "golden"
LIVE = "/home/pi/.config/containers/systemd/podvisor"
PLACE = Place(stage="/run/user/1000/podvisor/stage/1-1", live=LIVE, home="/home/pi")
VERSIONS = sorted(path.stem for path in GOLDEN.glob("*.out"))


def reading_of(texts: dict[str, str], links: dict[str, str] | None = None) -> Reading:
    return Reading(AppFiles(*from_texts("app", texts, links=links or {})))


def read_golden(version: str) -> dict[str, Reading]:
    readings = {
        folder.name: Reading(AppFiles(*from_folder(folder)))
        for folder in sorted((GOLDEN / "apps").iterdir())
    }
    for reading in readings.values():
        read_plain_units(reading, PLACE)
    read_units((GOLDEN / f"{version}.out").read_text(), readings, PLACE)
    read_refusals((GOLDEN / f"{version}.err").read_text(), readings, PLACE.stage)
    for reading in readings.values():
        report_links(reading)
        report_twice(reading)
        report_missing(reading)
    report_dependents(readings.values())
    return readings


@pytest.fixture(params=VERSIONS, scope="module")
def readings(request: pytest.FixtureRequest) -> dict[str, Reading]:
    return read_golden(request.param)


@pytest.fixture
def units(readings: dict[str, Reading]) -> dict[str, DesiredUnit]:
    return {unit.name: unit for name in ("blog", "mixed") for unit in readings[name].units}


def test_there_are_recordings_of_two_versions() -> None:
    assert VERSIONS == ["5.4.2", "5.8.6"]


def test_a_container_with_everything(units: dict[str, DesiredUnit]) -> None:
    web = units["web.service"]
    assert web.kind is UnitKind.CONTAINER
    assert web.path == "web.container"
    assert web.wanted_by == ("default.target", "special.target")
    assert web.requires == ("site-network.service", "data-volume.service")
    assert web.images == ("docker.io/library/nginx:2",), "the drop-in's Image= is the last"
    assert web.object_name == "systemd-web"
    assert web.secrets == ("dbpw",)
    assert not web.oneshot


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("web.service", ("conf", "env")),
        (
            "shop.service",
            ("config", "config/sub", "env", "mnt.txt", "more.env", "service.env", "token"),
        ),
        ("x.service", ("config",)),
        ("b1-build.service", ("Containerfile", "ctx")),
        ("b3-build.service", ()),
        ("deep-pod.service", ("config",)),
        ("k.service", ("k.yml",)),
        ("backup.service", ("service.env",)),
        ("n-network.service", ()),
    ],
)
def test_reads(units: dict[str, DesiredUnit], name: str, reads: tuple[str, ...]) -> None:
    assert units[name].reads == reads


def test_a_build_of_the_whole_folder_reads_all_of_it(units: dict[str, DesiredUnit]) -> None:
    assert {"conf", "web.container", "web.container.d"} <= set(units["img-build.service"].reads)


def test_builds_run_where_the_app_is_installed(units: dict[str, DesiredUnit]) -> None:
    build = units["b1-build.service"]
    assert build.object_name == "localhost/x:1"
    assert build.build_folder == f"{LIVE}/mixed"
    assert build.build_command[1:] == (
        *("build", "--tag", "localhost/x:1", "--file", "./Containerfile", "./ctx"),
    )
    assert units["img-build.service"].build_command[-1] == f"{LIVE}/blog"


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("i-image.service", ("docker.io/foo/baz",)),
        ("iv-volume.service", ("docker.io/x/iv:1",)),
        ("t@.service", ()),
        ("database.service", ()),
        ("x.service", ()),
        (
            "k.service",
            (
                "docker.io/library/caddy:2",
                "docker.io/library/alpine:3",
                "docker.io/library/postgres:16",
            ),
        ),
    ],
)
def test_images(units: dict[str, DesiredUnit], name: str, images: tuple[str, ...]) -> None:
    assert units[name].images == images


@pytest.mark.parametrize(
    ("name", "object_name"),
    [
        ("site-network.service", "systemd-site"),
        ("n-network.service", "nnn"),
        ("data-volume.service", "systemd-data"),
        ("iv-volume.service", "fancy"),
        ("p-pod.service", "systemd-p"),
        ("deep-pod.service", "ppp"),
        ("database.service", "db"),
        ("t@two.service", "systemd-t_two"),
        ("t@.service", "systemd-t_%i"),
        ("k.service", ""),
        ("i-image.service", ""),
    ],
)
def test_object_names(units: dict[str, DesiredUnit], name: str, object_name: str) -> None:
    assert units[name].object_name == object_name


def test_templates_and_their_linked_instances(units: dict[str, DesiredUnit]) -> None:
    assert units["t@.service"].instances == ("one",)
    assert units["t@two.service"].instances == ()
    assert units["t@two.service"].path == "t@two.container"


def test_oneshots(units: dict[str, DesiredUnit]) -> None:
    assert units["database.service"].oneshot
    assert units["database.service"].remain_after_exit
    assert units["img-build.service"].oneshot
    assert not units["img-build.service"].remain_after_exit


def test_prune_is_read_whatever_its_case(readings: dict[str, Reading]) -> None:
    assert readings["blog"].options.prune_volumes
    assert not readings["mixed"].options.prune_volumes


def texts_of(reading: Reading, *, fatal: bool) -> list[str]:
    return [str(finding) for finding in reading.findings if finding.fatal is fatal]


def test_what_is_only_worth_knowing_refuses_nothing(readings: dict[str, Reading]) -> None:
    assert not readings["blog"].refused
    assert not readings["mixed"].refused
    blog = " ".join(texts_of(readings["blog"], fatal=False))
    assert "apps/blog/web.container:12: prune= has no meaning" in blog
    assert "did you mean Prune=" in blog
    assert "apps/blog/web.container:8: reads file, which the source does not hold" in blog
    assert "file" in {finding.absent for finding in readings["blog"].findings}
    assert "unseen" not in blog, "a file with a dash before it may be absent"
    mixed = " ".join(texts_of(readings["mixed"], fatal=False))
    assert "apps/mixed/shop.container:10: mounts absent-data" in mixed
    assert f"make {LIVE}/mixed/absent-data by hand" in mixed
    assert "put it into the source" in mixed
    assert "apps/mixed/shop.container:13: reads absent.env" in mixed
    assert 'apps/mixed/short.container:2: specifies the image "foo"' in mixed


@pytest.mark.parametrize(
    ("app", "place", "words"),
    [
        ("key", "key.container:3", "unsupported key 'Bogus' in group 'Container' in key.container"),
        ("net", "net.container:4", "requested Quadlet unit gone.network was not found"),
        ("vol", "vol.container:3", "requested Quadlet source gone.volume was not found"),
        ("pod", "inthepod.container:3", "quadlet pod unit gone.pod does not exist"),
        ("img", "imaged.container:2", "requested Quadlet image gone.image was not found"),
        ("noimage", "noimage.container", "no Image or Rootfs key specified"),
        ("port", "port.container:4", "invalid port format 'abc'"),
        ("kill", "kill.container:4", "invalid KillMode 'none'"),
        ("garbage", "garbage.container:3", "“…” which is not a key-value pair"),
        ("nogroup", "nogroup.container:3", "key file does not start with a group"),
        ("dropkey", "dropkey.container.d/5.conf:3", "unsupported key 'Foo' in group 'Container'"),
        ("dropgarbage", "dropgarbage.container.d/5.conf:1", "“…” which is not"),
        ("build", "nofile.build:3", "relative path in File key requires SetWorkingDirectory key"),
        ("half", "half.container:3", "unsupported key 'Nope'"),
    ],
)
def test_refusals_in_the_generators_words(
    readings: dict[str, Reading], app: str, place: str, words: str
) -> None:
    (text,) = texts_of(readings[app], fatal=True)
    assert text.startswith(f"apps/{app}/{place}: ")
    assert words in text
    assert PLACE.stage not in text


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("data@%i", "Volume=data-%i:/path gives each replica a volume of its own"),
        ("data-%i", "Volume=data-%i:/path gives each replica a volume of its own"),
        ("%p-%i", "Volume=%p-%i:/path gives each replica a volume of its own"),
        ("%p", ""),
        ("gone", ""),
    ],
)
def test_volumes_of_replicas_that_are_asked_for_by_file(source: str, hint: str) -> None:
    text = f"[Container]\nImage=x\nVolume={source}.volume:/data\n"
    readings = {"app": reading_of({"web@.container": text, "data@.volume": "[Volume]\n"})}
    words = f'converting "web@.container": requested Quadlet source {source}.volume was not found'
    read_refusals(words, readings, PLACE.stage)
    (finding,) = readings["app"].findings
    assert finding.fatal
    assert str(finding).startswith("apps/app/web@.container:3: requested Quadlet source")
    assert hint in finding.hint
    assert bool(finding.hint) == bool(hint)


@pytest.mark.parametrize(
    ("key", "meant"),
    [("Exce", "Exec"), ("PublishPorts", "PublishPort"), ("Environmnet", "Environment"), ("Q", "")],
)
def test_a_key_that_podman_does_not_know_is_told_with_the_nearest(key: str, meant: str) -> None:
    readings = {"app": reading_of({"web.container": f"[Container]\nImage=x\n{key}=y\n"})}
    words = f"unsupported key '{key}' in group 'Container' in {PLACE.stage}/app/web.container"
    read_refusals(f'converting "web.container": {words}', readings, PLACE.stage)
    (finding,) = readings["app"].findings
    said = f"did you mean {meant}=? " if meant else ""
    assert finding.hint == f"{said}Podman names no more than the first mistake of a file"
    assert finding.line == 3


@pytest.mark.parametrize(
    ("encoding", "hint"),
    [("utf-8-sig", "(BOM)"), ("utf-16", "it is UTF-16"), ("utf-8", "a line is KEY=value")],
)
def test_what_an_editor_has_saved_in_another_encoding_is_told_of_it(
    encoding: str, hint: str
) -> None:
    app, contents = from_texts("app", {"web.container": "[Container]\n"})
    mine = {oid: text.decode().encode(encoding) for oid, text in contents.items()}
    readings = {"app": Reading(AppFiles(app, mine))}
    words = "file contains line 1: “x” which is not a key-value pair, group, or comment"
    read_refusals(f'converting "web.container": {words}', readings, PLACE.stage)
    (finding,) = readings["app"].findings
    assert hint in finding.hint
    assert bool(finding.hint) == bool(hint)


def test_paths_that_leave_the_app_are_refused_by_line(readings: dict[str, Reading]) -> None:
    texts = texts_of(readings["leaves"], fatal=True)
    assert [text.partition(": ")[0] for text in texts] == [
        "apps/leaves/containers/systemd/l.container:4",
        "apps/leaves/containers/systemd/l.container:5",
    ]
    assert "cannot use ../../../mixed/config: " in texts[0]


def test_who_needs_a_refused_app_is_told(readings: dict[str, Reading]) -> None:
    assert not readings["uses"].refused
    (text,) = texts_of(readings["uses"], fatal=False)
    assert "needs beside2-network.service of app half, which is refused" in text


def test_a_file_that_became_no_unit_refuses_its_app() -> None:
    reading = reading_of({"a.container": "[Container]\nImage=x\n"})
    report_missing(reading)
    assert reading.refused


def test_a_kind_that_this_generator_does_not_know_is_named() -> None:
    reading = reading_of({"a.artifact": "[Artifact]\nArtifact=x\n"})
    report_missing(reading)
    (finding,) = reading.findings
    assert finding.fatal
    assert "knows .artifact files from 5.7 on" in finding.hint


ARTIFACT = f"""---model-artifact.service---
[X-Artifact]
Artifact=localhost:5000/art:1
[Unit]
SourcePath={PLACE.stage}/app/model.artifact
[Service]
ExecStart=/usr/bin/podman artifact pull localhost:5000/art:1
Type=oneshot
RemainAfterExit=yes
---web.service---
[X-Container]
Image=localhost/x:1
[Unit]
SourcePath={PLACE.stage}/app/web.container
Requires=model-artifact.service
[Service]
ExecStart=/usr/bin/podman run --mount type=artifact,source=localhost:5000/art:1 localhost/x:1
"""


def test_an_artifact_is_a_unit_like_others() -> None:
    """As Podman 5.8.6 prints it."""
    texts = {"model.artifact": "[Artifact]\n", "web.container": "[Container]\n"}
    reading = reading_of(texts)
    read_units(ARTIFACT, {"app": reading}, PLACE)
    report_missing(reading)
    assert not reading.findings
    units = {unit.name: unit for unit in reading.units}
    artifact = units["model-artifact.service"]
    assert (artifact.kind, artifact.oneshot) == (UnitKind.ARTIFACT, True)
    assert "model-artifact.service" in units["web.service"].requires


@pytest.mark.parametrize("suffix", QUADLETS)
def test_every_kind_of_quadlet_file_is_known_everywhere(suffix: str) -> None:
    path = f"a{suffix}"
    assert shapes_units(path)
    assert is_staged(path, FileKind.FILE)
    quadlet = QUADLETS[suffix]
    text = f"---a.service---\n[X-{quadlet.section}]\n[Unit]\nSourcePath={PLACE.stage}/app/{path}\n"
    reading = reading_of({path: ""})
    read_units(text, {"app": reading}, PLACE)
    assert [unit.kind for unit in reading.units] == [quadlet.kind]


def test_two_files_or_units_of_one_name_are_refused(readings: dict[str, Reading]) -> None:
    reading = reading_of({"a.network": "[Network]\n", "b/a.network": "[Network]\n"})
    report_twice(reading)
    assert [finding.path for finding in reading.findings] == ["apps/app/b/a.network"]
    (unit, *_) = readings["blog"].units
    reading = reading_of({})
    reading.units = [unit, DesiredUnit(name=unit.name, kind=unit.kind, path="other", digest="")]
    report_twice(reading)
    assert reading.refused


@pytest.mark.parametrize("alias", ["b.service", "c@1.service", "x.service"])
def test_an_alias_is_the_name_of_one_unit_alone(alias: str) -> None:
    reading = reading_of(
        {
            "a.service": f"[Service]\n[Install]\nAlias=a.service {alias}\n",
            "b.service": "[Service]\n[Install]\nAlias=x.service\n",
            "c@.service": "[Service]\n[Install]\nDefaultInstance=1\n",
        }
    )
    read_plain_units(reading, PLACE)
    report_twice(reading)
    assert reading.units[0].aliases == (alias,)
    (finding,) = reading.findings
    assert finding.fatal
    assert f"Alias={alias} is the name of what comes out of" in finding.message


def test_two_units_of_one_container_name() -> None:
    reading = reading_of({"a.container": "", "b.container": "", "b.volume": ""})
    reading.units = [
        DesiredUnit(name=name, kind=kind, path=path, digest="", object_name="web")
        for name, kind, path in (
            ("a.service", UnitKind.CONTAINER, "a.container"),
            ("b.service", UnitKind.CONTAINER, "b.container"),
            ("b-volume.service", UnitKind.VOLUME, "b.volume"),
        )
    ]
    report_twice(reading)
    (finding,) = reading.findings
    assert finding.path == "apps/app/b.container"
    assert finding.message == "a.container makes a container named web as well"


def test_links_that_leave_the_app_are_refused() -> None:
    reading = reading_of({"a": ""}, {"in": "a", "out": "../x", "round": "round", "deep/up": "../a"})
    report_links(reading)
    assert {finding.path for finding in reading.findings} == {"apps/app/out", "apps/app/round"}


def test_what_lies_behind_a_link_is_read_too() -> None:
    reading = reading_of(
        {"real/conf": "x", "a.container": "[Container]\n"}, {"conf": "real/conf", "dir": "real"}
    )
    text = (
        "---a.service---\n[X-Container]\nVolume=./conf:/c\n[Unit]\n"
        f"SourcePath={PLACE.stage}/app/a.container\n[Service]\n"
        f"ExecStart=/usr/bin/podman run --name a -v {PLACE.stage}/app/conf:/c:ro"
        f" -v {PLACE.stage}/app/dir/conf:/d image\n"
    )
    read_units(text, {"app": reading}, PLACE)
    assert reading.units[0].reads == ("conf", "dir/conf", "real/conf")
    assert reading.findings == []


def test_drop_ins_of_the_service_count() -> None:
    text = f"---a.service---\n[X-Container]\n[Unit]\nSourcePath={PLACE.stage}/app/a.container\n"
    files = {"a.container": "[Container]\n"}
    drop_in = (
        "[Unit]\nRequires=b.service\n[Service]\nType=oneshot\n"
        "EnvironmentFile=%h/.config/containers/systemd/podvisor/app/env\n"
    )
    readings = [reading_of(files), reading_of(files | {"a.service.d/1.conf": drop_in, "env": ""})]
    for reading in readings:
        read_units(text, {"app": reading}, PLACE)
    bare, whole = (reading.units[0] for reading in readings)
    assert bare.digest != whole.digest
    assert (whole.oneshot, whole.requires, whole.reads) == (True, ("b.service",), ("env",))
    assert whole.kind is UnitKind.CONTAINER


@pytest.fixture
def digests() -> dict[str, dict[str, str]]:
    return {
        version: {
            name: digest(parse(text), stage=PLACE.stage, live=LIVE)
            for name, text in divide((GOLDEN / f"{version}.out").read_text())
        }
        for version in VERSIONS
    }


def test_digests_do_not_depend_on_the_order_of_keys(digests: dict[str, dict[str, str]]) -> None:
    old, new = digests["5.4.2"], digests["5.8.6"]
    # 5.8 writes RequiresMountsFor= elsewhere; what it changed of containers is really different.
    assert old["img-build.service"] == new["img-build.service"]
    assert old["k.service"] == new["k.service"]
    assert old["web.service"] != new["web.service"]


def test_digests_do_not_depend_on_the_stage_nor_on_comments() -> None:
    one = "[Unit]\nSourcePath=/s/1/a/x\n# c\nAfter=b a\n[Service]\nB=/s/1/a/y\nA=1\nA=2\n"
    other = "[Service]\nA=1\nA=2\nB=/s/2/a/y\n[Unit]\nAfter=a\nAfter=b\n[X-Container]\nImage=z\n"
    assert digest(parse(one), stage="/s/1", live="/l") == digest(
        parse(other), stage="/s/2", live="/l"
    )


@pytest.mark.parametrize(
    "changed", ["[Service]\nA=2\nA=1\n", "[Service]\nA=1\n", "[Unit]\nA=1\nA=2\n"]
)
def test_digests_differ_where_systemd_would_do_something_else(changed: str) -> None:
    assert digest(parse("[Service]\nA=1\nA=2\n")) != digest(parse(changed))


def test_plain_units_with_drop_ins() -> None:
    reading = reading_of(
        {
            "a.service": "[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=default.target\n",
            "a.service.d/1.conf": "[Service]\nType=oneshot\n[Unit]\nRequires=b.service\n",
            "b.service": "[Unit]\nDescription=no section\n",
            "c.timer": "[Timer]\nnonsense\n",
            "d@.service": "[Service]\n[Install]\nDefaultInstance=x\nWantedBy=a.target\n",
        }
    )
    read_plain_units(reading, PLACE)
    a, _, _, d = reading.units
    assert (a.oneshot, a.requires, a.wanted_by) == (True, ("b.service",), ("default.target",))
    assert d.instances == ("x",)
    assert [(f.path, f.line, f.fatal) for f in reading.findings] == [
        ("apps/app/b.service", 0, True),
        ("apps/app/c.timer", 2, False),
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("source cannot be empty", 4),
        ("pod x is not Quadlet based", 6),
        ("invalid Group set without User", 7),
        ("something else went wrong", 0),
    ],
)
def test_the_line_of_what_podman_refuses_without_naming_its_key(words: str, line: int) -> None:
    text = """[Container]
Mount=type=bind,source=/a,destination=/b
Mount=type=tmpfs,destination=/c
Mount=type=volume,destination=/d
Image=x
Pod=x
Group=1
"""
    reading = reading_of({"a.container": text})
    read_refusals(f'converting "a.container": {words}', {"app": reading}, PLACE.stage)
    (finding,) = reading.findings
    assert (finding.path, finding.line) == ("apps/app/a.container", line)


def test_kube_with_a_bad_file_is_refused_with_its_line() -> None:
    reading = reading_of({"k.kube": "[Kube]\nYaml=k.yml\n", "k.yml": "a:\n  - b\n c: [\n"})
    text = f"---k.service---\n[X-Kube]\nYaml=k.yml\n[Unit]\nSourcePath={PLACE.stage}/app/k.kube\n"
    read_units(text, {"app": reading}, PLACE)
    (finding,) = reading.findings
    assert (finding.path, finding.line, finding.fatal) == ("apps/app/k.yml", 3, True)


def test_host_paths_of_kube_are_reads_where_they_are_the_apps() -> None:
    needs = read_kube("spec: {volumes: [{hostPath: {path: ./data}}, {hostPath: 1}, x]}")
    assert needs.host_paths == ("./data",)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        "- " * 2_000 + "a",
        "a: &a [" + "x, " * 60_000 + "]",
        "x" * (2 << 20),
        "%YAML 9\n---\n",
        "a: b: c",
        "\0",
    ],
)
def test_hostile_yaml_is_refused(text: str) -> None:
    with pytest.raises(KubeError):
        read_kube(text)


def test_aliases_cost_nothing() -> None:
    bomb = "a0: &a0 {containers: [{image: x}]}\n" + "".join(
        f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}]\n"
        for n in range(60)
    )
    assert read_kube(bomb).images == ("x",)


def test_odd_but_harmless_yaml() -> None:
    assert read_kube("").images == ()
    assert read_kube("? [a, b]\n: c\n? {x: y}\n: {containers: [{image: i}]}\n").images == ("i",)
    assert read_kube("!!python/object:os.system {containers: [1, {image: 2}]}").images == ("2",)
    assert read_kube("a: *nowhere\n").images == ()


def test_pods_of_kubernetes_yaml_are_known_by_podmans_names() -> None:
    text = "".join(
        f"---\nkind: {kind}\nmetadata: {{name: {name}}}\n"
        for kind, name in (("Pod", "a"), ("Deployment", "b"), ("Service", "c"), ("Pod", "[1]"))
    )
    assert read_kube(text).pods == ("a", "b-pod")
    reading = reading_of({"k.kube": "[Kube]\nYaml=k.yml\n", "k.yml": text})
    made = f"---k.service---\n[X-Kube]\nYaml=k.yml\n[Unit]\nSourcePath={PLACE.stage}/app/k.kube\n"
    read_units(made, {"app": reading}, PLACE)
    assert reading.units[0].pods == ("a", "b-pod")


def test_secrets_of_kubernetes_yaml() -> None:
    needs = read_kube(
        "kind: Secret\nmetadata: {name: own}\n---\n"
        "spec: {containers: [{env: [{valueFrom: {secretKeyRef: {name: a, key: k}}},"
        " {valueFrom: {secretKeyRef: {name: maybe, key: k, optional: true}}}],"
        " envFrom: [{secretRef: {name: own}}]}],"
        " volumes: [{name: v, secret: {secretName: b}}, {secret: x}]}\n"
    )
    assert needs.secrets == ("a", "own", "b")
    assert needs.defines == ("own",)


def test_secrets_of_kube_are_those_that_no_file_makes_which_is_played() -> None:
    uses = "spec:\n  volumes:\n  - secret: {secretName: tls}\n  - secret: {secretName: made}\n"
    files = {
        "k.kube": "[Kube]\nYaml=k.yml\n",
        "k.yml": uses,
        "deep/other.kube": "[Kube]\nYaml=../more.yaml\n",
        "more.yaml": "kind: Secret\nmetadata: {name: made}\n",
        "unplayed.yaml": "kind: Secret\nmetadata: {name: tls}\n",
        "bad.yaml": "a: [",
    }
    reading = reading_of(files)
    text = f"---k.service---\n[X-Kube]\nYaml=k.yml\n[Unit]\nSourcePath={PLACE.stage}/app/k.kube\n"
    read_units(text, {"app": reading}, PLACE)
    (unit,) = reading.units
    assert unit.secrets == ("tls",)
    assert unit.secret_uses == (SecretUse("tls", "k.yml", 3),)


def test_networks_that_are_used_by_their_names() -> None:
    lines = "Network=n.network\nNetwork=%p-net:ip=10.0.0.1\nNetwork=other.container\n"
    reading = reading_of({"web.container": f"[Container]\nImage=x\n{lines}"})
    text = (
        f"---web.service---\n[X-Container]\n{lines}[Unit]\n"
        f"SourcePath={PLACE.stage}/app/web.container\n"
    )
    read_units(text, {"app": reading}, PLACE)
    assert reading.units[0].networks == ("web-net",)


@pytest.mark.parametrize(
    "value",
    [
        *("host", "none", "private", "bridge:ip=10.0.0.1", "pasta:-t,auto", "slirp4netns:mtu=1500"),
        *("container:db", "ns:/run/netns/x"),
    ],
)
def test_podmans_words_are_no_networks(value: str) -> None:
    reading = reading_of({"web.container": f"[Container]\nImage=x\nNetwork={value}\n"})
    text = (
        f"---web.service---\n[X-Container]\nNetwork={value}\n[Unit]\n"
        f"SourcePath={PLACE.stage}/app/web.container\n"
    )
    read_units(text, {"app": reading}, PLACE)
    assert not reading.units[0].networks
    assert not app("web", *reading.units).looks_beyond


def test_secrets_of_a_container_with_their_lines() -> None:
    files = {
        "web@.container": "[Container]\nImage=x\nSecret=%p-key,type=env\nSecret=%i-pass\n",
        "web@.container.d/more.conf": "[Container]\nSecret=more\nSecret=$ODD\n",
    }
    reading = reading_of(files)
    lines = "Secret=%p-key,type=env\nSecret=%i-pass\nSecret=more\nSecret=$ODD\n"
    text = (
        f"---web@.service---\n[X-Container]\n{lines}[Unit]\n"
        f"SourcePath={PLACE.stage}/app/web@.container\n[Install]\nDefaultInstance=a\n"
    )
    read_units(text, {"app": reading}, PLACE)
    (unit,) = reading.units
    assert unit.secret_uses == (
        SecretUse("web-key", "web@.container", 3),
        SecretUse("a-pass", "web@.container", 4),
        SecretUse("more", "web@.container.d/more.conf", 2),
    )


@pytest.mark.parametrize(
    ("options", "driver", "file"),
    [
        ("", "", ""),
        ("--log-driver journald", "", ""),
        ("--log-driver k8s-file", "k8s-file", ""),
        ("--log-driver=none", "none", ""),
        (
            "--log-driver k8s-file --log-opt path=/srv/x.log --log-opt tag=x",
            "k8s-file",
            "/srv/x.log",
        ),
    ],
)
def test_where_what_a_container_writes_goes(options: str, driver: str, file: str) -> None:
    reading = reading_of({"web.container": "[Container]\nImage=x"})
    text = f"[Unit]\nSourcePath={PLACE.stage}/app/web.container\n[X-Container]\n[Service]\n"
    read_units(
        f"---web.service---\n{text}ExecStart=podman run {options} x", {"app": reading}, PLACE
    )
    (unit,) = reading.units
    assert (unit.log_driver, unit.log_file) == (driver, file)


@pytest.mark.parametrize(("options", "waits"), [("--sdnotify=healthy", True), ("", False)])
def test_whether_a_start_ends_with_the_first_good_check(options: str, *, waits: bool) -> None:
    reading = reading_of({"web.container": "[Container]\nImage=x"})
    text = f"[Unit]\nSourcePath={PLACE.stage}/app/web.container\n[X-Container]\n[Service]\n"
    read_units(
        f"---web.service---\n{text}ExecStart=podman run {options} x", {"app": reading}, PLACE
    )
    (unit,) = reading.units
    assert unit.up_once_healthy is waits


@pytest.mark.parametrize(
    ("options", "retries"),
    [
        ("--health-startup-cmd true --health-startup-retries 3", 3),
        ("--health-startup-cmd true --health-startup-retries=3", 3),
        ("--health-startup-cmd true", 0),
        ("--health-startup-retries 3", 0),
        ("--health-startup-cmd true --health-startup-retries many", 0),
        (f"--health-startup-cmd true --health-startup-retries {'9' * 5000}", 0),
    ],
)
def test_after_how_many_bad_startup_checks_podman_ends_it(options: str, retries: int) -> None:
    reading = reading_of({"web.container": "[Container]\nImage=x"})
    text = f"[Unit]\nSourcePath={PLACE.stage}/app/web.container\n[X-Container]\n[Service]\n"
    read_units(
        f"---web.service---\n{text}ExecStart=podman run {options} x", {"app": reading}, PLACE
    )
    (unit,) = reading.units
    assert unit.startup_retries == retries
