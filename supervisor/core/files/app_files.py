"""The files of one candidate, to be asked: is it there, what does it say, and on which line."""

import posixpath
from collections.abc import Callable, Iterator, Mapping

from supervisor.core.files.image_context import ImageContexts
from supervisor.core.files.linked import links_of, shaping_by_link
from supervisor.core.files.names import PLAIN_SUFFIXES, is_drop_in, shapes_units
from supervisor.core.files.source_paths import folders_of
from supervisor.core.files.unitfile import Entry, UnitFile, parse, split_words
from supervisor.kit.links import resolve
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding
from supervisor.model.quadlet import QUADLETS
from supervisor.model.source import FileKind
from supervisor.model.unit_name import template_of

_OF_QUADLET = tuple(f"{suffix}.d" for suffix in QUADLETS)


class AppFiles:
    """A candidate's files by path, with their contents. Parses each unit file once."""

    def __init__(self, app: Candidate, contents: Mapping[str, bytes]) -> None:
        self.app = app
        self._contents = contents
        self._files = {file.path: file for file in app.files}
        self._folders = folders_of(self._files)
        self._links = links_of(app, contents)
        self._parsed: dict[str, UnitFile] = {}
        self._ending: dict[str, list[str]] = {}
        self._drop_ins: dict[str, list[str]] = {}
        """Name of a folder of drop-ins to their paths."""
        self.linked = {path: file.path for path, file in shaping_by_link(app, self._links)}
        """Paths of unit files and drop-ins that links make, each to the file behind it."""
        for path in dict.fromkeys((*self._files, *self.linked)):
            if is_drop_in(path):
                folder = path.rpartition("/")[0].rpartition("/")[2]
                if path not in self._files and not folder.endswith(_OF_QUADLET):
                    continue  # podvisor gives systemd files, and this is none of the app's own
                self._drop_ins.setdefault(folder, []).append(path)

    def holds(self, path: str) -> bool:
        """Whether there is a file or a folder at this path; the empty path is the app itself."""
        real = self.real_path(path)
        return real is not None and (real in self._files or real in self._folders)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder at this path, links followed."""
        real = self.real_path(path)
        return real is not None and real not in self._files and real in self._folders

    def real_path(self, path: str) -> str | None:
        """Return the path behind the app's links; None if they leave the app."""
        return resolve(path, self._links)

    def leaving_links(self) -> list[str]:
        """Links that lead out of the app, which therefore cannot be installed with it."""
        return [path for path in self._links if resolve(path, self._links) is None]

    def top_level(self) -> tuple[str, ...]:
        """Names of the files and folders that stand directly in the app's folder."""
        return tuple(sorted({path.partition("/")[0] for path in self._files}))

    def ending(self, suffix: str) -> list[str]:
        """Paths that end so; looked for once, for each unit may ask."""
        if suffix not in self._ending:
            self._ending[suffix] = [path for path in self._files if path.endswith(suffix)]
        return self._ending[suffix]

    def plain_units(self) -> list[str]:
        """Paths of the plain unit files that are this app's, and no image's that it builds."""
        contexts = ImageContexts(
            self._files,
            {path: self.text(path) or "" for path in self._files if path.endswith(".build")},
        )
        return [
            file.path
            for file in self.app.files
            if file.path.endswith(PLAIN_SUFFIXES)
            and file.kind is not FileKind.SYMLINK
            and contexts.holding(file.path) is None
        ]

    def text(self, path: str) -> str | None:
        """Return what the file says, links followed; None if it is not there."""
        content = self.content(path)
        return None if content is None else content.decode(errors="replace")

    def content(self, path: str) -> bytes | None:
        """Return the file's bytes, links followed; None if it is not there, or was not read."""
        real = self.real_path(path)
        file = self._files.get(real) if real is not None else None
        return self._contents.get(file.oid) if file else None

    def unit_file(self, path: str) -> UnitFile:
        """Parse the file at this path; an absent one is empty."""
        if path not in self._parsed:
            self._parsed[path] = parse(self.text(path) or "", path=path)
        return self._parsed[path]

    def unit_paths(self) -> Iterator[str]:
        """Yield the paths of all unit files and drop-ins."""
        yield from (path for path in self._files if shapes_units(path))

    def drop_ins(self, path: str) -> list[str]:
        """Drop-ins that shape the unit file at this path, in systemd's order.

        Of one name the first found counts: the unit's own folder, then its template's. Those that
        reach beyond one unit are refused (`core.render.drop_ins`).
        """
        unit = posixpath.basename(path)
        chosen: dict[str, str] = {}
        for one in (unit, template_of(unit)):
            for file in self._drop_ins.get(f"{one}.d", ()):
                chosen.setdefault(file.rpartition("/")[2], file)
        return [chosen[name] for name in sorted(chosen)]

    def shaping(self, path: str) -> Iterator[UnitFile]:
        """Yield the unit file at this path, then its drop-ins."""
        yield self.unit_file(path)
        for drop_in in self.drop_ins(path):
            yield self.unit_file(drop_in)

    def find_entry(self, path: str, matches: Callable[[Entry], bool]) -> Entry | None:
        """Return the last matching assignment in a unit file and its drop-ins."""
        found = None
        for file in self.shaping(path):
            for entry in file.entries:
                if matches(entry):
                    found = entry
        return found

    def origin(self, path: str, entry: Entry) -> Entry:
        """Return an assignment of a generated or merged unit as the unit's own files have it.

        If they do not, that is the file at `path`, without a line.
        """
        same = (entry.section.removeprefix("X-"), entry.key, entry.value)
        found = self.find_entry(
            path, lambda one: (one.section.removeprefix("X-"), one.key, one.value) == same
        )
        return found or Entry(*same, path=path)

    def find_reference(self, path: str, target: str) -> Entry | None:
        """Return the assignment in a unit file that leads to `target`, a path within the app."""
        folder = posixpath.dirname(path)
        return self.find_entry(
            path,
            lambda entry: any(
                posixpath.normpath(posixpath.join(folder, piece)) == target
                for piece in pieces(entry.value)
            ),
        )

    def finding(
        self,
        message: str,
        *,
        at: Entry | None = None,
        path: str = "",
        line: int = 0,
        hint: str = "",
        fatal: bool = True,
    ) -> Finding:
        """Say something of an assignment or a file of this app, under its path in the source."""
        if at:
            path, line = at.path, at.line
        place = self.app.source_path(path)
        return self.app.finding(message, place, hint, line=line, fatal=fatal)


def pieces(value: str) -> Iterator[str]:
    """Yield the parts of a value that may be paths: `./a:/b:ro` holds `./a`, `/b` and `ro`."""
    for word in split_words(value):
        text = word.removeprefix("-")
        for separator in (",", "="):
            text = text.replace(separator, ":")
        yield from (piece for piece in text.split(":") if piece)
