"""How the containers of units are: what the kernel knows, and systemd does not, or not yet.

`podman pause` freezes the container's cgroup, below that of its unit where Podman splits it
(`--cgroups=split`, as Quadlet has it); `systemctl freeze` freezes that of the unit, and so all that
is below it. Of a container that has ended, Podman's monitor, the main process to systemd, ends half
a second later, or two on a busy machine: its cgroup is beside that of the container, which is empty
then, or gone. `cgroup.events` can be watched.
"""

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import anyio
import msgspec

from supervisor.kit.inotify import Inotify, Mask
from supervisor.kit.threads import aside

_CONTAINER = "libpod-payload-"
_MONITOR = "runtime"
_EVENTS = "cgroup.events"


def manager_folder() -> Path:
    """Return the cgroup of this user's systemd, below which those of the units are."""
    user = os.getuid()
    return Path(f"/sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service")


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """What it says of some units."""

    paused: frozenset[str]
    """Those that have a paused container, or are frozen."""
    frozen: frozenset[str]
    """Of these, those that are frozen themselves, by systemd."""
    ending: frozenset[str]
    """Those whose containers have all ended, but for Podman's monitor."""


class _Events(msgspec.Struct, frozen=True):
    """Of a cgroup."""

    frozen: bool
    populated: bool
    inode: int
    """Of the file: each run of a unit has its own, at the same path."""


