"""Links in the user's unit folder that lead to owned files.

systemd reads drop-ins only from its own search path, so each `NAME.service.d/X.conf` of an app is
linked there (`folder` asks for it, with the file). The links of plain units are systemd's to make;
here they are only looked at.
"""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress

from supervisor.adapters.files.beneath import InTheWay, is_leftover, put, remove
from supervisor.core.names import PLAIN_SUFFIXES
from supervisor.core.unitfile import instance_of, is_template, parse
from supervisor.model.source import FileKind

_DROP_IN_FOLDER = re.compile(r"[^/]+\.(service|timer|socket|path|target|slice|mount)\.d")
_INSTALL_FOLDERS = (".wants", ".requires", ".upholds")
_UNIT_FILE_LIMIT = 1 << 20


class UnitLinks:
    """The user's unit folder, as far as it concerns owned files."""

    def __init__(self, *, user_units: str, root: str) -> None:
        self._units = os.path.realpath(user_units)
        self._root = root

    def link_of(self, app: str, path: str) -> str:
        """Return where the link to a drop-in stands (relative to the unit folder), or nothing."""
        *_, folder, name = ["", *path.split("/")]
        if not name.endswith(".conf") or not _DROP_IN_FOLDER.fullmatch(folder):
            return ""
        return f"{folder}/podvisor-{app}-{name}"

    def absolute(self, link: str) -> str:
        """Return the absolute path of a link."""
        return f"{self._units}/{link}"

    def put(self, app: str, path: str) -> None:
        """Make the link to a drop-in. Raises InTheWay if a stranger has its name."""
        link = self.link_of(app, path)
        if not link or self.stands(app, path):
            return
        place = self.absolute(link)
        with suppress(FileNotFoundError):
            if not self._is_ours(os.lstat(place), place):
                raise InTheWay(place)
        self._sweep(link.partition("/")[0])
        put(self._units, link, os.fsencode(f"{self._root}/{app}/{path}"), FileKind.SYMLINK)

    def remove(self, app: str, path: str) -> None:
        """Remove the link to a drop-in, if it is ours."""
        link = self.link_of(app, path)
        if not link:
            return
        place = self.absolute(link)
        with suppress(FileNotFoundError, NotADirectoryError):
            if self._is_ours(os.lstat(place), place):
                self._sweep(link.partition("/")[0])
                remove(self._units, link, keep=0)

    def stands(self, app: str, path: str) -> bool:
        """Whether a file has the link that it needs (or needs none)."""
        link = self.link_of(app, path)
        if not link:
            return True
        with suppress(OSError):
            return os.readlink(self.absolute(link)) == f"{self._root}/{app}/{path}"  # noqa: PTH115
        return False

    def enabled(self, app: str, units: Iterable[str], paths: Iterable[str]) -> dict[str, str]:
        """Plain units that are linked (and installed where they ask for it), with their links."""
        files = {
            name: path
            for path in paths
            if (name := path.rpartition("/")[2]).endswith(PLAIN_SUFFIXES)
        }
        found: dict[str, str] = {}
        installed: frozenset[str] | None = None
        for unit in units:
            if unit not in files:
                continue
            place = self.absolute(unit)
            path = f"{self._root}/{app}/{files[unit]}"
            if not os.path.islink(place) or os.path.realpath(place) != os.path.realpath(path):  # noqa: PTH114
                continue
            name = self._installs(unit, path)
            if name and installed is None:
                installed = self._installed()
            if not name or (installed and name in installed):
                found[unit] = place
        return found

    def _is_ours(self, status: os.stat_result, place: str) -> bool:
        target = os.readlink(place) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115
        return target.startswith(f"{self._root}/")

    def _sweep(self, folder: str) -> None:
        """Remove what a crash left half made."""
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in os.listdir(self.absolute(folder)):  # noqa: PTH208
                if is_leftover(name):
                    os.unlink(self.absolute(f"{folder}/{name}"))  # noqa: PTH108

    def _installs(self, unit: str, path: str) -> str:
        """Return the name that `[Install]` wants linked, empty if it wants none."""
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                text = file.read(_UNIT_FILE_LIMIT).decode(errors="replace")
        except OSError:
            return ""
        read = parse(text)
        if not read.words("Install", "WantedBy", "RequiredBy", "UpheldBy"):
            return ""
        if not is_template(unit):
            return unit
        instance = read.last("Install", "DefaultInstance")
        return instance_of(unit, instance) if instance else ""

    def _installed(self) -> frozenset[str]:
        """Names that are linked into a `.wants`, `.requires` or `.upholds` folder."""
        names: set[str] = set()
        with suppress(OSError), os.scandir(self._units) as entries:
            for entry in entries:
                if entry.name.endswith(_INSTALL_FOLDERS):
                    with suppress(OSError):
                        names.update(os.listdir(entry.path))  # noqa: PTH208
        return frozenset(names)
