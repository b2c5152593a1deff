"""Podman's events in their three shapes (journal, log file, API), read into `PodmanEvent`.

Anybody who can name a container or label an image writes here, and any process of the user can
write such lines: what is odd is passed over, what is long is cut, what cannot be a name is dropped.
"""

from collections.abc import Mapping
from typing import Any

from supervisor.kit.json_reading import read_json
from supervisor.model.podman import PodmanEvent

TYPES = frozenset({"image", "container", "pod", "volume", "network", "secret"})
SELF_TEST = "podvisor-self-test"
"""The volume that is made and removed to see whether its events come back."""

_LONGEST = 1_024
_UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"


def from_journal(line: bytes) -> PodmanEvent | None:
    """Read a line of `journalctl --output=json`."""
    fields = as_object(line)
    labels = as_object(_text(fields.get("PODMAN_LABELS"), longest=1 << 20).encode())
    return _event(
        type=fields.get("PODMAN_TYPE"),
        action=fields.get("PODMAN_EVENT"),
        name=fields.get("PODMAN_NETWORK_NAME") or fields.get("PODMAN_NAME"),
        id=fields.get("PODMAN_ID"),
        unit=labels.get(_UNIT_LABEL),
        health=fields.get("PODMAN_HEALTH_STATUS"),
    )


def from_file(line: bytes) -> PodmanEvent | None:
    """Read a line of `events.log`."""
    fields = as_object(line)
    return _event(
        type=fields.get("Type"),
        action=fields.get("Status"),
        name=fields.get("network") or fields.get("Name"),
        id=fields.get("ID"),
        unit=_mapping(fields.get("Attributes")).get(_UNIT_LABEL),
        health=fields.get("HealthStatus") or fields.get("health_status"),
    )


def from_api(fields: Mapping[str, Any]) -> PodmanEvent | None:
    """Read an object of `GET /libpod/events`."""
    actor = _mapping(fields.get("Actor"))
    attributes = _mapping(actor.get("Attributes"))
    time = fields.get("timeNano")
    return _event(
        type=fields.get("Type"),
        action=fields.get("Action"),
        name=attributes.get("network") or attributes.get("name"),
        id=actor.get("ID"),
        unit=attributes.get(_UNIT_LABEL),
        health=fields.get("HealthStatus") or fields.get("health_status"),
        time_ns=time if isinstance(time, int) else 0,
    )


def _event(*, type: Any, action: Any, time_ns: int = 0, **texts: Any) -> PodmanEvent | None:  # noqa: A002
    if not isinstance(type, str) or type not in TYPES or not _text(action):
        return None
    return PodmanEvent(
        type=type,
        action=_text(action),
        time_ns=time_ns,
        **{key: _text(value) for key, value in texts.items()},
    )


def _text(value: Any, *, longest: int = _LONGEST) -> str:
    """A text that may be a name; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= longest and value.isprintable() else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def as_object(text: bytes) -> Mapping[str, Any]:
    """Read a JSON object; an empty one for anything else."""
    return read_json(text, dict[str, Any]) or {}
