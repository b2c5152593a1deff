"""Versions as people write them in tags (`v1.4`, `2.0.0-rc.1`, `4.0.9.2244`), and ranges of them.

The order is that of https://semver.org, and the ranges are those of
https://github.com/npm/node-semver, where these have a say. Beyond them: a version may have more
than three numbers or fewer, of which those that are missing are 0, leading zeros mean nothing
(`2024.05.1`), and numbers within words are numbers (`rc10` is after `rc9`).
"""

import operator
import re
from collections.abc import Callable, Iterator

import msgspec

from supervisor.kit.texts import one_line

VersionKey = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]
"""Sorts as the version does: its numbers, without zeros at the end; whether it is a release (1), a
pre-release (0), or what is before all of those (-1); the words of a pre-release."""
LONGEST_RANGE = 200
_PRERELEASE, _RELEASE, _BEFORE = 0, 1, -1
_VERSION = re.compile(r"[vV]?(\d{1,18}(?:\.\d{1,18}){0,7})(?:-([0-9A-Za-z.-]+))?", re.ASCII)
_BUILD = re.compile(r"[vV]?(?:\d{7,}|\d+-\d.*)", re.ASCII)
"""A date, or a commit's number: no version, however high."""
_PIECE = re.compile(r"\d+|[A-Za-z]+", re.ASCII)
_COMPARATOR = re.compile(
    r"(\^|~|>=|<=|>|<|=|!=)?[vV]?((?:\d{1,18}|[xX*])(?:\.(?:\d{1,18}|[xX*])){0,7})"
    r"(?:-([0-9A-Za-z.-]+))?",
    re.ASCII,
)
_SPACED_OPERATOR = re.compile(r"([\^~<>=!])\s+")
_FROM_TO = re.compile(r"(\S+)\s+-\s+(\S+)")
_WILD = frozenset("xX*")
_WHOLE = 3
_EXAMPLES = "^1.4, ~1.4.2, 1.x, >=1.2 <2 or *"

_Compare = Callable[[VersionKey, VersionKey], bool]
_Comparator = tuple[_Compare, VersionKey]


def version_key(text: str, *, prereleases: bool = True) -> VersionKey | None:
    """Return what sorts as the version that a text is; None if it is none that counts."""
    found = _VERSION.fullmatch(text)
    if found is None or ("." not in text and _BUILD.fullmatch(text)):
        return None
    numbers, words = found.groups()
    if words and not prereleases:
        return None
    return _key(tuple(map(int, numbers.split("."))), words)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts a text by its words and numbers, and numbers after words."""
    return tuple(
        (1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in _PIECE.findall(text)
    )


def _key(numbers: tuple[int, ...], words: str | None) -> VersionKey:
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    if not words:
        return (numbers, _RELEASE, ())
    return (numbers, _PRERELEASE, tuple(_pieces(words)))


def _pieces(words: str) -> Iterator[tuple[int, int, str]]:
    for word in words.split("."):
        if word.isdigit():
            yield (0, int(word), "")
        else:
            for piece in _PIECE.findall(word):
                yield (1, int(piece), "") if piece.isdigit() else (2, 0, piece)


class Alternative(msgspec.Struct, frozen=True):
    """What has to hold together."""

    comparators: tuple[_Comparator, ...]
    prereleases: frozenset[tuple[int, ...]]
    """Numbers of versions of which it names a pre-release, so that others of them count."""


class Range(msgspec.Struct, frozen=True):
    """Versions that are asked for: those of any of its alternatives."""

    alternatives: tuple[Alternative, ...]

    @property
    def names_prereleases(self) -> bool:
        return any(one.prereleases for one in self.alternatives)

    def holds(self, key: VersionKey, *, prereleases: bool = False) -> bool:
        """Whether a version is one of them; pre-releases only where something asks for them."""
        for one in self.alternatives:
            if key[1] == _PRERELEASE and not prereleases and key[0] not in one.prereleases:
                continue
            for compare, bound in one.comparators:
                if not compare(key, bound):
                    break
            else:
                return True
        return False


def parse_range(text: str) -> Range:
    """Read `^1.4`, `~1.4`, `1.x`, `>=1.2 <2`, `1.2 - 1.4`, `^1 || ^2`, `*`.

    Raises ValueError, with a sentence.
    """
    if not text.strip():
        raise ValueError(f"no versions are named; write {_EXAMPLES}")
    if len(text) > LONGEST_RANGE:
        raise ValueError(f"the range is longer than {LONGEST_RANGE} letters")
    return Range(tuple(map(_alternative, text.split("||"))))


def _alternative(text: str) -> Alternative:
    bounds = _FROM_TO.sub(r">=\1 <=\2", text)
    words = _SPACED_OPERATOR.sub(r"\1", bounds).replace(",", " ").split()
    if not words:
        raise ValueError(f"one side of || names no versions; write {_EXAMPLES}")
    comparators: list[_Comparator] = []
    prereleases = set()
    for word in words:
        found = _COMPARATOR.fullmatch(word)
        if found is None:
            raise ValueError(f"“{one_line(word, 40)}” is no range of versions; write {_EXAMPLES}")
        numbers, words_of = _numbers(found[2]), found[3]
        comparators.extend(_comparators(found[1] or "", numbers, words_of, word))
        if words_of:
            prereleases.add(_key(numbers, None)[0])
    return Alternative(tuple(comparators), frozenset(prereleases))


def _numbers(text: str) -> tuple[int, ...]:
    """Read `1.4`, or what stands before the first x of `1.x`."""
    numbers = []
    for part in text.split("."):
        if part in _WILD:
            break
        numbers.append(int(part))
    return tuple(numbers)


def _comparators(
    sign: str, numbers: tuple[int, ...], words: str | None, word: str
) -> Iterator[_Comparator]:
    key = _key(numbers, words)
    is_whole = len(numbers) >= _WHOLE or words
    if not numbers:
        if sign in (">", "<", "!="):
            raise ValueError(f"no version is {word}; write {_EXAMPLES}")
        return
    # Of 1.4, which is not whole, pre-releases are within: 1.4.0-rc.1.
    low = key if is_whole else (key[0], _BEFORE, ())
    match sign:
        case "^":
            last = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
            yield from ((operator.ge, low), (operator.lt, _beyond(numbers, last)))
        case "~":
            yield from (
                (operator.ge, low),
                (operator.lt, _beyond(numbers, min(1, len(numbers) - 1))),
            )
        case ">=":
            yield operator.ge, low
        case ">":
            yield (operator.gt, key) if is_whole else (operator.ge, _beyond(numbers))
        case "<":
            yield operator.lt, key if words else (key[0], _BEFORE, ())
        case "<=":
            yield (operator.le, key) if is_whole else (operator.lt, _beyond(numbers))
        case "!=" if not is_whole:
            raise ValueError(f"{word} names no whole version; write all three numbers")
        case "!=":
            yield operator.ne, key
        case _ if is_whole:
            yield operator.eq, key
        case _:
            yield from ((operator.ge, low), (operator.lt, _beyond(numbers)))


def _beyond(numbers: tuple[int, ...], last: int | None = None) -> VersionKey:
    """Return what is after every version that begins with these numbers, up to the `last`."""
    kept = numbers if last is None else numbers[: last + 1]
    return (_key((*kept[:-1], kept[-1] + 1), None)[0], _BEFORE, ())