class Cgroups(msgspec.Struct):
    """Reads them, and follows those that were read."""

    folder: Path
    """The cgroup of the user's systemd; a machine without cgroups v2 has none."""
    _inotify: Inotify | None = None
    _watches: dict[str, int] = {}
    """`cgroup.events` to the watch of it."""
    _followed: dict[int, tuple[str, str]] = {}
    """The watch to the file, and to its unit."""
    _inodes: dict[str, int] = {}
    """`cgroup.events` to which of the files that were at its path is watched."""
    _known: dict[str, bool] = {}
    """Whether it was frozen when it was read last."""

    async def read(self, units: Collection[str]) -> Kernel:
        """Say how the containers of these units are; `watch` tells when one is paused.

        A unit without containers can be frozen by itself.
        """
        monitored, there = await aside(lambda: self._containers(units), items=len(units))
        self._follow(there)
        said = await aside(lambda: _read_all(there), items=len(there))
        said |= _read_all(self._follow_anew(said))
        self._known.update({path: events.frozen for path, events in said.items()})
        alive = {
            there[path] for path, events in said.items() if events.populated and not _is_own(path)
        }
        paused = {path: there[path] for path, events in said.items() if events.frozen}
        return Kernel(
            paused=frozenset(paused.values()),
            frozen=self._frozen({_own(path): unit for path, unit in paused.items()}),
            ending=frozenset(unit for unit in monitored.keys() - alive if _lives(monitored[unit])),
        )

    def _containers(self, units: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return `cgroup.events` of the monitors of those that have one, and of all containers.

        The latter each with its unit; of a unit without containers that of its own cgroup.
        """
        monitored, there = dict[str, str](), dict[str, str]()
        for unit, folder in self._folders(units):
            names = _names(folder)
            if _MONITOR in names:
                monitored[unit] = f"{folder}/{_MONITOR}/{_EVENTS}"
            there |= {
                f"{folder}/{one}/{_EVENTS}": unit for one in names if one.startswith(_CONTAINER)
            } or {f"{folder}/{_EVENTS}": unit}
        return monitored, there

    def _frozen(self, paused: Mapping[str, str]) -> frozenset[str]:
        """Say which of these are frozen themselves, by `cgroup.events` of their own cgroups."""
        self._follow(paused)  # one that was paused before it was frozen may be thawed first
        said = _read_all(paused)
        self._known.update({path: events.frozen for path, events in said.items()})
        return frozenset(paused[path] for path, events in said.items() if events.frozen)

    def memory(self, units: Collection[str]) -> dict[str, int]:
        """Return how many bytes these units take, of which that is told."""
        found = {}
        for unit, folder in self._folders(units):
            with suppress(OSError, ValueError):  # it has just ended, or nobody counts
                found[unit] = int(_text(f"{folder}/memory.current"))
        return found

    @asynccontextmanager
    async def watch(self, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Tell of every unit that is frozen, or whose container is paused, and when it goes on."""
        with closing(Inotify()) as inotify:
            self._inotify = inotify
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._heed, inotify, tell)
                    yield
                    tasks.cancel_scope.cancel()
            finally:
                self._inotify = None
                self._watches.clear()
                self._inodes.clear()
                self._followed.clear()
                self._known.clear()

    async def _heed(self, inotify: Inotify, tell: Callable[[str], None]) -> None:
        while True:
            await inotify.wait()
            for event in inotify.take():
                path, unit = self._followed.get(event.watch, (None, ""))
                # The kernel tells of the end of its last process, too.
                events = _read(path) if path else None
                if path and events and events.frozen != self._known.get(path):
                    self._known[path] = events.frozen
                    tell(unit)

    def _folders(self, units: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the cgroups of those units that have one: of most, where systemd puts services."""
        elsewhere: dict[str, str] | None = None
        for unit in units:
            folder = f"{self.folder}/app.slice/{unit}"
            if os.path.isdir(folder):  # noqa: PTH112  # thousands of times
                yield unit, folder
                continue
            if elsewhere is None:
                elsewhere = dict(_services(str(self.folder)))
            if unit in elsewhere:
                yield unit, elsewhere[unit]

    def _follow(self, files: Mapping[str, str]) -> None:
        new = {path: unit for path, unit in files.items() if path not in self._watches}
        if self._inotify is None or not new:
            return
        # The kernel does not end the watch of a cgroup that is gone.
        for gone in [path for path in self._watches if not os.path.exists(path)]:  # noqa: PTH110
            self._unfollow(gone)
        for path, unit in new.items():
            self._add(path, unit)

    def _follow_anew(self, said: Mapping[str, _Events]) -> list[str]:
        """Follow those that are no longer what is watched at their paths, and return them."""
        moved = [
            path for path, one in said.items() if self._inodes.get(path, one.inode) != one.inode
        ]
        for path in moved:
            _, unit = self._followed[self._watches[path]]
            self._unfollow(path)
            self._add(path, unit)
        return moved

    def _add(self, path: str, unit: str) -> None:
        try:
            inode = os.stat(path).st_ino  # noqa: PTH116  # thousands of times
        except OSError:  # it has just ended
            return
        if self._inotify and (added := self._inotify.add(path, Mask.MODIFY)) is not None:
            self._watches[path] = added
            self._inodes[path] = inode  # one that took its place since is followed anew
            self._followed[added] = (path, unit)

    def _unfollow(self, path: str) -> None:
        watch = self._watches.pop(path)
        del self._inodes[path]
        del self._followed[watch]
        self._known.pop(path, None)
        if self._inotify:
            self._inotify.remove(watch)


def _is_own(events: str) -> bool:
    """Whether it is that of a unit's own cgroup, rather than of a container's."""
    return f"/{_CONTAINER}" not in events


def _own(events: str) -> str:
    """Return `cgroup.events` of the unit's own cgroup."""
    return f"{events.partition(f'/{_CONTAINER}')[0].removesuffix(f'/{_EVENTS}')}/{_EVENTS}"


def _services(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the cgroups of all services below a slice."""
    for name in _names(folder):
        if name.endswith(".service"):
            yield name, f"{folder}/{name}"
        elif name.endswith(".slice"):
            yield from _services(f"{folder}/{name}")


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [one.name for one in found]
    except OSError:  # it has just ended
        return []


def _read_all(files: Iterable[str]) -> dict[str, _Events]:
    return {path: events for path in files if (events := _read(path))}


def _read(events: str) -> _Events | None:
    """Read a `cgroup.events`; None if the container was removed meanwhile."""
    try:
        with open(events, encoding="ascii") as file:  # noqa: PTH123
            lines = file.read().splitlines()
            inode = os.fstat(file.fileno()).st_ino
    except OSError:
        return None
    return _Events("frozen 1" in lines, "populated 0" not in lines, inode)


def _lives(monitor: str) -> bool:
    """Whether a monitor runs: of a unit that stays `active (exited)` its cgroup stays, empty."""
    events = _read(monitor)
    return events is not None and events.populated


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123
        return file.read()
