"""Links in the user's unit folder that lead to owned files.

systemd reads drop-ins only from its own search path, so each `NAME.service.d/X.conf` of an app is
linked there. The links of plain units are systemd's to make; here they are only looked at.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from supervisor.adapters.files.paths import leads_to
from supervisor.adapters.files.safe_fs import InTheWay, is_leftover, put, remove
from supervisor.core.files.names import PLAIN_SUFFIXES
from supervisor.model.source import FileKind
from supervisor.model.unit_name import template_of

_DROP_IN_FOLDER = re.compile(r"[^/]+\.(service|timer|socket|path|target|slice|mount)\.d")
_INSTALL_FOLDERS = (".wants", ".requires", ".upholds")


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
        # Another folder of the app, or another app, may have one of this name for the same unit.
        mark = hashlib.sha256(f"{app}/{path}".encode()).hexdigest()[:8]
        return f"{folder}/podvisor-{app}-{name.removesuffix('.conf')}.{mark}.conf"

    def absolute(self, link: str) -> str:
        """Return the absolute path of a link."""
        return f"{self._units}/{link}"

    def put(self, app: str, path: str) -> None:
        """Make the link to a drop-in.

        Raises InTheWay if a stranger has its name, Retry or Stalled if it cannot be written.
        """
        link = self.link_of(app, path)
        if not link or self.stands(app, path):
            return
        place = self.absolute(link)
        with suppress(FileNotFoundError):
            if not self._is_ours(os.lstat(place), place):
                raise InTheWay(place)
        self._sweep(link.partition("/")[0])
        target = os.fsencode(f"{self._root}/{app}/{path}")
        put(self._units, [(link, target, FileKind.SYMLINK)])

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

    def found(self, app: str, paths: Iterable[str]) -> dict[str, str]:
        """Links that lead to plain unit files of an app, those to its drop-ins aside.

        `paths` are the app's files. Returns each link (relative to the unit folder) with the file
        that it leads to (relative to the app), which need not be there.
        """
        names = {
            name for path in paths if (name := path.rpartition("/")[2]).endswith(PLAIN_SUFFIXES)
        }
        if not names:
            return {}
        links: dict[str, str] = {}
        home = f"{self._root}/{app}/"
        for link in self._all_links(names):
            target = leads_to(self.absolute(link), self._root)
            if target.startswith(home):
                links[link] = target.removeprefix(home)
        return links

    def _all_links(self, names: Collection[str]) -> Iterator[str]:
        """Yield the links at the top, any of which may be an alias, and those of these units."""
        with suppress(OSError), os.scandir(self._units) as entries:
            for entry in entries:
                if entry.is_symlink() and entry.name.endswith(PLAIN_SUFFIXES):
                    yield entry.name
                elif entry.name.endswith(_INSTALL_FOLDERS):
                    with suppress(OSError):
                        for name in os.listdir(entry.path):  # noqa: PTH208
                            if name in names or template_of(name) in names:
                                yield f"{entry.name}/{name}"

    def _is_ours(self, status: os.stat_result, place: str) -> bool:
        target = os.readlink(place) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115
        return target.startswith(f"{self._root}/")

    def _sweep(self, folder: str) -> None:
        """Remove what a crash left half made."""
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in os.listdir(self.absolute(folder)):  # noqa: PTH208
                if is_leftover(name):
                    os.unlink(self.absolute(f"{folder}/{name}"))  # noqa: PTH108
