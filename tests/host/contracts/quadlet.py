"""The Generator port against a real Podman; run inside a host as a user (test_contract_quadlet)."""
# A plain program, without pytest's help:
# ruff: noqa: ASYNC221, ASYNC240, T201

import hashlib
import os
import re
import subprocess
from pathlib import Path

import uvloop

from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.quadlet.runner import Runner
from supervisor.core.files.digest import digest
from supervisor.core.files.unitfile import parse
from supervisor.model import quadlet
from supervisor.model.app import Candidate
from supervisor.model.source import FileKind, TreeFile

QUADLETS = Path.home() / ".config/containers/systemd"
STAGE = Path(os.environ["XDG_RUNTIME_DIR"], "podvisor", "stage")
CERTIFICATES = Path.home() / ".local/share/podvisor/certificates"
GENERATED = Path(os.environ["XDG_RUNTIME_DIR"], "systemd", "generator")

GOOD = {
    "web.container": "[Container]\nImage=localhost/podvisor-test:1\nVolume=./conf:/conf:ro\n"
    "Network=site.network\nVolume=data.volume:/data\nEnvironmentFile=./env\nPod=all.pod\n"
    "Volume=%h/.local/share/podvisor/certificates/web:/tls:ro\n"
    "Mount=type=bind,src=%h/.local/share/podvisor/certificates/one/cert.pem,target=/c\n"
    "[Install]\nWantedBy=default.target\n",
    "web.container.d/10.conf": "[Container]\nEnvironment='A=b c'\n",
    "one@.container": "[Container]\nImage=localhost/podvisor-test:1\nExec=echo %i\n"
    "Volume=%h/.local/share/podvisor/certificates/%i:/tls:ro\n"
    "[Install]\nWantedBy=default.target\nDefaultInstance=a\n",
    "tls.volume": "[Volume]\nType=none\nOptions=bind\n"
    "Device=%h/.local/share/podvisor/certificates/web\n",
    "site.network": "[Network]\n",
    "data.volume": "[Volume]\n",
    "all.pod": "[Pod]\nVolume=./conf:/conf\nVolume=%h/tls:/tls:ro\n",
    "mine.certificate": "[Certificate]\nDomain=a.org\nDirectory=%h/tls\n",
    "img.build": "[Build]\nImageTag=localhost/made:1\nSetWorkingDirectory=unit\n",
    "play.kube": "[Kube]\nYaml=./play.yml\n",
    "play.yml": "spec: {containers: [{image: localhost/podvisor-test:2}],"
    f" volumes: [{{name: t, hostPath: {{path: {CERTIFICATES}/web}}}}]}}\n",
    "Containerfile": "FROM scratch\n",
    "conf/a": "a\n",
    "env": "A=1\n",
    "tick.timer": "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n",
    "tick.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}
LINKS = {"one@b.container": "one@.container"}
BAD = {"bad.container": "[Container]\nImage=localhost/x:1\nBogus=1\n", "bad.network": "[Network]\n"}
USES = {"uses.container": "[Container]\nImage=localhost/x:1\nNetwork=bad.network\n"}
LOST = {"lost.container": "[Container]\nImage=localhost/x:1\n\nNetwork=nowhere.network\n"}
OWN = {"own.container": "[Container]\nImage=localhost/x:1\nNetwork=mine.network\n"}
TWICE = {"web.container": "[Container]\nImage=localhost/x:1\n"}

SMALLEST = {
    "container": "Image=localhost/x:1",
    "image": "Image=localhost/x:1",
    "artifact": "Artifact=localhost/x:1",
    "build": "ImageTag=localhost/x:1\nSetWorkingDirectory=unit",
    "kube": "Yaml=./play.yml",
}

contents: dict[str, bytes] = {}


def app(name: str, texts: dict[str, str], links: dict[str, str] | None = None) -> Candidate:
    files = []
    for kind, group in ((FileKind.FILE, texts), (FileKind.SYMLINK, links or {})):
        for path, text in group.items():
            oid = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # as Git has it
            contents[oid] = text.encode()
            files.append(TreeFile(path, oid, kind, len(text)))
    return Candidate(name=name, source="s", revision="r", root=name, files=tuple(sorted(files)))


def install(candidate: Candidate) -> None:
    for file in candidate.files:
        path = QUADLETS / "podvisor" / candidate.name / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.kind is FileKind.SYMLINK:
            path.unlink(missing_ok=True)
            path.symlink_to(contents[file.oid].decode())
        else:
            path.write_bytes(contents[file.oid])


async def one_of_each_kind(generator: QuadletGenerator) -> None:
    """The table of kinds says what Podman's generator makes of each."""
    version = tuple(map(int, re.findall(r"\d+", await generator.version())[:2]))
    rows = {
        f"x{row.kind}{suffix}": row
        for suffix, row in quadlet.QUADLETS.items()
        if tuple(map(int, (row.since or "0").split("."))) <= version
    }
    texts = {name: f"[{row.section}]\n{SMALLEST.get(row.kind, '')}\n" for name, row in rows.items()}
    kinds = app("kinds", texts | {"play.yml": GOOD["play.yml"], "Containerfile": "FROM scratch\n"})
    answer = await generator.generate([kinds], contents=contents)
    made = {unit.path: (unit.name, unit.kind) for unit in answer.units["kinds"]}
    assert made == {
        name: (f"x{row.kind}{row.service}.service", row.kind) for name, row in rows.items()
    }, answer
    install(kinds)
    subprocess.run(["systemctl", "--user", "daemon-reload"], check=True)
    for name, row in rows.items():
        text = (GENERATED / made[name][0]).read_text()
        assert f"\n[X-{row.section}]\n" in f"\n{text}", text
        assert re.search(rf"(?m)^{row.command_key}=\S*podman .*\b{row.command}\b", text), text


async def main() -> None:
    QUADLETS.mkdir(parents=True, exist_ok=True)
    (QUADLETS / "mine.network").write_text("[Network]\n")
    (QUADLETS / "broken.container").write_text("[Container]\nNonsense=1\n")
    runner = Runner(stage=STAGE, quadlets=QUADLETS)
    generator = QuadletGenerator(runner, certificates=CERTIFICATES)
    print(await generator.version())

    good = app("good", GOOD, LINKS)
    apps = [
        *(good, app("bad", BAD), app("uses", USES), app("lost", LOST)),
        *(app("own", OWN), app("twice", TWICE)),
    ]
    answer = await generator.generate(apps, contents=contents)
    assert sorted(answer.units) == ["good", "own", "twice", "uses"], answer.findings
    said = {name: [str(one) for one in found] for name, found in answer.findings.items()}
    print(said)
    (bad,) = said["bad"]
    assert bad.startswith("bad/bad.container:3: unsupported key 'Bogus' in group 'Container'")
    assert said["lost"] == [
        "lost/lost.container:4: requested Quadlet unit nowhere.network was not found"
    ]
    assert "bad-network.service of app bad, which is refused" in said["uses"][0]
    assert list(STAGE.iterdir()) == []
    units = {unit.name: unit for unit in answer.units["good"]}
    assert set(units) == {
        *("web.service", "one@.service", "one@b.service", "site-network.service"),
        *(
            "data-volume.service",
            "tls-volume.service",
            "all-pod.service",
            "img-build.service",
            "play.service",
        ),
        *("tick.timer", "tick.service"),
    }, sorted(units)
    assert units["web.service"].reads == ("conf", "env")
    assert units["play.service"].images == ("localhost/podvisor-test:2",)
    assert units["one@.service"].instances == ("a",)
    uses = {
        name: [(use.name, use.fixed, use.path, use.line) for use in unit.certificate_uses]
        for name, unit in units.items()
        if unit.certificate_uses
    }
    assert uses == {
        "web.service": [("one", True, "web.container", 9), ("web", False, "web.container", 8)],
        "one@.service": [("a", False, "one@.container", 4)],
        "one@b.service": [("b", False, "one@b.container", 4)],
        "tls-volume.service": [("web", False, "tls.volume", 4)],
        "all-pod.service": [("mine", False, "all.pod", 3)],
        "play.service": [("web", False, "play.yml", 1)],
    }, uses

    await one_of_each_kind(generator)

    # what was staged is what systemd gets: the digests agree
    install(good)
    subprocess.run(["systemctl", "--user", "daemon-reload"], check=True)
    for name, unit in units.items():
        if not name.startswith("tick"):
            text = (GENERATED / name).read_text()
            pod = (("Unit", "Wants"), ("Unit", "Before")) if name == "all-pod.service" else ()
            assert digest(parse(text), leave_out=pod) == unit.digest, f"{name}: {text}"

    # installed apps are looked at where they are staged, not twice
    again = await generator.generate([good], contents=contents)
    assert again.units["good"] == answer.units["good"]
    assert again.findings == {}


uvloop.run(main())  # as the daemon does
