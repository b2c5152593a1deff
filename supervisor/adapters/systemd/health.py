"""What systemd knows of the containers' health checks, without asking Podman.

Podman runs each in a transient service `ID-RANDOM.service` (`ID-startup-RANDOM.service` for a
startup check). Before Podman 6, one that fails stays `failed` until the next one.
"""

import re

from supervisor.model.health import CheckRun

CHECK_PATTERN = f"{'?' * 64}-*.service"
_CHECK = re.compile(r"([0-9a-f]{64})-(?:startup-)?[0-9a-f]+\.service")
_RUNS = {
    "failed": CheckRun.FAILED,
    "active": CheckRun.RUNNING,
    "activating": CheckRun.RUNNING,
}


def check_run(unit: str, active: str) -> tuple[str, CheckRun] | None:
    """Return the container's id and how its check stands; None for another unit."""
    match = _CHECK.fullmatch(unit)
    return (match[1], _RUNS.get(active, CheckRun.WAITING)) if match else None
