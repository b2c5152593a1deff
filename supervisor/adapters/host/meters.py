"""Reads what the kernel counts of groups and processes, for `podvisor bench idle`.

Nothing here starts a process or wakes the one that is measured. CPU time is exact: that of a cgroup
(`cpu.stat`) with all that ever ran in it, and of a process (its CPU clock). Only the children that
a process named by its id has waited for are counted in ticks of 10 ms.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from supervisor.model.idle import Load, ProcessReading, Reading

_ZOMBIE, _DEAD = "Z", "X"
_TICKS = os.sysconf("SC_CLK_TCK")
_PPID, _UTIME, _STIME, _CUTIME, _CSTIME, _STARTED, _VSIZE = 1, 11, 12, 13, 14, 19, 20
"""Fields of /proc/PID/stat, counted from the state on."""


class Meter(msgspec.Struct, kw_only=True):
    """The counters of one target: groups, and processes with their descendants."""

    groups: Sequence[Path] = ()
    pids: Sequence[int] = ()
    proc: Path = Path("/proc")

    def read(self, *, memory: bool = False) -> Reading:
        """Return all counters as they are now; memory costs a walk through page tables."""
        at = time.monotonic()
        cpu: dict[str, int] = {}
        user = system = 0
        written: int | None = None
        members: dict[int, list[str]] = {}
        for group in self.groups:
            with contextlib.suppress(OSError):  # it does not run now, or ends while it is read
                stat = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
                cpu[key_of(group)] = int(stat["usage_usec"])
                user += int(stat["user_usec"])
                system += int(stat["system_usec"])
                if (wrote := _written_by(group)) is not None:
                    written = (written or 0) + wrote
                inside = self._members(group)
                if inside.pop(os.getpid(), None):
                    # The benchmark runs in the group that it measures: its own is not counted.
                    cpu[key_of(group)] -= time.process_time_ns() // 1000
                members |= inside
        for root in self.pids:
            tree = self._tree(root)
            members |= tree
            cpu[f"pid:{root}"] = sum(
                self._cpu_us(pid) + _ticks(one, _CUTIME) + _ticks(one, _CSTIME)
                for pid, one in tree.items()
            )
            for one in tree.values():
                user += _ticks(one, _UTIME) + _ticks(one, _CUTIME)
                system += _ticks(one, _STIME) + _ticks(one, _CSTIME)
        processes = {
            f"{pid}:{stat[_STARTED]}": reading
            for pid, stat in members.items()
            if stat[0] != _ZOMBIE and (reading := self._process(pid, memory=memory))
        }
        return Reading(
            at=at,
            cpu_us=cpu,
            user_us=user,
            system_us=system,
            processes=processes,
            written=written,
        )

    def _members(self, group: Path) -> dict[int, list[str]]:
        """Return the processes of a group and of those below it, with their stat."""
        found = {}
        for folder, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                for word in Path(folder, "cgroup.procs").read_text().split():
                    with contextlib.suppress(OSError):
                        found[int(word)] = self._stat(int(word))
        return found

    def _tree(self, root: int) -> dict[int, list[str]]:
        """Return a process and its descendants, with their stat."""
        everybody = {}
        for entry in self.proc.iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    everybody[int(entry.name)] = self._stat(int(entry.name))
        found = {root: everybody[root]} if root in everybody else {}
        grown = bool(found)
        while grown:
            more = {
                pid: stat
                for pid, stat in everybody.items()
                if pid not in found and int(stat[_PPID]) in found and pid != os.getpid()
            }
            found |= more
            grown = bool(more)
        return found

    def _stat(self, pid: int) -> list[str]:
        # The name, in parentheses, may hold anything, parentheses too.
        return (self.proc / f"{pid}/stat").read_text().rpartition(")")[2].split()

    def _cpu_us(self, pid: int) -> int:
        """Return a process's CPU time with that of its ended threads; 0 if it is gone."""
        try:
            # As clock_getcpuclockid(3) does it: any process may ask the clock of any other.
            return int(time.clock_gettime(~pid << 3 | 2) * 1e6)
        except OSError:
            return 0

    def _process(self, pid: int, *, memory: bool) -> ProcessReading | None:
        """Return the counters of a process; None if it is gone, or just about to be."""
        place = self.proc / str(pid)
        try:
            written = _field(place / "io", "write_bytes:")
            if written is None and self._ends(pid):
                return None  # what it wrote passes to who waits for it
            return ProcessReading(
                name=(place / "comm").read_text().strip(),
                cpu_us=self._cpu_us(pid),
                switches=dict(_switches(place)),
                written=written,
                pss=_pss(place) if memory else None,
            )
        except OSError:
            return None

    def _ends(self, pid: int) -> bool:
        """Whether a process has given back its memory: nobody may read its counters any more."""
        stat = self._stat(pid)
        return stat[0] in {_ZOMBIE, _DEAD} or stat[_VSIZE] == "0"


def key_of(group: Path) -> str:
    """Return the name of one incarnation of a group: its counters begin with it."""
    return f"{group}#{group.stat().st_ino}"


def load() -> Load:
    """Return how busy the machine has been so far."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, idle, waiting, irq, softirq, stolen = (int(word) / _TICKS for word in words)
    busy = user + nice + system + irq + softirq
    pressure = 0.0
    with contextlib.suppress(OSError):  # a kernel without pressure stall information
        line = Path("/proc/pressure/cpu").read_text().split("\n", 1)[0]
        pressure = int(line.rpartition("total=")[2]) / 1e6
    return Load(
        at=time.monotonic(),
        busy=busy,
        stolen=stolen,
        total=busy + idle + waiting + stolen,
        waiting=pressure,
    )


def processor() -> str:
    """Return the processor's or the board's name, empty if it does not say."""
    for path in ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model"):
        with contextlib.suppress(OSError):
            return Path(path).read_text().strip("\0\n ")
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""


def _switches(place: Path) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the context switches of each thread."""
    for thread in (place / "task").iterdir():
        with contextlib.suppress(OSError):
            lines = (thread / "status").read_text().splitlines()
            counts = {
                line.partition(":")[0]: int(line.split()[1])
                for line in lines
                if "ctxt_switches:" in line
            }
            slept = counts["voluntary_ctxt_switches"]
            yield int(thread.name), (slept, counts["nonvoluntary_ctxt_switches"])


def _pss(place: Path) -> int | None:
    kilobytes = _field(place / "smaps_rollup", "Pss:")
    return None if kilobytes is None else kilobytes << 10


def _field(path: Path, name: str) -> int | None:
    """Return a number of a process's file; None if it may not be read. OSError if that is gone."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    except PermissionError:
        return None
    except FileNotFoundError:
        if not path.parent.exists():
            raise
    return None


def _written_by(group: Path) -> int | None:
    """Return the bytes that a group wrote to disks; None where the kernel does not count it."""
    with contextlib.suppress(OSError):
        words = (group / "io.stat").read_text().split()
        return sum(int(word[7:]) for word in words if word.startswith("wbytes="))
    return None


def _ticks(stat: list[str], field: int) -> int:
    """Return a time of /proc/PID/stat, in microseconds."""
    return int(stat[field]) * 1_000_000 // _TICKS
