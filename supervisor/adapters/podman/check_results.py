"""How a container's health check ended last, from the file in which Podman keeps it.

Podman writes it at each check, in the container's run folder, which is in memory. It is no public
interface: one that is not as expected counts as unknown.
"""

import os
import stat
from pathlib import Path

import msgspec

from supervisor.kit.json_reading import read_json

_LARGEST = 1 << 20
_FIRST_TO_IGNORE = 6
"""The first Podman whose checks leave no failed service (`healthcheck run --ignore-result`)."""
_BESIDE_THE_CONTAINER = ("", "local", "events_logger")


class _Run(msgspec.Struct, rename="pascal"):
    exit_code: int


class _Results(msgspec.Struct, rename="pascal"):
    log: tuple[_Run, ...] | None = None


def hides_failures(version: str) -> bool:
    """Whether a check that fails leaves no trace in systemd, with the Podman of this version."""
    major = version.partition(".")[0]
    return major.isdigit() and int(major) >= _FIRST_TO_IGNORE


def results_file(container: str, destination: str, *, run_folder: Path) -> Path:
    """Where Podman keeps a container's results; `destination` is its `HealthLogDestination=`."""
    if destination in _BESIDE_THE_CONTAINER:
        return run_folder / container / "healthcheck.log"
    return Path(destination) / f"{container}-healthcheck.log"


def failed_last(path: Path) -> bool | None:
    """Whether the last check failed; None if that cannot be told (none yet, being written)."""
    try:
        # What is there may be another program's, a pipe too.
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            found = read_json(file.read(_LARGEST), _Results)
    except OSError:
        return None
    return found.log[-1].exit_code != 0 if found and found.log else None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
