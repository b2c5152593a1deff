"""A container's health check, as Podman's API tells it. Used by `client`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervisor.model.health import ContainerHealth, Health

_NANOSECONDS = 1_000_000_000
_PODMANS_INTERVAL = 30.0
_FIRST_TO_ADJUST = (5, 4, 2)
"""The first Podman that changes the health check of a running container; older ones say nothing."""
_LONGEST_OUTPUT = 200


def can_adjust(version: str) -> bool:
    """Whether the Podman of this version can change a running container's health check."""
    numbers = version.partition("-")[0].split(".")
    return tuple(int(one) if one.isdigit() else 0 for one in numbers) >= _FIRST_TO_ADJUST


def health_of(
    container: Mapping[str, Any], image: Mapping[str, Any] | None, *, adjustable: bool
) -> ContainerHealth:
    """Read a container's and its image's inspection; `image` only where its check may be used."""
    state, config = container.get("State") or {}, container.get("Config") or {}
    health = state.get("Health") or {}
    log = health.get("Log") or [{}]
    last = log[-1] or {}
    check = config.get("Healthcheck") or {}
    of_image = (image or {}).get("Healthcheck") or {}
    same = bool(of_image.get("Test")) and of_image.get("Test") == check.get("Test")
    output = " ".join(str(last.get("Output") or "").split()) if last.get("ExitCode") else ""
    if len(output) > _LONGEST_OUTPUT:
        output = f"{output[: _LONGEST_OUTPUT - 1]}…"
    return ContainerHealth(
        id=str(container.get("Id", "")),
        name=str(container.get("Name", "")),
        unit=str((config.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", "")),
        health=_word(str(health.get("Status") or "")),
        streak=int(health.get("FailingStreak") or 0),
        output=output,
        started_at=_moment(str(state.get("StartedAt") or "")),
        restarts=int(container.get("RestartCount") or 0),
        interval=_seconds(check),
        image_interval=(_seconds(of_image) or _PODMANS_INTERVAL) if same else 0.0,
        adjustable=adjustable,
    )


def _word(text: str) -> Health:
    try:
        return Health(text)
    except ValueError:
        return Health.NONE


def _seconds(check: Mapping[str, Any]) -> float:
    return int(check.get("Interval") or 0) / _NANOSECONDS


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
