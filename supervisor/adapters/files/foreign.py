"""Units that the user's or the administrator's own files define: names that are taken.

Read anew only where a folder or a file has changed since the last time.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from supervisor.adapters.files.paths import leads_to
from supervisor.core.files.names import PLAIN_SUFFIXES
from supervisor.core.files.unitfile import parse
from supervisor.kit.stamps import SETTLED_NS
from supervisor.model.quadlet import QUADLETS

_FILE_LIMIT = 1 << 20

Found = tuple[tuple[str, str], ...]
"""Names of units and the paths that define them."""


class ForeignUnits:
    """Looks through the places from which the user's systemd and Quadlet take units."""

    def __init__(self, *, root: str, user_units: str, quadlets: str, etc: str = "/etc") -> None:
        self._root = root
        users = f"{etc}/containers/systemd/users"
        self._quadlets = (quadlets, users, f"{users}/{os.getuid()}")
        self._users = users
        self._units = (user_units, f"{etc}/systemd/user")
        self._folders: dict[str, tuple[int, Found, tuple[str, ...]]] = {}
        self._services: dict[str, tuple[tuple[int, int, int], str]] = {}

    def find(self) -> dict[str, str]:
        """Return unit names with the paths of their files; of two the first place counts."""
        found: dict[str, str] = {}
        for folder in self._units:
            for name, path in self._plain(folder):
                found.setdefault(name, path)
        services: dict[str, tuple[tuple[int, int, int], str]] = {}
        seen: set[str] = set()
        for folder in self._quadlets:
            for path in self._walk(folder, seen):
                if service := self._service(path, services):
                    found.setdefault(service, path)
        self._services = services
        return found

    def _plain(self, folder: str) -> Found:
        return self._listed(folder, self._plain_unit, lambda _: False)[0]

    def _walk(self, folder: str, seen: set[str]) -> Iterator[str]:
        real = os.path.realpath(folder)
        if real == self._root or real in seen:
            return
        seen.add(real)
        files, folders = self._listed(folder, _quadlet, _is_folder)
        for _, path in files:
            yield path
        for inner in folders:
            # Below `users` each user's folder has the user's number.
            if folder != self._users or not os.path.basename(inner).isdigit():  # noqa: PTH119
                yield from self._walk(inner, seen)

    def _listed(
        self,
        folder: str,
        judge: Callable[[os.DirEntry[str]], str],
        is_inner: Callable[[os.DirEntry[str]], bool],
    ) -> tuple[Found, tuple[str, ...]]:
        """List a folder: what `judge` gives a name to, and the folders in it that count."""
        try:
            changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
            known = self._folders.get(folder)
            if known and known[0] == changed:
                return known[1:]
            with os.scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self._folders.pop(folder, None)
            return (), ()
        files = tuple((name, entry.path) for entry in ordered if (name := judge(entry)))
        folders = tuple(entry.path for entry in ordered if is_inner(entry))
        if changed < time.time_ns() - SETTLED_NS:
            self._folders[folder] = (changed, files, folders)
        return files, folders

    def _plain_unit(self, entry: os.DirEntry[str]) -> str:
        if not entry.name.endswith(PLAIN_SUFFIXES):
            return ""
        ours = entry.is_symlink() and leads_to(entry.path, self._root).startswith(f"{self._root}/")
        return "" if ours or _is_folder(entry) else entry.name

    def _service(self, path: str, kept: dict[str, tuple[tuple[int, int, int], str]]) -> str:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return ""
        if not stat.S_ISREG(status.st_mode):
            return ""
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._services.get(path)
        if not known or known[0] != stamp:
            known = (stamp, _service_name(path))
        kept[path] = known
        return known[1]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or leads to one; a link that leads nowhere, or in circles, does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _quadlet(entry: os.DirEntry[str]) -> str:
    name = entry.name
    return name if os.path.splitext(name)[1] in QUADLETS and not _is_folder(entry) else ""  # noqa: PTH122


def _service_name(path: str) -> str:
    """Return the name of the service that Quadlet makes of a file."""
    stem, suffix = os.path.splitext(os.path.basename(path))  # noqa: PTH119, PTH122
    quadlet = QUADLETS[suffix]
    text = ""
    with suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
        text = file.read(_FILE_LIMIT).decode(errors="replace")
    given = parse(text).last(quadlet.section, "ServiceName")
    return f"{given or stem + quadlet.service}.service"
