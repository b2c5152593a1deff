"""Lines of unified diffs, in colours."""

from collections.abc import Iterable

from supervisor.cli.show import screen

_STYLES = (("+++", "strong"), ("---", "strong"), ("@@", "dim"), ("+", "good"), ("-", "bad"))
_CODES = {"good": "32", "bad": "31", "dim": "36", "strong": "1"}


def show_diff(lines: Iterable[str], *, colours: bool) -> None:
    """Write the lines; tabs stay, as they mean something there."""
    for line in lines:
        style = next((style for start, style in _STYLES if line.startswith(start)), "")
        text = "\t".join(screen.clean(part) for part in line.split("\t"))
        print(f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and colours else text)
