"""Folds a line at a terminal's width: between words where it can, so that nothing of it is lost."""

from collections.abc import Iterator, Sequence

Styled = tuple[str, str]
"""A text and its style."""

_FIRST_WIDE = "\u0300"
"""From here on, characters may take no column, or two."""


def folded(cells: Sequence[Styled], width: int, *, hang: int) -> Iterator[list[Styled]]:
    """Yield the lines of one that may be longer; all but the first begin with `hang` spaces."""
    text = "".join(text for text, _ in cells)
    hang = min(hang, width // 2)
    for first, last in _lines(text, width, hang):
        line = [(" " * hang, "")] if first else []
        begin = 0
        for piece, style in cells:
            part = piece[max(0, first - begin) : max(0, last - begin)]
            begin += len(piece)
            if part:
                line.append((part, style))
        yield line


def _lines(text: str, width: int, hang: int) -> Iterator[tuple[int, int]]:
    """Yield where each line begins and ends in the text."""
    first, room = 0, width
    while True:
        last = _fitting(text, first, room)
        if last < len(text) and text[last] != " ":
            # What a line hangs by (spaces, a mark) is no word to fold behind.
            space = text.rfind(" ", first + (0 if first else hang), last)
            last = space if space > first else last
        yield first, last
        while last < len(text) and text[last] == " ":
            last += 1
        if last == len(text):
            return
        first, room = last, width - hang


def _fitting(text: str, first: int, room: int) -> int:
    """Return where the text from `first` on fills the room; at least one character fits."""
    last = first
    while last < len(text):
        room -= _columns(text[last])
        if room < 0 and last > first:
            break
        last += 1
    return last


def _columns(character: str) -> int:
    if character < _FIRST_WIDE:
        return 1
    from rich.cells import get_character_cell_size

    return get_character_cell_size(character)
