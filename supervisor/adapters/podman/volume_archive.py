"""What volumes held, in files of podvisor's own. The `VolumeArchive` port.

A snapshot is a folder of its own below that of its app. It has two files for each volume: a tar,
packed by zstd where that is installed, and one that says whose the volume's own folder is. It is
written under another name, and renamed when it is complete.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import anyio

from supervisor.adapters.podman.volume_work import VolumeWork, WorkError, saved_volume
from supervisor.kit.folders import remove_tree
from supervisor.kit.helper import BESIDE, HelperError, ask
from supervisor.kit.process import ProcessError, run
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Retry, Stalled
from supervisor.model.volumes import ArchiveRoom, VolumeSnapshot

_WORKER = "supervisor.adapters.podman.volume_work"
_MEASURE_SECONDS = 120.0
_END_SECONDS = 30.0
_PART = ".part-"


class FileArchive:
    """Keeps snapshots of volumes below a folder."""

    def __init__(self, folder: Path) -> None:
        """Keep them there; it is made when it is needed."""
        self._folder = folder

    async def room(self, app: str, names: Collection[str]) -> ArchiveRoom:
        """How much these volumes hold, and what is free where they would be exported to.

        Raises Retry.
        """
        work = VolumeWork(verb="measure", volumes=dict.fromkeys(names, 0))
        sizes = await self._have_done(work, app, timeout_seconds=_MEASURE_SECONDS)
        with _told("look at"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            there = os.statvfs(self._folder)
        return ArchiveRoom(
            needed=sum(sizes.values()),
            free=there.f_bavail * there.f_frsize,
            folder=str(self._folder),
        )

    async def save(
        self,
        app: str,
        snapshot: str,
        names: Collection[str],
        *,
        taken: VolumeSnapshot | None,
        timeout_seconds: float,
    ) -> dict[str, int]:
        """Export volumes as the snapshot of this id; returns the bytes of the file of each.

        The volumes of `taken` are in it as they are there, but for files that are not as they were
        written. All of them or, if that raises, nothing that counts. Raises Retry.
        """
        part, whole = (self._folder / app / f"{prefix}{snapshot}" for prefix in (_PART, ""))
        with _told("make"):
            await in_thread(lambda: _make_anew(part))
            linked = _link(taken, whole.parent, part) if taken else {}
        work = VolumeWork(verb="save", volumes=dict.fromkeys(names, 0), folder=str(part))
        sizes = await self._have_done(work, app, timeout_seconds=timeout_seconds)
        with _told("keep"):
            part.rename(whole)
            await in_thread(lambda: _sync(whole.parent))
        return sizes | linked

    async def check(self, app: str, snapshot: VolumeSnapshot) -> None:
        """Look whether a snapshot can be put back. Raises Stalled if it cannot."""
        folder = self._folder / app / snapshot.id
        try:
            for name, size in snapshot.volumes.items():
                saved_volume(name, folder, size)
        except (WorkError, OSError) as error:
            hint = f"podvisor history {app} shows the others"
            raise Stalled(str(error), hint=hint) from None

    async def load(self, app: str, snapshot: VolumeSnapshot, *, timeout_seconds: float) -> None:
        """Have the volumes of a snapshot hold what it does, and nothing else.

        Raises Retry: before anything is changed if a file of it is not as it was written; after
        that, what they hold is neither one nor the other.
        """
        folder = str(self._folder / app / snapshot.id)
        work = VolumeWork(verb="load", volumes=snapshot.volumes, folder=folder)
        await self._have_done(work, app, timeout_seconds=timeout_seconds)

    async def keep(self, app: str, snapshots: Collection[str]) -> None:
        """Remove all of an app but these snapshots, and what was never complete. Raises Retry."""
        with _told("clean up"):
            await in_thread(lambda: _leave(self._folder / app, frozenset(snapshots)))

    async def _have_done(
        self, work: VolumeWork, app: str, *, timeout_seconds: float
    ) -> dict[str, int]:
        """Have work done beside the daemon's own service; it does not outlive what waits for it."""
        unit = f"podvisor-volumes-{sha256(app.encode()).hexdigest()[:12]}"
        through = [*BESIDE, f"--unit={unit}", "--", "podman", "unshare"]
        await _end(unit)  # of a daemon that was killed
        is_done = False
        try:
            done = await ask(
                _WORKER, work, dict[str, int], timeout_seconds=timeout_seconds, through=through
            )
            is_done = True
        except HelperError as error:
            raise Retry(str(error)) from None
        finally:
            if not is_done:
                with anyio.move_on_after(_END_SECONDS, shield=True):
                    await _end(unit)
        return done


async def _end(unit: str) -> None:
    """Stop what still runs as this unit; it is well if nothing does."""
    command = ["systemctl", "--user", "--quiet", "stop", f"{unit}.service"]
    try:
        await run(command, timeout_seconds=_END_SECONDS)
    except (ProcessError, OSError) as error:
        raise Retry(f"cannot stop {unit}: {error}") from None


def _make_anew(folder: Path) -> None:
    remove_tree(folder)
    for one in (folder.parent.parent, folder.parent, folder):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)


def _link(snapshot: VolumeSnapshot, folder: Path, part: Path) -> dict[str, int]:
    """Have the files of a snapshot in this folder as well; returns the bytes of each."""
    linked: dict[str, int] = {}
    for name, size in snapshot.volumes.items():
        try:
            saved = saved_volume(name, folder / snapshot.id, size)
        except WorkError:
            continue
        for file in (saved.archive, saved.described):
            os.link(file, part / file.name)
        linked[name] = size
    return linked


def _leave(folder: Path, snapshots: frozenset[str]) -> None:
    if folder.is_dir():
        for one in [*folder.iterdir()]:
            if one.name not in snapshots:
                remove_tree(one)
        if not snapshots:
            folder.rmdir()


def _sync(folder: Path) -> None:
    """Have what was renamed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn what the system says into a failure; `doing` completes "cannot …"."""
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise Retry(f"cannot {doing} volume snapshots{where}: {error.strerror or error}") from None
