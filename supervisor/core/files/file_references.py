"""Which files of its app a unit mounts or reads, found in the unit as the generator prints it.

Every absolute path below the app's folder counts, wherever it stands: the generator has made
`./conf` absolute already, and a path that the user wrote out (`%h/.config/…`) means the same file.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from supervisor.core.files.app_files import AppFiles, pieces
from supervisor.core.files.certificate_references import BINDS, CertificateUses
from supervisor.core.files.source_paths import is_below
from supervisor.core.files.unitfile import Entry, UnitFile, expand, split_words
from supervisor.model.errors import Finding

_NOT_READ = frozenset(
    {
        "SourcePath",
        "WorkingDirectory",
        "Description",
        "Documentation",
        # Written by the generator from the very paths that stand in ExecStart.
        "RequiresMountsFor",
        "WantsMountsFor",
    }
)
_RELATIVE = """
    ConfigMap EnvironmentFile File IgnoreFile Mount SetWorkingDirectory Volume Yaml
"""
_PATH_KEYS = frozenset(_RELATIVE.split())
"""Keys of Quadlet's own sections whose relative values the generator makes absolute."""

_COMMANDS = ("ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload")
_READ_AT_START = ("", "--env-file")
"""What stands before a word that is read once: nothing (it is the program), or this option."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where apps stand: staged for the generator, and installed. Absolute, without final `/`."""

    stage: str
    live: str
    home: str = ""
    certificates: str = ""
    """Podvisor's own place of certificates."""

    def to_live(self, text: str) -> str:
        """Replace the staged folder by the installed one."""
        return text.replace(self.stage, self.live)


