"""Sections, keys, values, specifiers and comments that systemd does not know, with what was meant.

systemd passes most of it over, and only logs it; of a specifier in a command it does not load the
unit. Which keys there are it says itself (`adapters.quadlet.vocabulary`), and which values of
these it cannot read (`adapters.quadlet.values`).
"""

import posixpath
import re
from collections.abc import Iterator, Mapping

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.names import PLAIN_SUFFIXES, is_drop_in
from supervisor.core.files.unitfile import Entry
from supervisor.core.render.generator_errors import quadlet_files
from supervisor.core.render.reading import Reading
from supervisor.core.render.trailing_comments import trailing_comments
from supervisor.kit.texts import meant, nearest
from supervisor.model.errors import Finding
from supervisor.model.quadlet import QUADLETS

Vocabulary = Mapping[str, frozenset[str]]
"""Section to the keys that systemd knows there; empty where systemd cannot be asked."""

Said = tuple[str, str, str]
"""A line of a unit file: section, key, value."""

_COMMON = ("Unit", "Install")
_SPECIFIERS = frozenset("aAbBcCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY%")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|\\$")
"""Of what cannot stand in a line by itself."""
_PER_CENT = re.compile(r"%([A-Za-z0-9%])")


def said_to_systemd(reading: Reading, vocabulary: Vocabulary) -> Iterator[Said]:
    """Yield what an app's unit files say under keys that are systemd's, as it comes to systemd."""
    for entry in (one for path in _unit_files(reading) for one in _entries(path, reading.files)):
        if entry.key not in vocabulary.get(entry.section, ()) or _NO_VALUE.search(entry.value):
            continue
        if any(word.endswith(tuple(QUADLETS)) for word in entry.value.split()):
            continue  # the generator puts the unit's name there
        yield entry.section, entry.key, entry.value


def report_unread(reading: Reading, unread: Mapping[Said, str]) -> None:
    """Add to an app's reading what of that systemd cannot read; `unread` has its words."""
    places = {(one.path, one.line) for one in reading.findings}
    for entry in (one for path in _unit_files(reading) for one in _entries(path, reading.files)):
        words = unread.get((entry.section, entry.key, entry.value))
        finding = words and reading.files.finding(
            f"systemd passes this over: {words}",
            at=entry,
            hint=f"man systemd.directives says where {entry.key}= is explained",
            fatal=False,
        )
        if finding and (finding.path, finding.line) not in places:
            reading.findings.append(finding)


def _unit_files(reading: Reading) -> Iterator[str]:
    """Yield the paths of unit files and drop-ins that count."""
    units = {*quadlet_files(reading.files.app), *reading.files.plain_units()}
    for path in reading.files.unit_paths():
        # Others are data, or an image's.
        if _known_sections(path) and (path in units or is_drop_in(path)):
            yield path


def _entries(path: str, files: AppFiles) -> Iterator[Entry]:
    """Yield the lines of a unit file that systemd sees."""
    known = _known_sections(path)
    yield from (one for one in files.unit_file(path).entries if one.section in known)


def report_unknown(reading: Reading, vocabulary: Vocabulary) -> None:
    """Add to an app's reading what in its unit files means nothing to systemd."""
    for path in _unit_files(reading):
        reading.findings.extend(_sections(path, reading.files))
        reading.findings.extend(_keys(path, reading.files, vocabulary))
        reading.findings.extend(_specifiers(path, reading.files))
        reading.findings.extend(trailing_comments(path, reading.files))


def _sections(path: str, files: AppFiles) -> Iterator[Finding]:
    known = _known_sections(path)
    for name in files.unit_file(path).sections:
        if name in known or name.startswith("X-"):
            continue
        message = f"[{name}] is no section that has a meaning here: systemd passes it over"
        hint = meant(name, known, form="[{}]")
        line = _line_of(name, files.text(path) or "")
        yield files.finding(message, path=path, line=line, hint=hint, fatal=False)


def _keys(path: str, files: AppFiles, vocabulary: Vocabulary) -> Iterator[Finding]:
    for entry in files.unit_file(path).entries:
        known = vocabulary.get(entry.section)
        if known is None or entry.key in known or entry.key.startswith("X-"):
            continue
        close = nearest(entry.key, known)
        message = f"{entry.key}= is no key of [{entry.section}]: systemd passes it over"
        hint = f"did you mean {close}=?" if close else ""
        yield files.finding(message, at=entry, hint=hint, fatal=False)


def _specifiers(path: str, files: AppFiles) -> Iterator[Finding]:
    for entry in files.unit_file(path).entries:
        letter = next((one for one in _PER_CENT.findall(entry.value) if one not in _SPECIFIERS), "")
        if not letter or entry.section.startswith("X-"):
            continue
        fatal = _ends_in_a_command(entry)
        effect = "the unit would not be loaded" if fatal else "systemd passes the line over"
        message = f"%{letter} in {entry.key}= is no specifier of systemd: {effect}"
        hint = f"write %%{letter} for a per cent sign and {letter}"
        yield files.finding(message, at=entry, hint=hint, fatal=fatal)


def _ends_in_a_command(entry: Entry) -> bool:
    """Whether the value is part of what is run: all that Quadlet takes, and systemd's commands."""
    return f".{entry.section.lower()}" in QUADLETS or entry.key.startswith("Exec")


def _known_sections(path: str) -> tuple[str, ...]:
    """Sections of a unit file of this kind; none where that is not known."""
    name = posixpath.basename(path)
    if is_drop_in(path):
        name = posixpath.basename(posixpath.dirname(path)).removesuffix(".d")
    suffix = f".{name.rpartition('.')[2]}"
    own = suffix.removeprefix(".").capitalize()
    if suffix in QUADLETS:
        return (own, *_COMMON, "Service", "Quadlet")
    return (own, *_COMMON) if suffix in PLAIN_SUFFIXES else ()


def _line_of(section: str, text: str) -> int:
    lines = text.split("\n")
    return next((n for n, line in enumerate(lines, 1) if line.strip() == f"[{section}]"), 0)
