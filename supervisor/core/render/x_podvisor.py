"""`[X-Podvisor]` of a unit file: what it asks, and keys or values that mean nothing.

Keys and values are documented in docs/reference/x-podvisor.md.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.redact import HIDDEN
from supervisor.core.files.unitfile import Entry, Refused, UnitFile, boolean, expand
from supervisor.core.render.replicas import (
    judge_replicas,
    read_max_unavailable,
    read_replicas,
)
from supervisor.core.render.x_podvisor_deploy import (
    judge_job,
    needs_of,
    read_after,
    read_on_change,
    read_rollout,
    read_run,
)
from supervisor.core.render.x_podvisor_images import (
    ImageWords,
    read_filter,
    read_keep,
    read_policy,
    read_update,
    read_verify,
    read_window,
)
from supervisor.kit.texts import meant, nearest, parse_duration, parse_number
from supervisor.model.app import AppOptions, ChangeRule
from supervisor.model.errors import Finding
from supervisor.model.health import RUNTIME_FOLDER, OnFailure, Probe

_SECTION = "X-Podvisor"
_SHORTEST_INTERVAL = 1.0
_MOST_RETRIES = 1_000
_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65_535
_PROBE_HINT = (
    "write http://HOST:PORT/PATH, https://HOST:PORT/PATH, tcp://HOST:PORT or unix:/PATH/OF/SOCKET"
)


class OwnSection(msgspec.Struct, kw_only=True):
    """What one unit's `[X-Podvisor]` asks."""

    app: AppOptions = AppOptions()
    idle_interval: float | None = None
    """Seconds; 0 is "never less often", None is "not said here"."""
    probe: Probe | None = None
    rules: list[tuple[Entry, ChangeRule]] = []
    before_deploy: bool = False
    adopt: bool = False
    replicas: int | None = None
    """None is "not said here"."""
    max_unavailable: int = 1
    images: ImageWords = ImageWords()
    findings: list[Finding] = []


def read_own_section(
    unit: UnitFile,
    path: str,
    files: AppFiles,
    *,
    known: Mapping[str, str],
    runs: bool,
    keeps: bool = False,
    pulls: bool = False,
) -> OwnSection:
    """Read the section; `known` are the unit's specifiers.

    `runs` is whether it is a service, `keeps` whether it makes a network, a volume or an image,
    `pulls` whether it names an image of which newer versions can be run.
    """
    own = OwnSection()
    said = [entry for entry in unit.entries if entry.section == _SECTION]
    entries = {entry.key: entry for entry in said}
    values: dict[str, Any] = {}
    many: dict[str, list[tuple[Entry, Any]]] = {}
    for entry in said:
        try:
            key = _key_of(entry, runs=runs, keeps=keeps, pulls=pulls)
            if key.many and not entry.value:
                many.pop(entry.key, None)
            elif key.many:
                many.setdefault(entry.key, []).append((entry, _read(key, entry, known)))
            # Of a key that stands there more than once the last counts; an empty one takes it back.
            elif entry.value and (entry is entries[entry.key] or entry.key == "Prune"):
                values[entry.key] = _read(key, entry, known)
        except Refused as refused:
            # Passed over, it would have another version of the image run, or run sooner, or none.
            fatal = pulls and _says_what_runs(entry.key)
            own.findings.append(_finding(refused, entry, path, files, fatal=fatal))
    own.app = AppOptions(
        after=tuple(needs_of(many.get("After", ()), path, files)),
        **{option: value for name, value in values.items() if (option := _KEYS[name].option)},
    )
    own.idle_interval = values.get("HealthIdleInterval")
    own.rules = many.get("OnChange", [])
    own.adopt = values.get("Adopt", False)
    of_image = {name: value for name, value in values.items() if _KEYS[name].image}
    own.images = ImageWords(
        entries={name: entries[name] for name in of_image},
        **{_KEYS[name].image: value for name, value in of_image.items()},
    )
    own.before_deploy = bool(values.get("Run"))
    if own.before_deploy:
        own.findings.extend(judge_job(entries["Run"], unit, path, files))
    own.replicas = values.get("Replicas")
    if own.replicas is not None:
        entry = entries["Replicas"]
        own.findings.extend(judge_replicas(entry, unit, path, files, known=known))
    if "MaxUnavailable" in values:
        own.max_unavailable = values["MaxUnavailable"]
        if "Replicas" not in entries:
            alone = Refused("MaxUnavailable= has no meaning without Replicas=")
            own.findings.append(_finding(alone, entries["MaxUnavailable"], path, files))
    if "Probe" in values:
        more = {at: value for name, value in values.items() if (at := _KEYS[name].probe)}
        own.probe = msgspec.structs.replace(values["Probe"], **more)
        if own.probe.timeout > own.probe.interval:
            own.probe = msgspec.structs.replace(own.probe, timeout=own.probe.interval)
    elif "Probe" not in entries:
        for name in values:
            if _KEYS[name].probe:
                alone = Refused(f"{name}= has no meaning without Probe=", _PROBE_HINT)
                own.findings.append(_finding(alone, entries[name], path, files))
    return own


def _key_of(entry: Entry, *, runs: bool, keeps: bool, pulls: bool) -> "_Key":
    key = _KEYS.get(entry.key)
    if key is None:
        hint = meant(entry.key, _KEYS, form="{}=")
        raise Refused(f"{entry.key}= has no meaning in [{_SECTION}]", hint)
    if key.of_services and not runs:
        raise Refused(f"{entry.key}= has no meaning here: this unit is no service")
    if key.of_keepers and not keeps:
        hint = "it is for .network, .volume and .build files"
        raise Refused(f"{entry.key}= has no meaning here", hint)
    if key.of_containers and not (runs and pulls):
        raise Refused(f"{entry.key}= has no meaning here", "it is for .container files")
    if key.image and not pulls:
        hint = "it is for .container and .image files"
        raise Refused(f"{entry.key}= has no meaning here", hint)
    return key