class Reads:
    """Collects the paths that one unit reads, and what is wrong with them."""

    def __init__(self, files: AppFiles, place: Place, path: str, *, plain: bool = False) -> None:
        """Begin with nothing; `plain` is whether its commands run outside of containers."""
        self._files = files
        self._place = place
        self._path = path
        self._plain = plain
        app = files.app.name
        self._roots = (f"{place.stage}/{app}", f"{place.live}/{app}")
        self._paths: set[str] = set()
        self._live: set[str] = set()
        self._fixed: set[str] = set()
        self._findings: dict[object, Finding] = {}
        root = place.certificates
        self.certificates = CertificateUses(files, path, root=root, home=place.home)

    @property
    def paths(self) -> tuple[str, ...]:
        """Relative to the app, sorted."""
        return tuple(sorted(self._paths))

    @property
    def live(self) -> tuple[str, ...]:
        """Of `paths`, those that the unit sees change while it runs.

        A file that is mounted by itself is none: the container keeps the one that was there at its
        start, since files are replaced, not overwritten. In a mounted folder it sees the new one.
        """
        return tuple(sorted(self._live - self._fixed))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self._findings.values(), *self.certificates.findings)

    def look_at(
        self,
        unit: UnitFile,
        known: Mapping[str, str],
        *,
        instances: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Take in what the unit's own and systemd's part mention; `known` are specifiers.

        `instances` are those of a template, each with its specifiers; None of any other unit.
        """
        for entry in unit.entries:
            if entry.section.startswith("X-"):
                self._look_for_leaving(entry)
            elif entry.section in ("Unit", "Service") and entry.key not in _NOT_READ:
                before = ""
                for word in split_words(entry.value):
                    self._look_at_word(expand(word, known), entry, before)
                    self.certificates.look_at_word(
                        word, entry, before, known=known, instances=instances
                    )
                    before = word

    def look_at_relative(
        self, paths: Iterable[str], folder: str, *, must_exist: bool = True
    ) -> None:
        """Take in paths that are relative to `folder`, an absolute path below the app's folder."""
        for path in paths:
            absolute = posixpath.normpath(posixpath.join(folder, path))
            for root in self._roots:
                within = absolute[len(root) + 1 :]
                if is_below(absolute, root) and (must_exist or self._files.holds(within)):
                    self.add(within, bind=False)

    def add(self, path: str, *, bind: bool, live: bool = False) -> None:
        """Take in one path, relative to the app; `live` if it is looked at while the unit runs."""
        if not path:
            self._paths.update(self._files.top_level())
            if live:
                self._live.update(self._files.top_level())
        elif self._files.holds(path):
            # Both the link and what it leads to: a change of either changes what is read.
            real = self._files.real_path(path) or path
            self._paths |= {path, real}
            (self._live if live else self._fixed).add(real)
            if real != path:
                self._fixed.add(path)
        else:
            self._report_absent(path, bind=bind)

    def _look_at_word(self, word: str, entry: Entry, before: str) -> None:
        for root in self._roots:
            for rest in _after(word, root):
                candidates = list(_cut(rest.removeprefix("/")))
                held = (one for one in candidates if self._files.holds(one))
                path = posixpath.normpath(next(held, candidates[0]) or ".")
                optional = entry.key == "EnvironmentFile" and word.startswith("-")
                if not _leaves(path) and (not optional or self._files.holds(path)):
                    self.add(
                        "" if path == "." else path,
                        bind=before in BINDS,
                        live=self._is_live(path, word, entry, before),
                    )
        self._look_for_the_old_place(word)
        if self._place.stage in word:
            rests = (rest.lstrip("/") for rest in _after(word, self._place.stage))
            mentioned = {re.split("[/:,]", rest)[0] for rest in rests}
            if mentioned - {self._files.app.name}:
                staged = word[word.index(self._place.stage) :]
                self._report_leaving(next(pieces(staged)), self._origin(word))

    def _look_for_the_old_place(self, word: str) -> None:
        """Warn of a file of the app that is named where Quadlet's own folder has it by hand."""
        quadlets = posixpath.dirname(self._place.live)
        for rest in _after(word, quadlets):
            written = next(_cut(rest.removeprefix("/")))
            parts = posixpath.normpath(written).split("/") if rest.startswith("/") else []
            if not parts or parts[0] == posixpath.basename(self._place.live):
                continue
            tails = ("/".join(parts[at:]) for at in range(len(parts)))
            mine = next((tail for tail in tails if self._files.holds(tail)), "")
            if mine:
                self._report_old_place(f"{quadlets}/{written}", written, mine)

    def _report_old_place(self, place: str, written: str, mine: str) -> None:
        entry = self._files.find_entry(self._path, lambda entry: written in entry.value)
        meant = posixpath.relpath(mine, posixpath.dirname(self._path) or ".")
        meant = meant if meant.startswith(".") else f"./{meant}"
        app = self._files.app.name
        self._findings.setdefault(
            ("old", entry),
            self._files.finding(
                f"names {place}, but podvisor installs this app in {self._place.live}/{app}",
                at=entry,
                path=self._path,
                hint=f"write {meant}",
                fatal=False,
            ),
        )

    def _is_live(self, path: str, word: str, entry: Entry, before: str) -> bool:
        """Whether the unit looks at the path again while it runs; when in doubt, it does not."""
        if entry.key not in _COMMANDS:
            return False
        if before in BINDS:
            options = word.split(":")[2:]
            layered = any("O" in option.split(",") for option in options)
            return self._files.is_folder("" if path == "." else path) and not layered
        return self._plain and before not in _READ_AT_START

    def _look_for_leaving(self, entry: Entry) -> None:
        """Report a relative path that climbs out of the app, wherever it would end."""
        piece = next(self._leaving(entry.value), "") if entry.key in _PATH_KEYS else ""
        if piece:
            self._report_leaving(piece, self._files.origin(self._path, entry))

    def _leaving(self, value: str) -> Iterator[str]:
        """Yield the relative paths in a value that climb out of the app."""
        folder = posixpath.dirname(self._path)
        for piece in pieces(value):
            if piece.startswith(".") and _leaves(posixpath.join(folder, piece)):
                yield piece

    def _origin(self, word: str) -> Entry | None:
        """Return the assignment that the staged path in `word` comes from."""
        target = posixpath.normpath(word[word.index(self._place.stage) :])
        base = f"{self._place.stage}/{self._files.app.name}"
        folder = posixpath.join(base, posixpath.dirname(self._path))

        def leads_there(entry: Entry) -> bool:
            return any(
                target.startswith(posixpath.normpath(posixpath.join(folder, piece)))
                for piece in pieces(entry.value)
                if piece.startswith(".")
            )

        return self._files.find_entry(self._path, leads_there)

    def _report_leaving(self, what: str, entry: Entry | None) -> None:
        # Of the value no more than the path: the rest may be anything.
        leaving = self._leaving(entry.value if entry else "")
        written = next(leaving, self._place.to_live(what))
        message = f"cannot use {written}: it leaves the folder of app {self._files.app.name}"
        self._findings.setdefault(
            ("leaves", entry),
            self._files.finding(
                message,
                at=entry,
                path=self._path,
                hint="an app's files stand in its own folder; copy the file there,"
                " or name a folder of the host by its absolute path",
            ),
        )

    def _report_absent(self, path: str, *, bind: bool) -> None:
        entry = self._files.find_reference(self._path, path)
        installed = f"{self._place.live}/{self._files.app.name}/{path}"
        folders = path.split("/") if bind else path.split("/")[:-1]
        if hidden := next((part for part in folders if part.startswith(".")), ""):
            message = f"names {path}, but {hidden} is hidden: hidden folders are part of no app"
            hint = f"give {hidden} a name without the dot, or make {installed} by hand"
        elif bind:
            message = f"mounts {path}, which the source does not hold"
            hint = (
                "put it into the source (Git keeps no empty folder: one file has to be in it), or"
                f" make {installed} by hand before it starts: Podman refuses to mount what is"
                " not there; or use a named volume"
            )
        else:
            message = f"reads {path}, which the source does not hold"
            hint = (
                f"put it into the source, or {installed} there by hand: the unit does not start"
                " without it"
            )
        finding = self._files.finding(message, at=entry, path=self._path, hint=hint, fatal=False)
        self._findings.setdefault(path, msgspec.structs.replace(finding, absent=path))


def _after(word: str, prefix: str) -> Iterator[str]:
    """Yield what follows each occurrence of a path in a word, if the path really ends there."""
    for found in re.finditer(rf"{re.escape(prefix)}(?=[/:,]|\Z)", word):
        yield word[found.end() :]


def _cut(rest: str) -> Iterator[str]:
    """Yield what may be the path at the beginning of `rest`, shortest first."""
    for end, char in enumerate(rest):
        if char in ":,":
            yield rest[:end]
    yield rest


def _leaves(path: str) -> bool:
    return posixpath.normpath(path).split("/")[0] == ".."
