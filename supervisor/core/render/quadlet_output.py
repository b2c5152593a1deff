"""From the output of Podman's generator to desired units.

Its text carries everything that is needed (the merged Quadlet sections as [X-Container] and so on,
[X-Podvisor], SourcePath=, [Install]), so Quadlet files are never interpreted here.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.digest import digest
from supervisor.core.files.file_references import Place, Reads
from supervisor.core.files.kube import KubeError, read_kube
from supervisor.core.files.mounts import named_volumes, writable_mounts
from supervisor.core.files.published_ports import parse_publish
from supervisor.core.files.unitfile import (
    Entry,
    UnitFile,
    expand,
    merge,
    parse,
    specifiers,
    split_words,
)
from supervisor.core.images.reference import OTHER_TRANSPORTS, built_name
from supervisor.core.render.image_rules import (
    ImageAsk,
    give_image_rules,
    read_image_ask,
    report_played,
)
from supervisor.core.render.reading import Reading, instance_specifiers, instances
from supervisor.core.render.replicas import of_one
from supervisor.core.render.x_podvisor import read_own_section
from supervisor.kit.texts import parse_duration
from supervisor.model.app import PerInstance
from supervisor.model.published_port import PublishedPort
from supervisor.model.quadlet import GENERATED, OWNED, QUADLETS, RUNNING, UnitKind
from supervisor.model.secret import SecretUse
from supervisor.model.unit_name import instance_of

_HEADER = re.compile(r"^---(\S.*)---$", re.MULTILINE)
_IMAGE_FILES = tuple(suffix for suffix, row in QUADLETS.items() if row.makes == "image")
_PODMANS_INTERVAL = "30s"
_DIGITS = 10
"""No number of tries has as many."""
_SAMPLE = "1907070707"
"""An instance's name that is in no name by chance, to find again where it was put."""
_NETWORK_MODES = frozenset(
    ("bridge", "container", "host", "none", "ns", "pasta", "private", "slirp4netns")
)
"""Values of `podman run --network` that are no network's name."""


def divide(output: str) -> Iterator[tuple[str, str]]:
    """Split the generator's output into units: name and text."""
    parts = _HEADER.split(output)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def read_units(output: str, readings: Mapping[str, Reading], place: Place) -> None:
    """Add each unit of the output to the reading of its app; others' units are passed over."""
    asks: dict[str, list[ImageAsk]] = {}
    for name, text in divide(output):
        unit = parse(text)
        source = unit.last("Unit", "SourcePath")
        app, _, path = source.removeprefix(f"{place.stage}/").partition("/")
        if app in readings and path:
            ask = _read_unit(name, unit, path, readings[app], place)
            asks.setdefault(app, []).extend([ask] if ask else [])
    for app, some in asks.items():
        give_image_rules(readings[app], some)
        if any(one.words.verify for one in some):
            from supervisor.core.render.image_keys import give_image_keys  # noqa: PLC0415  # few do

            give_image_keys(readings[app], some)


