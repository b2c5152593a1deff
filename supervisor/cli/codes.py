"""Exit codes of all commands; docs/reference/exit-codes.md explains them."""

from collections.abc import Sequence

OK = 0
ERROR = 1
CHANGES = 2
"""Of `plan` and `diff`, with --exit-code."""
NOT_WELL = 3
"""It was done all the same."""
NOT_RUNNING = 4
USAGE = 64
"""EX_USAGE of sysexits.h."""
SETTINGS = 78
"""EX_CONFIG of sysexits.h."""
INTERRUPTED = 130

MEANINGS = {
    OK: "all is well",
    ERROR: "it could not be done; the reason is said",
    CHANGES: "there are changes to make",
    NOT_WELL: "an app is refused, failing or taken back, or a source cannot be read",
    NOT_RUNNING: "the daemon is not running",
    USAGE: "the command line is wrong",
    SETTINGS: "the settings are refused",
    INTERRUPTED: "interrupted with Ctrl-C",
}


def epilog(*special: int, examples: Sequence[str] = (), **other: str) -> str:
    """Say for a command's help how it is typed, and which codes it returns.

    `other` gives a code other words: c3="…".
    """
    chosen = sorted({OK, ERROR, *special})
    words = {code: other.get(f"c{code}", MEANINGS[code]) for code in chosen}
    # \b keeps click from filling the lines into one paragraph.
    parts = ["\b\nExit codes:", *(f"  {code}  {text}" for code, text in words.items())]
    if examples:
        parts = ["\b\nExamples:", *(f"  {one}" for one in examples), "", *parts]
    return "\n".join(parts)
