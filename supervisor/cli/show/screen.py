"""Writes for people: aligned and calm, in colours on a terminal only.

What came from outside never reaches a terminal as an escape code. rich draws tables where they
must fit a terminal's width, and is not imported else. One that knows ASCII only gets ASCII.
"""

import codecs
import json
import os
import sys
from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TextIO

from supervisor.cli.show.fold import folded
from supervisor.kit.texts import joined

if TYPE_CHECKING:
    from supervisor.model.errors import Finding

Cell = str | tuple[str, str]
"""A text, or a text with its style."""

_CODES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "strong": "1", "": ""}
_RICH = {"good": "green", "bad": "red", "warn": "yellow", "dim": "dim", "strong": "bold", "": ""}
_GAP = "  "
_LEAST_FOLD, _MOST_UNFOLDED = 8, 32
"""Characters of a column that is folded; of a word that is not taken apart while there is room."""
_LEAST_CUT = 12
"""Characters that a column keeps however narrow the terminal is: a commit id, a host's name."""
_ASCII = {"✓": "+", "✗": "x", "→": "->", "…": "...", "·": "-", "“": '"', "”": '"', "±": "+-"}

_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON lets stand in its texts."""


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks."""
    return (stream or sys.stdout).isatty()


def has_colours(stream: TextIO | None = None) -> bool:
    """Whether to use colours (https://no-color.org)."""
    return (
        is_terminal(stream)
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb")
    )


def write_what_it_can_show() -> None:
    """Have standard output and error say in ASCII what their terminal or encoding cannot show.

    What is written to one that was closed is gone.
    """
    codecs.register_error("podvisor-ascii", _in_ascii)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        encoding = "ascii" if is_terminal(stream) and _is_ascii_locale() else None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=encoding, errors="podvisor-ascii")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # pathlib is dear


def _is_ascii_locale() -> bool:
    """Whether the locale is C, which Python takes for UTF-8 (PEP 538 and 540)."""
    coerced = os.environ.get("LC_CTYPE") == "C.UTF-8"
    chosen = os.environ.get("LC_ALL") or (not coerced and os.environ.get("LC_CTYPE"))
    return (chosen or os.environ.get("LANG")) in {"C", "POSIX"}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII.get(character, "?") for character in text), error.end


