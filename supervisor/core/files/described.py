"""Files of podvisor's own kinds in an app: which they are, and what in them means nothing.

They are written as unit files, with one section. Values are not repeated: one may be a secret.
"""

import posixpath
import re
from collections.abc import Collection, Iterator

import msgspec

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import Entry, UnitFile, parse
from supervisor.kit.texts import meant, nearest, one_line
from supervisor.model.errors import Finding


class OwnKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of files that describe something for podvisor."""

    suffix: str
    section: str
    keys: Collection[str]
    sign: re.Pattern[str]
    """A line that tells one without a section from another tool's file."""
    what: str
    """It describes."""
    has: str
    """What stands in it, for people."""

    def is_kind_of(self, path: str) -> bool:
        """Whether a relative path is that of a file of this kind."""
        return path.endswith(self.suffix) and posixpath.basename(path) != self.suffix

    def describes(self, text: str) -> bool:
        """Whether it was meant for podvisor, well written or not; others use the suffix, too."""
        named = (
            one == self.section or nearest(one, [self.section]) for one in parse(text).sections
        )
        return any(named) or self.sign.search(text) is not None


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One file of such a kind."""

    path: str
    """Relative to the app's root."""
    entries: tuple[Entry, ...] = ()
    """Of its section, in their order, known keys only."""
    has_section: bool = True

    @property
    def stem(self) -> str:
        """Its name without the suffix."""
        return posixpath.basename(self.path).rpartition(".")[0]

    def last(self, key: str) -> Entry | None:
        """Return the assignment of a key that counts, if it is not empty."""
        entry = next((one for one in reversed(self.entries) if one.key == key), None)
        return entry if entry and entry.value else None

    def all(self, key: str) -> list[Entry]:
        """Return the assignments of a key that may repeat; an empty one drops those before it."""
        found: list[Entry] = []
        for entry in self.entries:
            if entry.key == key and entry.value:
                found.append(entry)
            elif entry.key == key:
                found.clear()
        return found


def described(kind: OwnKind, files: AppFiles, findings: list[Finding]) -> Iterator[Described]:
    """Yield the app's files of a kind; what in them means nothing is added to the findings."""
    for file in files.app.files:
        if not kind.is_kind_of(file.path):
            continue
        unit = files.unit_file(file.path)
        if not kind.describes(files.text(file.path) or ""):
            message = f"it describes no {kind.what} for podvisor, and is installed as it is"
            hint = f"one that does begins with [{kind.section}], and has {kind.has}"
            findings.append(files.finding(message, path=file.path, hint=hint, fatal=False))
            continue
        findings.extend(_oddities(kind, unit, file.path, files))
        yield Described(
            path=file.path,
            entries=tuple(
                one for one in unit.entries if one.section == kind.section and one.key in kind.keys
            ),
            has_section=kind.section in unit.sections,
        )


def _oddities(kind: OwnKind, unit: UnitFile, path: str, files: AppFiles) -> Iterator[Finding]:
    """Yield warnings of lines that mean nothing."""
    for problem in unit.problems:
        yield files.finding(problem.message, path=path, line=problem.line, fatal=False)
    for entry in unit.entries:
        if entry.section.startswith("X-"):
            continue
        key, section = one_line(entry.key), one_line(entry.section)
        if entry.section != kind.section:
            message = f"{key}= stands in [{section}], which has no meaning here"
            hint = f"write it below [{kind.section}]"
        elif entry.key not in kind.keys:
            message = f"{key}= has no meaning in [{kind.section}]"
            hint = meant(entry.key, kind.keys, form="{}=")
        else:
            continue
        yield files.finding(message, at=entry, hint=hint, fatal=False)
