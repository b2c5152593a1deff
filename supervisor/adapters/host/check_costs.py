"""Run health checks and measure their CPU time, for `podvisor doctor`.

It is spread over the control groups of whoever runs `podman healthcheck run` (a transient unit
here) and of the container. Both are read; what the container does anyway is subtracted.
"""

import contextlib
import itertools
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from supervisor.adapters.host.commands import answer, run
from supervisor.model.doctor import CheckCost
from supervisor.model.errors import Stalled

_GROUPS = Path("/sys/fs/cgroup")
_PATIENCE_SECONDS = 180.0
_BASELINE_SECONDS = 0.5
_NANOSECONDS = 1_000_000_000
_OWN_FOLDER = "/containers/systemd/podvisor/"
_GROUP_OF_UNIT = re.compile(r".*\.(?:service|scope)(?=/|$)")
_numbers = itertools.count(1)


def measure(*, runs: int, tell: Callable[[str], None]) -> Iterator[CheckCost]:
    """Run the health check of each of the user's running containers. Raises Stalled."""
    for container in _checked_containers():
        cost = _described(container)
        tell(cost.container)
        group = _group(str((container.get("State") or {}).get("CgroupPath") or ""))
        cpu_ms, failed = [], False
        rate = _rate(group)
        for _ in range(runs):
            spent, well = _run(str(container["Id"]), group, rate)
            failed |= not well
            if spent is not None:
                cpu_ms.append(round(spent, 3))
        yield msgspec.structs.replace(cost, cpu_ms=tuple(cpu_ms), failed=failed)


def _checked_containers() -> list[dict[str, Any]]:
    ids = _podman("ps", "--quiet", "--no-trunc").split()
    found = json.loads(_podman("inspect", "--type=container", *ids)) if ids else []
    return [one for one in found if _command(one)]


def _command(container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words of its health check; none if it has no check that runs."""
    check = (container.get("Config") or {}).get("Healthcheck") or {}
    words = tuple(map(str, check.get("Test") or ()))
    return words if words and words[0] != "NONE" and check.get("Interval") else ()


def _described(container: Mapping[str, Any]) -> CheckCost:
    config = container.get("Config") or {}
    unit = str((config.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", ""))
    path = _property(unit, "SourcePath") if unit else ""
    published = (container.get("NetworkSettings") or {}).get("Ports") or {}
    return CheckCost(
        container=str(container.get("Name", "")),
        unit=unit,
        path=path,
        managed=_OWN_FOLDER in path,
        interval=int(config["Healthcheck"]["Interval"]) / _NANOSECONDS,
        command=_command(container)[1:],
        ports={
            str(port): int(places[0]["HostPort"])
            for port, places in published.items()
            if places and str(places[0].get("HostPort", "")).isdigit()
        },
    )


def _group(path: str) -> Path | None:
    """Return the group of the whole unit that a container's group is in."""
    match = _GROUP_OF_UNIT.match(path)
    return _GROUPS / match[0].lstrip("/") if match else None


def _spent_ms(group: Path | None) -> float:
    if group is None:
        return 0.0
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = (group / "cpu.stat").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("usage_usec"))) / 1000
    return 0.0


def _rate(group: Path | None) -> float:
    """Return what the container uses anyway, in ms of CPU for each second; a median, for bursts."""
    rates = []
    for _ in range(3):
        began, before = time.monotonic(), _spent_ms(group)
        time.sleep(_BASELINE_SECONDS / 3)
        rates.append((_spent_ms(group) - before) / (time.monotonic() - began))
    return statistics.median(rates)


def _run(container: str, group: Path | None, rate: float) -> tuple[float | None, bool]:
    """Run the check once; returns its CPU time in ms (None if unknown), and whether all is well."""
    unit = f"podvisor-doctor-{os.getpid()}-{next(_numbers)}.service"
    began, before = time.monotonic(), _spent_ms(group)
    # A oneshot that remains: systemd keeps what it counted until it is stopped.
    well = _is_well(
        *("systemd-run", "--user", "--quiet", f"--unit={unit}", "--property=Type=oneshot"),
        *("--property=RemainAfterExit=yes", "--property=CPUAccounting=yes"),
        *("--property=StandardOutput=null", "--property=StandardError=null"),
        *("podman", "healthcheck", "run", container),
    )
    inside = _spent_ms(group) - before - rate * (time.monotonic() - began)
    said = _property(unit, "CPUUsageNSec")
    for verb in ("stop", "reset-failed"):
        _is_well("systemctl", "--user", "--quiet", verb, unit)
    if not said.isdigit() or int(said) >= 1 << 63:
        return None, well
    return int(said) / 1_000_000 + max(0.0, inside), well


def _podman(*arguments: str) -> str:
    try:
        done = run("podman", *arguments, patience=_PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stalled(f"cannot ask Podman for its containers: {error}") from error
    if done.returncode:
        words = " ".join(done.stderr.split())
        raise Stalled(f"cannot ask Podman for its containers: {words}")
    return done.stdout


def _property(unit: str, name: str) -> str:
    command = ("systemctl", "--user", "show", f"--property={name}", "--value", unit)
    return answer(*command, patience=_PATIENCE_SECONDS).strip()


def _is_well(*command: str) -> bool:
    """Run it, and say whether it ended well."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return run(*command, patience=_PATIENCE_SECONDS).returncode == 0
    return False
