"""systemd's unit-file syntax: lines to entries, values to words, specifiers to what they stand for.

What systemd would only log and pass over (a line that is neither section nor assignment) is kept
in `problems`, with its line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

_WHITESPACE = " \t\n\r"
_COMMENTS = ("#", ";")
_QUOTES = "\"'"

# Escapes of one letter, as systemd's cunescape knows them; \s is its own, for a space.
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}
_NUMBERED = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
_LARGEST_CODE_POINT = 0x10FFFF
_BOOLEANS = {
    **dict.fromkeys(("1", "yes", "y", "true", "t", "on"), True),
    **dict.fromkeys(("0", "no", "n", "false", "f", "off"), False),
}


class Refused(Exception):
    """A value that means nothing: the sentence, and in `hint` what to do; it becomes a finding.

    No ValueError, which what reads values has as a part of a sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Entry(msgspec.Struct, frozen=True):
    """One assignment, where it stands."""

    section: str
    key: str
    value: str
    """Without surrounding blanks, continuation lines joined; quotes and escapes as written."""
    line: int = 0
    """Counted from 1; of the line on which the assignment begins."""
    path: str = ""
    """Of the file, where several are merged."""


class Problem(msgspec.Struct, frozen=True):
    """A line that systemd passes over."""

    line: int
    message: str
    """Does not repeat the line: nobody knows what it holds."""
    path: str = ""


class UnitFile(msgspec.Struct, frozen=True):
    """A unit file, or one merged with its drop-ins: entries in the order of reading."""

    entries: tuple[Entry, ...] = ()
    sections: tuple[str, ...] = ()
    """Names of the sections that it has, empty ones too, in the order of first sight."""
    problems: tuple[Problem, ...] = ()

    def values(self, section: str, key: str) -> tuple[str, ...]:
        """All values of a key that may repeat; an empty one drops those before it."""
        found: list[str] = []
        for entry in self.entries:
            if entry.section == section and entry.key == key:
                if entry.value:
                    found.append(entry.value)
                else:
                    found.clear()
        return tuple(found)

    def last(self, section: str, key: str) -> str:
        """Return the value of a key of which the last counts, empty if there is none."""
        for entry in reversed(self.entries):
            if entry.section == section and entry.key == key:
                return entry.value
        return ""

    def words(self, section: str, *keys: str) -> tuple[str, ...]:
        """All words of these keys' values, each once, in the order of first sight."""
        found: dict[str, None] = {}
        for key in keys:
            for value in self.values(section, key):
                found.update(dict.fromkeys(split_words(value)))
        return tuple(found)


def parse(text: str, *, path: str = "") -> UnitFile:
    """Read one file."""
    entries: list[Entry] = []
    sections: dict[str, None] = {}
    problems: list[Problem] = []
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            if line.endswith("]"):
                section = line[1:-1]
                sections[section] = None
            else:
                problems.append(Problem(number, "it begins a section, and lacks the ]", path))
            continue
        key, equals, value = line.partition("=")
        key = key.rstrip(_WHITESPACE)
        if not equals or not key:
            problems.append(Problem(number, "it is neither KEY=VALUE nor [Section]", path))
        elif not section:
            problems.append(Problem(number, "it stands before any [Section]", path))
        else:
            entries.append(Entry(section, key, value.strip(_WHITESPACE), number, path))
    return UnitFile(tuple(entries), tuple(sections), tuple(problems))


def merge(files: Iterable[UnitFile]) -> UnitFile:
    """Read several as systemd reads a unit and its drop-ins: one after another."""
    files = tuple(files)
    return UnitFile(
        tuple(entry for file in files for entry in file.entries),
        tuple(dict.fromkeys(name for file in files for name in file.sections)),
        tuple(problem for file in files for problem in file.problems),
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continuation lines joined by a blank, with the first one's number."""
    pending = ""
    begun = 0
    # Not splitlines(): form feeds and Unicode separators end no line for systemd.
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.strip(_WHITESPACE)
        if line.startswith(_COMMENTS):
            continue
        if not begun:
            begun = number
        # An odd number of backslashes: the last one is not itself escaped.
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending += line[:-1] + " "
            continue
        whole = (pending + line).strip(_WHITESPACE)
        if whole:
            yield begun, whole
        pending, begun = "", 0
    if whole := pending.strip(_WHITESPACE):
        yield begun, whole


def split_words(text: str) -> list[str]:
    """Split a value into words as systemd does: blanks, quotes, C escapes.

    Never fails: an escape that systemd does not know stays as written, a quote that is not closed
    reaches to the end.
    """
    words: list[str] = []
    word: list[str] = []
    inside = False
    quote = ""
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\" and at < len(text):
            inside = True
            literal, at = _unescape(text, at)
            word.append(literal)
        elif quote:
            if char == quote:
                quote = ""
            else:
                word.append(char)
        elif char in _QUOTES:
            quote = char
            inside = True
        elif char in _WHITESPACE:
            if inside:
                words.append("".join(word))
                word.clear()
                inside = False
        else:
            word.append(char)
            inside = True
    if inside:
        words.append("".join(word))
    return words


def boolean(text: str) -> bool | None:
    """Read a boolean as systemd does; None if it is none."""
    return _BOOLEANS.get(text.lower())


def _unescape(text: str, at: int) -> tuple[str, int]:
    """Return what stands for the escape whose backslash ends before `at`, and where it ends."""
    char = text[at]
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    if number := _NUMBERED.match(text, at):
        digits = number[4]
        code = int(digits, 8) if digits else int(number[1] or number[2] or number[3], 16)
        if 0 < code <= _LARGEST_CODE_POINT:
            return chr(code), number.end()
    return "\\" + char, at + 1


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace the specifiers of which the meaning is known (letter to meaning); leave the others.

    `%%` becomes `%` as well, so the result is for looking at, not for expanding again.
    """
    if "%" not in text:
        return text
    return _SPECIFIER.sub(
        lambda match: "%" if match[1] == "%" else known.get(match[1], match[0]), text
    )


def specifiers(unit: str, *, home: str = "") -> dict[str, str]:
    """Meanings of %n, %N, %p, %i, %j for a unit's name, of %P, %I, %J, and %h.

    A template has no %i, %I, %n, %N.
    """
    stem = unit.rpartition(".")[0] or unit
    prefix, at, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    known = {"p": prefix, "j": last, "P": _unescaped(prefix), "J": _unescaped(last)}
    if not at or instance:
        known |= {"n": unit, "N": stem, "i": instance, "I": _unescaped(instance)}
    if home:
        known["h"] = home
    return known


def _unescaped(name: str) -> str:
    """Undo what systemd-escape(1) does to a text for a unit's name."""
    return _HEX.sub(lambda match: chr(int(match[1], 16)), name.replace("-", "/"))