def _read_unit(
    name: str, unit: UnitFile, path: str, reading: Reading, place: Place
) -> ImageAsk | None:
    """Add a unit; returns what it says of its image, if it can have newer ones."""
    files = reading.files
    section = next((one for one in unit.sections if one in GENERATED), "")
    kind = GENERATED[section].kind if section else UnitKind.CONTAINER
    known = specifiers(name, home=place.home)
    # What systemd runs is the generated unit with the app's drop-ins for it (`web.service.d`).
    whole = merge([unit, *map(files.unit_file, files.drop_ins(name))])
    command = [expand(word, known) for word in split_words(unit.last("Service", "ExecStart"))]
    folder = expand(unit.last("Service", "WorkingDirectory"), known)
    runs = kind in RUNNING
    keeps = kind in OWNED and not runs
    pulls = kind in (UnitKind.CONTAINER, UnitKind.IMAGE) and bool(section)
    own = read_own_section(unit, path, files, known=known, runs=runs, keeps=keeps, pulls=pulls)
    reads = Reads(files, place, path)
    reads.look_at(whole, known, instances=instance_specifiers(name, unit, own.replicas, place.home))
    names = [instance_of(name, one) for one in instances(name, unit, own.replicas)] or [name]
    images: Iterable[str] = ()
    pods: tuple[str, ...] = ()
    uses: tuple[SecretUse, ...] = ()
    volumes: Iterable[str] = ()
    if kind is UnitKind.CONTAINER:
        uses = tuple(_secret_uses(names, unit, path, files))
    if kind is UnitKind.BUILD:
        reads.look_at_relative(_build_inputs(command), folder)
    elif kind is UnitKind.KUBE:
        images, uses, pods, volumes = _look_at_yaml(unit, path, reading, reads, folder)
    else:
        images = _images(unit, section, names)
        if kind in (UnitKind.CONTAINER, UnitKind.POD):
            volumes = _volumes(unit, names, home=place.home)
    reading.add(
        name,
        path,
        own,
        reads,
        installed=unit,
        loaded=whole,
        known=known,
        kind=kind,
        digest=digest(
            whole,
            stage=place.stage,
            live=place.live,
            # A pod's unit names its containers; one more of them is no reason to restart the rest.
            leave_out=(("Unit", "Wants"), ("Unit", "Before")) if kind is UnitKind.POD else (),
        ),
        images=tuple(dict.fromkeys(images)),
        object_name=_object_name(kind, unit, command, known),
        pods=pods,
        networks=tuple(_networks(unit, section, known)) if runs else (),
        secret_uses=uses,
        **(
            _of_replicas(name, unit, path, files, known, reads=reads)
            if own.replicas is not None
            else {}
        ),
        publishes=tuple(_published(unit, section, path, files, known)),
        mounts=writable_mounts(
            (expand(value, known) for value in unit.values(section, "Volume")),
            (expand(value, known) for value in unit.values(section, "Mount")),
            besides=(place.stage, place.live),
        ),
        volumes=tuple(dict.fromkeys(volumes)),
        build_command=tuple(map(place.to_live, command)) if kind is UnitKind.BUILD else (),
        build_folder=place.to_live(folder) if kind is UnitKind.BUILD else "",
        health_interval=_health_interval(command) if kind is UnitKind.CONTAINER else 0.0,
        up_once_healthy="--sdnotify=healthy" in command,
        startup_retries=_startup_retries(command) if kind is UnitKind.CONTAINER else 0,
        **_log(command),
        idle_interval=own.idle_interval,
        adopt=own.adopt,
        drop_ins=(*files.drop_ins(path), *files.drop_ins(name)),
    )
    if not pulls:
        return None
    return read_image_ask(name, unit, section, path, files, known=known, words=own.images)


def _images(unit: UnitFile, section: str, names: Iterable[str]) -> Iterator[str]:
    """Yield what must be in the store before the unit starts; `names` are its runtime names."""
    image = unit.last(section, "Image")
    provided = image.endswith(_IMAGE_FILES)
    if not image or provided or unit.last(section, "Pull").lower() == "never":
        return
    if section == "X-Volume" and unit.last(section, "Driver") != "image":
        return
    for one in names:
        reference = expand(image, specifiers(one)).removeprefix("docker://")
        # Variables are known to the unit's environment only, archives and folders are not pulled.
        if not set("$%") & set(reference) and not OTHER_TRANSPORTS.match(reference):
            yield reference


def _volumes(unit: UnitFile, names: Sequence[str], *, home: str) -> Iterator[str]:
    """Yield the volumes that a container mounts, or a pod for its own; `names` as it runs."""
    starts = (*unit.values("Service", "ExecStart"), *unit.values("Service", "ExecStartPre"))
    lines = [split_words(line) for line in starts]
    for name in names:
        known = specifiers(name, home=home)
        for words in lines:
            yield from named_volumes([expand(word, known) for word in words])


