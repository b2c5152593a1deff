"""Podman's stores on disk: what to look at to know that an answer still holds.

An answer is kept with the state of its files from before it was asked for, and given again while
that is the same. When in doubt (a store unlike what is known of it), nothing is kept.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from supervisor.model.image import StoreRoom

Answer = TypeVar("Answer")
State = tuple[tuple[int, int, int] | None, ...]

_SETTLED_NANOSECONDS = 2_000_000_000
"""Younger files may change once more within one tick of the file system's clock."""


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, as Podman itself tells."""

    images: tuple[Path, ...]
    """Indexes of all stores, that of the user's own first."""
    layers: Path
    """Folder that the layers of what is pulled are unpacked below."""
    downloads: Path
    """Folder that a pull has its layers in, packed, until they are unpacked."""
    networks: Path
    volumes: Path
    secrets: Path
    containers: Path
    """Folder of the containers' index."""
    container_runs: Path
    """Folder in memory that holds, by id, what Podman keeps of running containers."""
    exits: Path
    """Folder in which each container's end leaves a file."""
    database: tuple[Path, ...]

    @property
    def secret_index(self) -> Path:
        return self.secrets / "secrets.json"


def stores_of(info: Mapping[str, Any], *, runtime: Path) -> Stores:
    """Read `podman info`. Raises KeyError if it is not as expected."""
    store = info["store"]
    root = Path(store["graphRoot"])
    driver = store["graphDriverName"]
    roots = [root]
    for key, value in (store.get("graphOptions") or {}).items():
        # "overlay.additionalImageStores" up to 5.7, "additionalImageStores" later
        if key.rpartition(".")[2].lower() in ("additionalimagestores", "imagestore"):
            roots.extend(map(Path, value if isinstance(value, list) else [value]))
    return Stores(
        images=tuple(dict.fromkeys(one / f"{driver}-images" / "images.json" for one in roots)),
        layers=root,
        downloads=Path(store.get("imageCopyTmpDir") or root),
        networks=root / "networks",
        volumes=Path(store["volumePath"]),
        secrets=root / "secrets",
        containers=root / f"{driver}-containers",
        container_runs=Path(store["runRoot"]) / f"{driver}-containers",
        exits=runtime / "libpod" / "tmp" / "exits",
        # Volumes of other drivers than the local one leave no trace but in the database.
        database=(root / "db.sql", root / "db.sql-wal", root / "libpod" / "bolt_state.db"),
    )


def room_of(stores: Stores) -> StoreRoom | None:
    """What is free where a pull puts what it fetches; None if that cannot be told."""
    try:
        layers, downloads = os.statvfs(stores.layers), os.statvfs(stores.downloads)
        is_one = stores.layers.stat().st_dev == stores.downloads.stat().st_dev
    except OSError:
        return None
    return StoreRoom(
        layers=str(stores.layers),
        layers_free=layers.f_bavail * layers.f_frsize,
        downloads=str(stores.downloads),
        downloads_free=downloads.f_bavail * downloads.f_frsize,
        is_one=is_one,
    )


def state_of(paths: Sequence[Path]) -> State:
    """State of these files; None for one that is not there."""
    return tuple(_look(path) for path in paths)


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # called often
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Kept(msgspec.Struct, Generic[Answer]):
    """One answer, for as long as the state of its files is the same."""

    now: Callable[[], float]
    _state: State | None = None
    _answer: Answer | None = None

    def get(self, paths: Sequence[Path]) -> Answer | None:
        """Return the answer if it still holds; one that rests on no file does not."""
        return self._answer if self._state is not None and state_of(paths) == self._state else None

    def put(self, answer: Answer, *, before: State) -> None:
        """Keep an answer with the state from before it was asked for."""
        newest = max((one[1] for one in before if one), default=None)
        settled = newest is not None and newest + _SETTLED_NANOSECONDS < self.now() * 1e9
        self._state = before if settled else None
        self._answer = answer if settled else None

    def drop(self) -> None:
        """Forget it."""
        self._state = self._answer = None
