"""What `podvisor bench idle` measures: units, groups, processes, and commands that it starts.

systemd is asked before and after a window, never within: it is often one of those measured.
"""

import itertools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from supervisor.adapters.host.commands import run
from supervisor.adapters.host.meters import Meter
from supervisor.model.errors import Stalled
from supervisor.model.idle import Reading

_GROUPS = Path("/sys/fs/cgroup")
_PATIENCE_SECONDS = 30.0
_SLICE = "bench.slice"
_LATE = "late"
_numbers = itertools.count(1)


class Unit:
    """A unit of this user or, if there is none of that name, of the system."""

    def __init__(self, name: str) -> None:
        self.name = name if "." in name else f"{name}.service"
        self._manager = _managers()[0]
        for manager in _managers():
            if self._show("LoadState", manager=manager) == "loaded":
                self._manager = manager
                break
        else:
            raise Stalled(
                f"cannot measure {self.name}: there is no such unit",
                hint="systemctl --user list-units --type=service lists yours",
            )
        self.group = self._find_group()

    @property
    def active(self) -> bool:
        return self._show("ActiveState") in {"active", "reloading"}

    def spent_us(self, *, since: float) -> int:
        """Return the CPU time of its last run, if that ended after `since`."""
        ended = self._show("InactiveEnterTimestampMonotonic")
        spent = self._show("CPUUsageNSec")
        if not (ended.isdecimal() and spent.isdecimal()) or int(ended) < since * 1e6:
            return 0
        return int(spent) // 1000

    def switch(self, verb: str) -> None:
        """Start or stop it, and wait until that is done."""
        done = subprocess.run([*self._manager, verb, self.name], check=False)
        if done.returncode:
            raise Stalled(
                f"cannot {verb} {self.name}", hint=f"systemctl --user status {self.name} says why"
            )

    def _find_group(self) -> Path:
        if path := self._show("ControlGroup"):
            return _below(path)
        # It does not run now, but may at any time: its group will be here.
        folder = _below(_ask(*self._manager, "show", "--property=ControlGroup", "--value"))
        part = ""
        for word in self._show("Slice").removesuffix(".slice").split("-"):
            part = f"{part}-{word}" if part else word
            folder /= f"{part}.slice"
        return folder / self.name

    def _show(self, name: str, *, manager: Sequence[str] = ()) -> str:
        words = manager or self._manager
        return _ask(*words, "show", f"--property={name}", "--value", self.name)


class Target:
    """Something to measure, under one label."""

    def __init__(
        self,
        label: str,
        what: str,
        *,
        units: Sequence[Unit] = (),
        groups: Sequence[Path] = (),
        pids: Sequence[int] = (),
    ) -> None:
        self.label = label
        self.what = what
        self._units = tuple(units)
        self._meter = Meter(groups=[*(unit.group for unit in units), *groups], pids=pids)
        self._seen: dict[str, int] = {}
        """The last known CPU time of each incarnation of a group."""

    def read(self, *, memory: bool = False) -> Reading:
        """Return its counters as they are now."""
        reading = self._meter.read(memory=memory)
        self._seen |= reading.cpu_us
        return reading

    def late_us(self, *, since: float) -> int:
        """Return CPU time of units that ran and ended after `since`, as far as no reading saw it.

        systemd remembers the last run only.
        """
        total = 0
        for unit in self._units:
            if not unit.group.exists() and (spent := unit.spent_us(since=since)):
                keys = [key for key in self._seen if key.startswith(f"{unit.group}#")]
                total += max(0, spent - (self._seen[keys[-1]] if keys else 0))
        return total


class Command:
    """A command that runs for the time of the measurement, in a unit of its own.

    systemd ends it after `at_most_seconds`, should nobody else be there to do so.
    """

    def __init__(self, line: str, *, at_most_seconds: float) -> None:
        name = f"podvisor-bench-{os.getpid()}-{next(_numbers)}.service"
        manager = _managers()[0]
        done = subprocess.run(
            [
                "systemd-run",
                *manager[1:],
                *("--quiet", "--collect", "--same-dir", f"--unit={name}", f"--slice={_SLICE}"),
                f"--property=RuntimeMaxSec={at_most_seconds:.0f}s",
                f"--setenv=PATH={os.environ.get('PATH', os.defpath)}",
                # systemd would put in variables of its own.
                *("/bin/sh", "-c", line.replace("$", "$$")),
            ],
            check=False,
        )
        if done.returncode:
            raise Stalled(f"cannot start “{line}”", hint="systemd-run says why, above")
        self.unit = Unit(name)

    def end(self) -> None:
        """End it with all that it started; it may have ended by itself."""
        subprocess.run(
            [*_managers()[0], "--quiet", "stop", self.unit.name],
            check=False,
            stderr=subprocess.DEVNULL,
        )


def manager_group() -> Path:
    """Return the group of this user's systemd itself, without what it runs."""
    path = _ask(*_managers()[0], "show", "--property=ControlGroup", "--value")
    return _below(path) / "init.scope"


def find_group(text: str) -> Path:
    """Return the folder of a group: a path, or as systemd and /proc/PID/cgroup write it."""
    for folder in (Path(text), _below(text)):
        if (folder / "cgroup.procs").exists():
            return folder
    raise Stalled(
        f"cannot measure {text}: there is no such control group",
        hint="systemd-cgls shows them; /proc/PID/cgroup says that of a process",
    )


def with_late(reading: Reading, late_us: int) -> Reading:
    """Return the reading with CPU time that no group shows any more."""
    return msgspec.structs.replace(reading, cpu_us={**reading.cpu_us, _LATE: late_us})


def _managers() -> list[list[str]]:
    """Return how to ask the systemds that may have a unit: the user's own first."""
    system = ["systemctl"]
    return [["systemctl", "--user"], system] if os.getuid() else [system]


def _below(path: str) -> Path:
    return _GROUPS / path.lstrip("/")


def _ask(*command: str) -> str:
    try:
        return run(*command, patience=_PATIENCE_SECONDS).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stalled(f"cannot measure: {command[0]} does not answer: {error}") from error