def clean(text: str) -> str:
    """Return the text in one line, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text)


def _written(text: str, stream: TextIO) -> str:
    """Return the text clean and in one line, as the stream will show it."""
    if "\n" in text.strip():
        text = joined(text)
    encoding, errors = stream.encoding or "utf-8", stream.errors or "strict"
    if errors != "podvisor-ascii" or text.isascii():
        return clean(text)
    return clean(text).encode(encoding, errors).decode(encoding)


def say(
    *cells: Cell, stream: TextIO | None = None, hang: int | None = None, whole: bool = False
) -> None:
    """Write a line of cells, one after the other, at once.

    On a terminal it is folded at its width, unless it is to stay `whole`, as what is to be copied;
    what is folded begins in column `hang`, which is two columns further than the line, if it is not
    given.
    """
    output = stream or sys.stdout
    line = [(_written(_text(cell), output), _style(cell)) for cell in cells]
    lines = [line]
    if is_terminal(output) and not whole:
        from shutil import get_terminal_size

        width = get_terminal_size().columns
        text = "".join(text for text, _ in line)
        hangs = len(text) - len(text.lstrip()) + len(_GAP) if hang is None else hang
        lines = list(folded(line, width, hang=hangs))
    has_colour = has_colours(output)
    for one in lines:
        painted = (
            f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and has_colour else text
            for text, style in one
        )
        print("".join(painted).rstrip(), file=output, flush=True)


def write_json(value: object, *, indent: int | None = None) -> None:
    """Write plain values, structs, or JSON as it came from the daemon."""
    if isinstance(value, bytes):
        text = value.decode().rstrip()
    else:
        parts = None if indent else (",", ":")
        text = json.dumps(
            value, default=_plain, ensure_ascii=False, indent=indent, separators=parts
        )
    print(text.translate(_ESCAPED), flush=True)


def _plain(value: object) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def write_text(text: str) -> None:
    """Write a text for a program, as it is."""
    print(text.rstrip("\n"), flush=True)


def complain(message: str, hint: str = "") -> None:
    """Write an error, and what to do about it, to standard error."""
    say(("podvisor: ", "bad"), message, stream=sys.stderr)
    if hint:
        say("  ", (hint, "dim"), stream=sys.stderr)


def progress(*cells: Cell) -> None:
    """Say how far it is, to a person who waits."""
    if is_terminal(sys.stderr):
        say(*cells, stream=sys.stderr)


def finding(
    found: "Finding | dict[str, Any]", *, indent: str = "  ", whose: str = "", note: str = ""
) -> None:
    """Write a finding, or its plain JSON: where, what, a note on it, and what to do."""
    plain = found if isinstance(found, dict) else _plain(found)
    mark = ("✗ ", "bad") if plain.get("fatal", True) else ("! ", "warn")
    say(indent, mark, whose, placed(plain), (note, "dim"))
    if plain.get("hint"):
        say(indent, "  ", (plain["hint"], "dim"))
    if plain.get("command"):
        say(indent, "  ", (plain["command"], "dim"))


def placed(found: dict[str, Any]) -> str:
    """Say what is found, after its place: `web/web.container:3: unknown key`."""
    place: str = found.get("path", "")
    if found.get("line"):
        place += f":{found['line']}"
    return f"{place}: {found['message']}" if place else str(found["message"])


def table(
    rows: Sequence[Sequence[Cell]],
    *,
    header: Sequence[str] = (),
    indent: str = "",
    cut: Collection[str] = (),
    fold: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> None:
    """Write rows in aligned columns.

    On a terminal that is too narrow the columns headed `cut` lose their ends, so that the others
    are read whole; those headed `fold` go on in the next line, the first of them first. Before a
    word is taken apart, or one of the others, those headed `drop` are left out, the first of them
    first.
    """
    if not rows:
        return
    lines = [[_written(_text(cell), sys.stdout) for cell in row] for row in (header, *rows) if row]
    if is_terminal():
        _rich_table(lines, rows, header, len(indent), cut=cut, fold=fold, drop=drop)
        return
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        print((indent + _GAP.join(map(str.ljust, line, widths))).rstrip())


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]


def _rich_table(
    lines: Sequence[Sequence[str]],
    rows: Sequence[Sequence[Cell]],
    header: Sequence[str],
    indent: int,
    *,
    cut: Collection[str],
    fold: Sequence[str],
    drop: Sequence[str],
) -> None:
    """Write the lines, each (but for that of the header) in the style of its row."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    colours = None if has_colours() else False
    console = Console(highlight=False, no_color=not has_colours(), force_terminal=colours)
    if drop:
        kept = _kept(lines, header, console.width - indent, cut=cut, fold=fold, drop=drop)
        header = [header[at] for at in kept]
        lines = [[line[at] for at in kept] for line in lines]
        rows = [[row[at] for at in kept] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip_longest(*lines, fillvalue="")]
    limits = _limits(widths, [at for at, title in enumerate(header) if title in cut], console.width)
    folded_at = [header.index(title) for title in fold]
    if folded_at:
        words = [_longest_word(column) for column in zip_longest(*lines, fillvalue="")]
        limits = _folded_limits(limits, words, folded_at, console.width - indent)
    grid = Table(
        box=None, show_header=bool(header), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0)
    )
    cut_end: Literal["crop", "ellipsis"] = (
        "ellipsis" if _written("…", sys.stdout) == "…" else "crop"
    )
    for at, limit in enumerate(limits):
        is_cut = limit < widths[at] and at not in folded_at
        folds = at in folded_at or (at == len(limits) - 1 and not is_cut)
        grid.add_column(
            header[at] if header else "",
            overflow="fold" if folds else cut_end,
            no_wrap=not folds,
            max_width=limit if limit < widths[at] else None,
        )
    for line, row in zip(lines[-len(rows) :], rows, strict=True):
        grid.add_row(
            *(Text(text, _RICH[_style(cell)]) for text, cell in zip(line, row, strict=True))
        )
    console.print(Padding(grid, (0, 0, 0, indent)))


def _kept(
    lines: Sequence[Sequence[str]],
    header: Sequence[str],
    room: int,
    *,
    cut: Collection[str],
    fold: Collection[str],
    drop: Sequence[str],
) -> list[int]:
    """Return which columns there is room for; a last one that is not to be dropped is folded."""
    from rich.cells import cell_len

    least = []
    for title, column in zip(header, zip(*lines, strict=True), strict=True):
        width = _longest_word(column) if title in fold else max(map(cell_len, column))
        if title in cut:
            width = min(width, _LEAST_CUT)
        elif title == header[-1] and title not in drop:
            width = min(width, _LEAST_FOLD)
        least.append(width)
    kept = list(range(len(header)))
    for title in drop:
        if sum(least[at] + len(_GAP) for at in kept) <= room:
            break
        if title in header:
            kept.remove(header.index(title))
    return kept


def _limits(widths: Sequence[int], cut: Sequence[int], room: int) -> list[int]:
    """Return the widths that fit: the widest of the columns `cut` gives first."""
    limits = list(widths)
    excess = sum(limits) + len(_GAP) * len(limits) - room
    while excess > 0 and cut:
        widest = max(cut, key=limits.__getitem__)
        if limits[widest] <= _LEAST_CUT:
            break
        limits[widest] -= 1
        excess -= 1
    return limits


def _longest_word(column: Sequence[str]) -> int:
    return max((len(word) for text in column for word in text.split()), default=0)


def _folded_limits(
    widths: Sequence[int], words: Sequence[int], folded_at: Sequence[int], room: int
) -> list[int]:
    """Return the widths that fit: columns are folded between words, and then within them.

    Those that come first in `folded_at` give first.
    """
    limits = list(widths)
    excess = sum(limits) + len(_GAP) * len(limits) - room
    whole = [max(_LEAST_FOLD, min(word, _MOST_UNFOLDED)) for word in words]
    for least in (whole, [_LEAST_FOLD] * len(limits)):
        for at in folded_at:
            given = min(max(excess, 0), max(limits[at] - least[at], 0))
            limits[at] -= given
            excess -= given
    return limits