def _of_replicas(
    name: str,
    unit: UnitFile,
    path: str,
    files: AppFiles,
    known: Mapping[str, str],
    *,
    reads: Reads,
) -> dict[str, Any]:
    """Return what only the replicas of a `.container` have: fields of `DesiredUnit`."""
    sample = [instance_of(name, _SAMPLE)]
    images = _images(unit, "X-Container", sample)
    volumes = _volumes(unit, sample, home=known.get("h", ""))
    uses = _secret_uses(sample, unit, path, files)
    each = PerInstance(
        images=tuple(one.replace(_SAMPLE, "%i") for one in images if _SAMPLE in one),
        volumes=tuple(one.replace(_SAMPLE, "%i") for one in volumes if _SAMPLE in one),
        secret_uses=tuple(
            SecretUse(one.name.replace(_SAMPLE, "%i"), one.path, one.line)
            for one in uses
            if _SAMPLE in one.name
        ),
        certificate_uses=tuple(use for use in reads.certificates.uses if use.instance),
    )
    only_one = "; ".join(f"{key}={value}" for key, value in of_one(unit, known))
    return {"per_instance": each, "only_one": only_one}


def _look_at_yaml(
    unit: UnitFile, path: str, reading: Reading, reads: Reads, folder: str
) -> tuple[list[str], tuple[SecretUse, ...], tuple[str, ...], tuple[str, ...]]:
    """Return images, secrets, pods and volumes of a .kube unit's YAML; take in what they mount."""
    files = reading.files
    report_played(unit, path, reading, _yaml_paths(unit, "X-Kube", path))
    images: list[str] = []
    uses: list[SecretUse] = []
    pods: dict[str, None] = {}
    volumes: dict[str, None] = {}
    for yaml_path in _yaml_paths(unit, "X-Kube", path):
        text = files.text(yaml_path)
        if text is None:
            continue  # absent (told of by `reads`), or outside the app
        try:
            needs = read_kube(text)
        except KubeError as error:
            message = f"cannot read it as Kubernetes YAML: {error}"
            reading.report(message, path=yaml_path, line=error.line)
            continue
        # What is not there, Podman makes where the YAML says DirectoryOrCreate.
        reads.look_at_relative(needs.host_paths, folder, must_exist=False)
        images.extend(needs.images)
        pods.update(dict.fromkeys(needs.pods))
        volumes.update(dict.fromkeys(needs.volumes))
        lines = text.splitlines()
        for one in needs.host_paths:
            line = _line_of(one, lines)
            fixed = one in needs.parts
            reads.certificates.look_at_mount(one, fixed=fixed, path=yaml_path, line=line)
        made = _kube_secrets(files) if needs.secrets else frozenset()
        lacking = (name for name in needs.secrets if name not in made)
        uses.extend(SecretUse(name, yaml_path, _line_of(name, lines)) for name in lacking)
    return images, tuple(uses), tuple(pods), tuple(volumes)


def _line_of(word: str, lines: Iterable[str]) -> int:
    return next((number for number, line in enumerate(lines, start=1) if word in line), 0)


def _yaml_paths(unit: UnitFile, section: str, path: str) -> Iterator[str]:
    """Yield the YAML files that the `.kube` file at this path plays, relative to the app."""
    for value in unit.values(section, "Yaml"):
        for word in split_words(value):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), word))


def _kube_secrets(files: AppFiles) -> frozenset[str]:
    """Names of the secrets that the app's own YAML files make: those that a unit plays."""
    made: set[str] = set()
    for path in files.unit_paths():
        for yaml_path in _yaml_paths(merge(files.shaping(path)), "Kube", path):
            # One that cannot be read is told of where a unit names it.
            with suppress(KubeError):
                made.update(read_kube(files.text(yaml_path) or "").defines)
    return frozenset(made)


def _build_inputs(command: Sequence[str]) -> Iterator[str]:
    """Yield the paths that `podman build` reads: its context, and the file that it follows."""
    for flag, value in pairwise(command):
        if flag in ("--file", "-f", "--ignorefile"):
            yield value
    for word in command:
        if word.startswith(("--file=", "--ignorefile=")):
            yield word.partition("=")[2]
    if command and "://" not in command[-1]:
        yield command[-1]


