"""Where each key of a TOML text stands: `tomllib` tells what a file says, but not where.

Used by `core.config.reader` on texts that `tomllib` has read without complaint, so it may trust the
syntax; on any other text it stops early.
"""

import contextlib
import re
import sys

Path = tuple[str, ...]
"""A key with its tables, `("sources", "web", "poll")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_KEY_PART = re.compile(
    r'[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\')[ \t]*(\.?)'
)
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""{1,3}'
    r"|'''.*?'''{1,3}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def key_lines(text: str) -> dict[Path, int]:
    """Line, counted from 1, of each key and table header; where it is first named."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Stop, RecursionError):
        scanner.document()
    return scanner.lines


class _Stop(Exception):
    """What follows is not understood."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._line_at = 0

    def document(self) -> None:
        table: Path = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                brackets = 2 if self._text.startswith("[[", self._at) else 1
                self._at += brackets
                table = self._key(())
                self._expect("]" * brackets)
            else:
                self._pair(table)

    def _pair(self, table: Path) -> None:
        key = self._key(table)
        self._expect("=")
        self._value(key)

    def _key(self, table: Path) -> Path:
        """Read a dotted key, and note where each of its parts is first named."""
        line, path, more = self._here(), table, True
        while more:
            part = _KEY_PART.match(self._text, self._at)
            if part is None:
                raise _Stop
            self._at = part.end()
            bare, quoted, literal, more = part[1], part[2], part[3], bool(part[4])
            path = (*path, bare or (_unescaped(quoted) if quoted is not None else literal or ""))
            self.lines.setdefault(path, line)
        return path

    def _value(self, key: Path) -> None:
        self._skip_blank()
        opening = self._text[self._at : self._at + 1]
        if opening in ("[", "{"):
            self._at += 1
            closing = "]" if opening == "[" else "}"
            while self._skip_blank() and self._text[self._at] != closing:
                if self._text[self._at] == ",":
                    self._at += 1
                elif opening == "[":
                    self._value(key)
                else:
                    self._pair(key)
            self._expect(closing)
            return
        part = (_STRING if opening in ('"', "'") else _SCALAR).match(self._text, self._at)
        if part is None:
            raise _Stop
        self._at = part.end()

    def _skip_blank(self) -> bool:
        """Pass over white space and comments; whether anything is left."""
        blank = _BLANK.match(self._text, self._at)
        if blank is not None:
            self._at = blank.end()
        return self._at < len(self._text)

    def _expect(self, text: str) -> None:
        self._skip_blank()
        if not self._text.startswith(text, self._at):
            raise _Stop
        self._at += len(text)

    def _here(self) -> int:
        self._line += self._text.count("\n", self._line_at, self._at)
        self._line_at = self._at
        return self._line


def _unescaped(text: str) -> str:
    def plain(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2]
        if code:
            return chr(min(int(code, 16), sys.maxunicode))
        return _ESCAPED.get(escape[3], escape[3])

    return _ESCAPE.sub(plain, text)
