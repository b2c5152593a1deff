"""Replicas of a template unit: Replicas= and MaxUnavailable= of `[X-Podvisor]`.

The instances are numbered from 1; what only one of them can have must name the instance (`%i`).
A value that means nothing raises ValueError, with what to write instead.
"""

import posixpath
from collections.abc import Iterator, Mapping

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.published_ports import parse_publish
from supervisor.core.files.unitfile import Entry, UnitFile, boolean, expand
from supervisor.kit.texts import parse_number
from supervisor.model.errors import Finding
from supervisor.model.unit_name import MOST_REPLICAS, is_template, replica_names

_OF_ONE = ("ContainerName", "IP", "IP6")
"""Keys of `[Container]` whose value only one container can have."""


def read_replicas(text: str) -> int:
    """Return how many instances there are to be."""
    return parse_number(text, least=0, most=MOST_REPLICAS)


def read_max_unavailable(text: str) -> int:
    """Return how many may be down for a change."""
    return parse_number(text, least=1, most=MOST_REPLICAS)


def judge_replicas(
    entry: Entry, unit: UnitFile, path: str, files: AppFiles, *, known: Mapping[str, str]
) -> Iterator[Finding]:
    """Say why there cannot be so many instances of a `.container` file; `known` are specifiers."""
    said, replicas = f"{entry.key}={entry.value}:", read_replicas(entry.value)
    name = posixpath.basename(path)
    if not is_template(name):
        stem, suffix = posixpath.splitext(name)
        hint = f"call it {stem}@{suffix}, a template"
        at = files.origin(path, entry)
        yield files.finding(f"{said} there can be only one of {name}", at=at, hint=hint)
        return
    default = unit.last("Install", "DefaultInstance")
    if default and default not in replica_names(replicas):
        at = files.origin(path, Entry("Install", "DefaultInstance", default))
        message = f"DefaultInstance={default} is none of the {replicas} instances of {name}"
        yield files.finding(message, at=at, hint="leave it out: Replicas= numbers them from 1")
    for key, value in of_one(unit, known) if replicas > 1 else ():
        at = files.origin(path, Entry("Container", key, value))
        message = f"{key}={value}: {replicas} replicas cannot share it"
        yield files.finding(message, at=at, hint=_hint(key))
    pod = unit.last("X-Container", "Pod")
    if pod and boolean(unit.last("X-Container", "StartWithPod") or "yes"):
        # Podman has it want the template, which systemd calls by the name of the pod's service.
        at = files.origin(path, Entry("Container", "Pod", pod))
        message = f"Pod={pod}: the pod starts one more instance of {name} each time"
        hint = "write StartWithPod=no; podvisor starts the replicas, and stops what is too many"
        yield files.finding(message, at=at, hint=hint, fatal=False)


def of_one(unit: UnitFile, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the assignments of what only one container can have, and that name no instance."""
    section = "X-Container"
    for key in _OF_ONE:
        value = unit.last(section, key)
        if value and "%i" not in value:
            yield key, value
    if unit.last(section, "Network") not in {"none", "host"}:
        for value in unit.values(section, "PublishPort"):
            if parse_publish(expand(value, known), path=""):
                yield "PublishPort", value


def _hint(key: str) -> str:
    if key == "PublishPort":
        return "write PublishPort=808%i:80, or leave the port of the host out and put a proxy ahead"
    return f"have %i in it, the number of the instance, or leave {key}= out"
