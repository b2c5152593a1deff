"""What a Kubernetes YAML file needs before `podman kube play`, and the pods that this makes.

The text may be hostile: it is read as a stream of parser events into plain lists and dicts, with
bounds on size, depth and number; no tag is acted upon, aliases cost nothing, nothing is merged.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, NamedTuple

_MAX_CHARACTERS = 1 << 20
_MAX_EVENTS = 50_000
_MAX_DEPTH = 64
_OF_PODS = ("Deployment", "DaemonSet", "Job")


class KubeError(Exception):
    """The text is not what can be read; says why, and where."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class KubeNeeds(NamedTuple):
    """What was found, each once, in the order of first sight."""

    images: tuple[str, ...]
    host_paths: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    """That it refers to, those aside that it can do without."""
    defines: tuple[str, ...] = ()
    """Secrets that it makes itself."""
    pods: tuple[str, ...] = ()
    """Podman's names of the pods that it makes."""
    volumes: tuple[str, ...] = ()
    """Podman's names of the volumes that these mount."""
    parts: frozenset[str] = frozenset()
    """Those of `host_paths` of which something by itself is mounted (`subPath`)."""


def read_kube(text: str) -> KubeNeeds:
    """Images of all containers (`imagePullPolicy: Never` aside), volumes, secrets, pods.

    Raises KubeError.
    """
    images: dict[str, None] = {}
    host_paths: dict[str, None] = {}
    secrets: dict[str, None] = {}
    own: dict[str, None] = {}
    pods: dict[str, None] = {}
    volumes: dict[str, None] = {}
    paths_of: dict[str, set[str]] = {}
    in_part: set[str] = set()
    for mapping in _mappings(_documents(text)):
        for key in ("containers", "initContainers"):
            for container in _dicts(mapping.get(key)):
                image = _text(container, "image")
                if image and container.get("imagePullPolicy") != "Never":
                    images[image] = None
        for volume in _dicts(mapping.get("volumes")):
            if path := _text(volume.get("hostPath"), "path"):
                host_paths[path] = None
                paths_of.setdefault(_text(volume, "name"), set()).add(path)
            if claim := _text(volume.get("persistentVolumeClaim"), "claimName"):
                volumes[claim] = None
        for mount in _dicts(mapping.get("volumeMounts")):
            if _text(mount, "subPath"):
                in_part.add(_text(mount, "name"))
        secrets.update(dict.fromkeys(_secrets(mapping)))
        name, kind = _text(mapping.get("metadata"), "name"), mapping.get("kind")
        if not name:
            continue
        if kind == "Secret":
            own[name] = None
        elif kind == "Pod":
            pods[name] = None
        elif kind in _OF_PODS:
            pods[f"{name}-pod"] = None
    return KubeNeeds(
        images=tuple(images),
        host_paths=tuple(host_paths),
        secrets=tuple(secrets),
        defines=tuple(own),
        pods=tuple(pods),
        volumes=tuple(volumes),
        parts=frozenset(path for name in in_part for path in paths_of.get(name, ())),
    )


def values_of_secrets(text: str) -> tuple[str, ...]:
    """What the Kubernetes Secrets of a text hold, as containers are given it. Raises KubeError."""
    values: list[str] = []
    for mapping in _mappings(_documents(text)):
        if mapping.get("kind") != "Secret":
            continue
        for key in ("data", "stringData"):
            held = mapping.get(key)
            there = held.values() if isinstance(held, dict) else ()
            texts = [one for one in there if isinstance(one, str)]
            values.extend(map(_decoded, texts) if key == "data" else texts)
    return tuple(values)


def _decoded(value: str) -> str:
    try:
        return b64decode(value).decode(errors="replace")
    except ValueError:
        return value


def _secrets(mapping: dict[str, Any]) -> Iterator[str]:
    """Yield the secrets to which a mapping refers: environment variables, and volumes."""
    for key, field in (("secretKeyRef", "name"), ("secretRef", "name"), ("secret", "secretName")):
        reference = mapping.get(key)
        if (name := _text(reference, field)) and _text(reference, "optional") != "true":
            yield name


def _text(node: Any, key: str) -> str:
    """Return what a mapping has there, if it is one, and has a text; else nothing."""
    value = node.get(key) if isinstance(node, dict) else None
    return value if isinstance(value, str) else ""


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _mappings(documents: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield every mapping once, however many aliases lead to it."""
    seen: set[int] = set()
    pending = documents[::-1]
    while pending:
        node = pending.pop()
        if isinstance(node, str) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            yield node
            pending.extend(reversed(node.values()))
        else:
            pending.extend(reversed(node))


def _documents(text: str) -> list[Any]:
    """Build the documents: dicts, lists, and every scalar as its text."""
    import yaml  # noqa: PLC0415  # only for the few who use .kube

    if len(text) > _MAX_CHARACTERS:
        raise KubeError(f"it is larger than {_MAX_CHARACTERS >> 20} MiB")
    open_nodes: list[list[Any]] = [[]]
    begun: list[yaml.CollectionStartEvent] = []
    anchors: dict[str, Any] = {}

    def put(node: Any, anchor: str | None) -> None:
        open_nodes[-1].append(node)
        if anchor:
            anchors[anchor] = node

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    line = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=loader)):
            line = event.start_mark.line + 1 if event.start_mark else line
            if number > _MAX_EVENTS:
                raise KubeError("it holds too much", line)
            if isinstance(event, yaml.DocumentStartEvent):
                anchors.clear()
            elif isinstance(event, yaml.AliasEvent):
                put(anchors.get(event.anchor or "", ""), None)
            elif isinstance(event, yaml.ScalarEvent):
                put(event.value, event.anchor)
            elif isinstance(event, yaml.CollectionStartEvent):
                begun.append(event)
                open_nodes.append([])
                if len(begun) > _MAX_DEPTH:
                    raise KubeError("it is nested too deeply", line)
            elif isinstance(event, yaml.CollectionEndEvent):
                start, nodes = begun.pop(), open_nodes.pop()
                is_mapping = isinstance(start, yaml.MappingStartEvent)
                put(_mapping(nodes) if is_mapping else nodes, start.anchor)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        # What it quotes may be anything that the file holds.
        words = re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(problem))
        raise KubeError(words, mark.line + 1 if mark else line) from None
    return open_nodes[0]


def _mapping(nodes: list[Any]) -> dict[str, Any]:
    """Make a mapping of its keys and values in turn; what is no text is no key."""
    pairs = zip(nodes[::2], nodes[1::2], strict=True)
    return {key if isinstance(key, str) else "": value for key, value in pairs}