def _object_name(
    kind: UnitKind, unit: UnitFile, command: Sequence[str], known: Mapping[str, str]
) -> str:
    """Podman's name of what the unit makes, as its command gives it."""
    if kind is UnitKind.POD:
        create = unit.values("Service", "ExecStartPre")
        lines = [[expand(word, known) for word in split_words(one)] for one in create]
        command = next((line for line in lines if line[1:3] == ["pod", "create"]), [])
    if kind in (UnitKind.CONTAINER, UnitKind.POD):
        # The generator's own --name comes first; what follows the image is the container's.
        names = (value for flag, value in pairwise(command) if flag == "--name")
        return next(names, "")
    if kind in (UnitKind.VOLUME, UnitKind.NETWORK) and command:
        return command[-1]
    if kind is UnitKind.BUILD:
        return built_name(expand(unit.last("X-Build", "ImageTag"), known))
    return ""


def _health_interval(command: Sequence[str]) -> float:
    """Seconds between health checks as the command has Podman make them; 0 if it says nothing."""
    said = dict(_options(command, "--health-cmd", "--health-interval"))
    if said.get("--health-cmd", "none") in ("", "none"):
        return 0.0
    try:
        return parse_duration(said.get("--health-interval") or _PODMANS_INTERVAL)
    except ValueError:
        return 0.0  # `disable`: Podman makes no timer for it


def _startup_retries(command: Sequence[str]) -> int:
    """After how many bad startup checks Podman ends it, as the command says; 0 if never."""
    said = dict(_options(command, "--health-startup-cmd", "--health-startup-retries"))
    if said.get("--health-startup-cmd", "none") in ("", "none"):
        return 0
    number = said.get("--health-startup-retries", "")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < _DIGITS else 0


def _log(command: Sequence[str]) -> dict[str, str]:
    """Where what a container writes goes, as the command says it; nothing for the journal."""
    driver, file = "", ""
    for flag, value in _options(command, "--log-driver", "--log-opt"):
        key, _, path = value.partition("=")
        if flag == "--log-driver":
            driver = value
        elif key == "path":
            file = path
    return {"log_driver": driver, "log_file": file} if driver not in ("", "journald") else {}


def _options(command: Sequence[str], *flags: str) -> Iterator[tuple[str, str]]:
    """Yield the options of these names, each with its value."""
    for word, after in pairwise((*command, "")):
        flag, equals, value = word.partition("=")
        if flag in flags:
            yield flag, value if equals else after


def _secret_uses(
    names: Sequence[str], unit: UnitFile, path: str, files: AppFiles
) -> Iterator[SecretUse]:
    """Yield the Podman secrets that a container names, with the app's own file and line.

    `names` are its runtime names.
    """
    for value in unit.values("X-Container", "Secret"):
        at = files.origin(path, Entry("X-Container", "Secret", value))
        for word in split_words(value)[:1]:
            for one in names:
                secret = expand(word.partition(",")[0], specifiers(one))
                # What only the unit's environment knows cannot be looked for.
                if secret and not set("$%") & set(secret):
                    yield SecretUse(secret, at.path, at.line)


def _networks(unit: UnitFile, section: str, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the networks that a unit uses by their names."""
    for value in unit.values(section, "Network"):
        name = expand(value, known).partition(":")[0]
        if name not in _NETWORK_MODES and not name.endswith((".network", ".container")):
            yield name


def _published(
    unit: UnitFile, section: str, path: str, files: AppFiles, known: Mapping[str, str]
) -> Iterator[PublishedPort]:
    """Yield the fixed ports of the host that a unit publishes, with the app's own file and line."""
    if unit.last(section, "Network") in {"none", "host"}:
        return  # Podman passes it over
    for value in unit.values(section, "PublishPort"):
        at = files.origin(path, Entry(section, "PublishPort", value))
        if port := parse_publish(expand(value, known), path=at.path, line=at.line):
            yield port
