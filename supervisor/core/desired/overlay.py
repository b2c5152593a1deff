"""A host's own files over those of the apps: `overlay = "hosts/%H"`.

A folder of the source holds, in a folder for each app, files that take the place of the app's of
the same path, or are added. Used by `core.desired.discovery`; nothing in a file is ever replaced.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from supervisor.core.config.overlay_setting import common_folder, folder_of
from supervisor.core.files.source_paths import folders_of, is_below, is_hidden, parents
from supervisor.kit import texts
from supervisor.model.errors import Finding
from supervisor.model.source import Snapshot, TreeFile


def lay_over(base: Iterable[TreeFile], over: Iterable[TreeFile]) -> tuple[TreeFile, ...]:
    """Return the files of both, paths relative to the app; of one path that of `over` counts.

    A file in the place of a folder, or the other way round, takes all of it.
    """
    above = {file.path: file for file in over}
    folders = folders_of(above)
    kept = (
        file
        for file in base
        if file.path not in above
        and file.path not in folders
        and not any(folder in above for folder in parents(file.path))
    )
    return tuple(sorted((*kept, *above.values())))


class Overlay:
    """The files of a snapshot that this host lays over its apps, by app."""

    def __init__(self, text: str, snapshot: Snapshot, specifiers: Mapping[str, str]) -> None:
        self._text = text
        self._source = snapshot.source
        self.folder = folder_of(text, specifiers) if text else ""
        self._common = common_folder(text) if text else ""
        self.files: dict[str, tuple[TreeFile, ...]] = {}
        self._is_there = False
        if not self.folder:
            return
        found: dict[str, list[TreeFile]] = {}
        prefix = f"{self.folder}/"
        for file in snapshot.files:
            if not file.path.startswith(prefix):
                continue
            self._is_there = True
            name, slash, path = file.path[len(prefix) :].partition("/")
            if slash and not name.startswith(".") and not is_hidden(path, root=""):
                found.setdefault(name, []).append(msgspec.structs.replace(file, path=path))
        self.files = {name: tuple(sorted(files)) for name, files in found.items()}

    def covers(self, path: str) -> bool:
        """Whether a file belongs to the overlay of this host or of another."""
        return any(folder and is_below(path, folder) for folder in (self.folder, self._common))

    def is_elsewhere(self, path: str) -> bool:
        """Whether a file belongs to the overlay of another host."""
        return self.covers(path) and not (self.folder and is_below(path, self.folder))

    def app_of(self, path: str) -> str:
        """Name of the app over which a file of this host's overlay lies; empty if over none."""
        prefix = f"{self.folder}/"
        return path[len(prefix) :].partition("/")[0] if path.startswith(prefix) else ""

    def problems(self, apps: frozenset[str]) -> Iterator[Finding]:
        """Say what of the overlay comes to nothing; none of it is fatal."""
        if not self._text:
            return
        if not self.folder:
            message = f"this host has no name for the overlay {self._text}"
            yield Finding(message=message, source=self._source, fatal=False)
        elif not self._is_there:
            yield Finding(
                message="there is no such folder: this host takes the apps as they are",
                source=self._source,
                path=self.folder,
                hint="make it, or leave out `overlay`",
                fatal=False,
            )
        for name in sorted(self.files.keys() - apps):
            meant = texts.nearest(name, apps)
            yield Finding(
                message="lies over no app of this name",
                source=self._source,
                path=f"{self.folder}/{name}",
                hint=f"did you mean {meant}?" if meant else "the folder has the name of the app",
                fatal=False,
            )