def _read(key: "_Key", entry: Entry, known: Mapping[str, str]) -> Any:
    # In URLs the per cent sign is theirs.
    text = expand(entry.value, known) if entry.value.startswith("unix:") else entry.value
    try:
        return key.read(text)
    except ValueError as error:
        raise Refused(f"{entry.key}={entry.value} has no meaning: {error}") from None


def _says_what_runs(name: str) -> bool:
    """Whether this key, or the one that was probably meant, says which images run, or how many."""
    close = nearest(name, _KEYS)
    return bool(close and (_KEYS[close].image or _KEYS[close].of_containers))


def _finding(
    problem: Refused, entry: Entry, path: str, files: AppFiles, *, fatal: bool = False
) -> Finding:
    at = files.origin(path, entry)
    return files.finding(str(problem), at=at, hint=problem.hint, fatal=fatal)


def _volumes(key: str, text: str) -> bool:
    if text.lower() != "volumes":
        raise Refused(f"{key}={text} has no meaning", f"write {key}=volumes")
    return True


def _yes_or_no(text: str) -> bool:
    if (is_on := boolean(text)) is None:
        raise ValueError("write yes or no")
    return is_on


def _idle(text: str) -> float:
    return 0.0 if boolean(text) is False else _interval(text)


def _interval(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < _SHORTEST_INTERVAL:
        raise ValueError("it must be 1s or more")
    return seconds


def _timeout(text: str) -> float:
    seconds = parse_duration(text)
    if not seconds:
        raise ValueError("it must be more than 0")
    return seconds


def _retries(text: str) -> int:
    return parse_number(text, least=1, most=_MOST_RETRIES)


def _on_failure(text: str) -> OnFailure:
    try:
        return OnFailure(text.lower())
    except ValueError:
        words = " or ".join(OnFailure)
        raise Refused(f"ProbeOnFailure={text} has no meaning", f"write {words}") from None


def read_probe(text: str) -> Probe:
    """Read the value of Probe=. Raises Refused, with the right forms, if it is none."""
    shown = text if not set("@?") & set(text) else HIDDEN  # a password, or a token
    refused = Refused(f"Probe={shown} has no meaning", _PROBE_HINT)
    if any(not " " < letter < "\x7f" for letter in text):
        raise refused
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        path = f"/{path.lstrip('/')}" if path.startswith("//") else path
        if not path.startswith(("/", RUNTIME_FOLDER)):
            raise refused
        return Probe(target=text, scheme="unix", path=path)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in (*_PORTS, "tcp") or not parts.hostname or parts.username is not None:
        raise refused
    port = port if port is not None else _PORTS.get(parts.scheme, 0)
    if not 1 <= port <= _LARGEST_PORT or (parts.scheme == "tcp" and parts.path.strip("/")):
        raise refused
    query = f"?{parts.query}" if parts.query else ""
    return Probe(
        target=text,
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        path=f"{parts.path or '/'}{query}" if parts.scheme != "tcp" else "",
    )


class _Key(NamedTuple):
    read: Callable[[str], Any]
    probe: str = ""
    """The field of `Probe` that the value goes into."""
    option: str = ""
    """The field of `AppOptions` that the value goes into."""
    image: str = ""
    """The field of `ImageWords` that the value goes into."""
    of_services: bool = True
    """Whether it has a meaning only where something runs."""
    of_keepers: bool = False
    """Whether it has a meaning only where a network or a volume is made."""
    of_containers: bool = False
    """Whether it has a meaning only in a `.container` file."""
    many: bool = False
    """Whether each of several lines counts."""


_KEYS = {
    "Prune": _Key(partial(_volumes, "Prune"), option="prune_volumes", of_services=False),
    "Snapshot": _Key(partial(_volumes, "Snapshot"), option="snapshot", of_services=False),
    "Settle": _Key(parse_duration, option="settle", of_services=False),
    "Rollback": _Key(_yes_or_no, option="rollback", of_services=False),
    "Rollout": _Key(read_rollout, option="one_by_one", of_services=False),
    "Replicas": _Key(read_replicas, of_services=False, of_containers=True),
    "MaxUnavailable": _Key(read_max_unavailable, of_services=False, of_containers=True),
    "Adopt": _Key(_yes_or_no, of_services=False, of_keepers=True),
    "After": _Key(read_after, of_services=False, many=True),
    "ImagePolicy": _Key(read_policy, image="policy", of_services=False),
    "ImageFilter": _Key(read_filter, image="pattern", of_services=False),
    "ImagePrereleases": _Key(_yes_or_no, image="prereleases", of_services=False),
    "Update": _Key(read_update, image="update", of_services=False),
    "Cooldown": _Key(parse_duration, image="cooldown", of_services=False),
    "Window": _Key(read_window, image="window", of_services=False),
    "VerifyImage": _Key(read_verify, image="verify", of_services=False),
    "KeepImages": _Key(read_keep, image="keep", of_services=False),
    "OnChange": _Key(read_on_change, many=True),
    "Run": _Key(read_run),
    "HealthIdleInterval": _Key(_idle),
    "Probe": _Key(read_probe),
    "ProbeInterval": _Key(_interval, "interval"),
    "ProbeTimeout": _Key(_timeout, "timeout"),
    "ProbeRetries": _Key(_retries, "retries"),
    "ProbeStartPeriod": _Key(parse_duration, "start_period"),
    "ProbeOnFailure": _Key(_on_failure, "on_failure"),
}
