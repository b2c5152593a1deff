"""Writes for people: aligned and calm, in colours on a terminal only.

What came from outside never reaches a terminal as an escape code.

rich draws tables on a terminal, where they must fit its width; everywhere else they are plain
text, and rich is not even imported.
"""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

Cell = str | tuple[str, str]
"""A text, or a text with its style."""

_CODES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "strong": "1", "": ""}
_RICH = {"good": "green", "bad": "red", "warn": "yellow", "dim": "dim", "strong": "bold", "": ""}
_GAP = "  "


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


def clean(text: str) -> str:
    """Return the text in one line, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text)


def paint(cell: Cell, *, stream: TextIO | None = None) -> str:
    """Return the text, in its colour where there are colours."""
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    code = _CODES[style]
    return f"\x1b[{code}m{clean(text)}\x1b[0m" if code and has_colours(stream) else clean(text)


def say(*cells: Cell, stream: TextIO | None = None) -> None:
    """Write a line of cells, one after the other, at once."""
    output = stream or sys.stdout
    text = "".join(paint(cell, stream=output) for cell in cells)
    print(text.rstrip(), file=output, flush=True)


def complain(message: str, hint: str = "") -> None:
    """Write an error, and what to do about it, to standard error."""
    say(("podvisor: ", "bad"), message, stream=sys.stderr)
    if hint:
        say("  ", (hint, "dim"), stream=sys.stderr)


def finding(found: "dict[str, object]", *, indent: str = "  ") -> None:
    """Write a finding (a plain `model.errors.Finding`): where, what, and what to do."""
    place = str(found.get("path") or "")
    if found.get("line"):
        place += f":{found['line']}"
    fatal = found.get("fatal", True)
    message = f"{place}: {found['message']}" if place else str(found["message"])
    say(indent, ("✗ ", "bad") if fatal else ("! ", "warn"), message)
    if found.get("hint"):
        say(indent, "  ", (str(found["hint"]), "dim"))


def table(rows: Sequence[Sequence[Cell]], *, header: Sequence[str] = (), indent: str = "") -> None:
    """Write rows in aligned columns."""
    if not rows:
        return
    if is_terminal():
        _rich_table(rows, header, len(indent))
        return
    lines: list[Sequence[Cell]] = [header, *rows] if header else [*rows]
    plain = [[clean(cell if isinstance(cell, str) else cell[0]) for cell in row] for row in lines]
    widths = [max(len(row[at]) for row in plain if at < len(row)) for at in range(_columns(plain))]
    for row in plain:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=False))
        print((indent + _GAP.join(cells)).rstrip())


def _columns(rows: Sequence[Sequence[object]]) -> int:
    return max(map(len, rows))


def _rich_table(rows: Sequence[Sequence[Cell]], header: Sequence[str], indent: int) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=None, show_header=bool(header), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for at in range(_columns(rows)):
        last = at == _columns(rows) - 1
        grid.add_column(
            header[at] if at < len(header) else "",
            overflow="fold" if last else "ellipsis",
            no_wrap=not last,
        )
    for row in rows:
        pairs = [cell if isinstance(cell, tuple) else (cell, "") for cell in row]
        grid.add_row(*(Text(clean(text), style=_RICH[style]) for text, style in pairs))
    colours = None if has_colours() else False
    console = Console(highlight=False, no_color=not has_colours(), force_terminal=colours)
    console.print(Padding(grid, (0, 0, 0, indent)))
