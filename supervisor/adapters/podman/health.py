"""A container's health check, as Podman's API tells it. Used by `client`."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervisor.core.health.endings import status_in_words
from supervisor.kit.plain_text import plain_line
from supervisor.kit.texts import format_duration, joined
from supervisor.model.health import ContainerHealth, Health

_NANOSECONDS = 1_000_000_000
_PODMANS_INTERVAL = 30.0
_FIRST_TO_ADJUST = (5, 4, 2)
"""The first Podman that changes the health check of a running container; older ones say nothing."""
_LONGEST_OUTPUT = 200
_LONGEST_COMMAND = 120
_MOST_READ = 10_000
_STATUS_UNKNOWN = (1, 125)
"""Podman's own words for any exit status, and for one that it has ended."""


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
    last = (health.get("Log") or [{}])[-1] or {}
    check = config.get("Healthcheck") or {}
    of_image = (image or {}).get("Healthcheck") or {}
    same = bool(of_image.get("Test")) and of_image.get("Test") == check.get("Test")
    return ContainerHealth(
        id=str(container.get("Id", "")),
        name=str(container.get("Name", "")),
        unit=str((config.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", "")),
        health=_word(str(health.get("Status") or "")),
        streak=int(health.get("FailingStreak") or 0),
        output=_failure(last, check, is_images=same) if last.get("ExitCode") else "",
        started_at=_moment(str(state.get("StartedAt") or "")),
        restarts=int(container.get("RestartCount") or 0),
        interval=_seconds(check),
        image_interval=(_seconds(of_image) or _PODMANS_INTERVAL) if same else 0.0,
        adjustable=adjustable,
    )


def _failure(last: Mapping[str, Any], check: Mapping[str, Any], *, is_images: bool) -> str:
    """Say which check failed, and what it printed; the exit status only if Podman has kept it."""
    printed = _shown(str(last.get("Output") or ""), _LONGEST_OUTPUT)
    command = _shown(_command(check.get("Test")), _LONGEST_COMMAND)
    if not command:
        return printed
    status, timeout = int(last["ExitCode"]), _seconds(check, "Timeout")
    took = _moment(str(last.get("End") or "")) - _moment(str(last.get("Start") or ""))
    how = "failed"
    if 0 < timeout <= took:
        how = f"was not done after {format_duration(timeout)}"
    elif status not in _STATUS_UNKNOWN:
        how = f"failed with {status_in_words(status)}"
    whose = "its image's" if is_images else "its"
    said = f": {printed}" if printed else " and printed nothing"
    return f"{whose} health check `{command}` {how}{said}"


def _shown(text: str, longest: int) -> str:
    lines = (plain_line(line, longest) for line in text[:_MOST_READ].splitlines())
    return plain_line(joined("\n".join(lines)), longest)


def _command(test: Any) -> str:
    """Return a check as people write it; empty if it is none."""
    if not (isinstance(test, list) and test and all(isinstance(one, str) for one in test)):
        return ""
    kind, *words = test
    return " ".join(words) if kind == "CMD-SHELL" else shlex.join(words)


def _word(text: str) -> Health:
    try:
        return Health(text)
    except ValueError:
        return Health.NONE


def _seconds(check: Mapping[str, Any], name: str = "Interval") -> float:
    return int(check.get(name) or 0) / _NANOSECONDS


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
