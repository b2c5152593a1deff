"""Where each key of a TOML text stands: `tomllib` tells what a file says, but not where.

Lines of a text that it has read as a whole are taken together until it can read them by themselves.
"""

import tomllib
from collections.abc import Iterator

Path = tuple[str, ...]
"""A key with its tables, `("sources", "web", "poll")`."""
_MOST_LINES = 200
"""Of one statement; behind one that is longer nothing is looked for."""


def key_lines(text: str) -> dict[Path, int]:
    """Line, counted from 1, of the statement that first names a key or table."""
    found: dict[Path, int] = {}
    table: Path = ()
    lines = text.split("\n")
    begin, end = 0, 1
    while begin < len(lines) and end - begin <= _MOST_LINES:
        statement = "\n".join(lines[begin:end]) + "\n"
        try:
            paths = list(_paths(tomllib.loads(statement)))
        except (ValueError, RecursionError):
            end += 1
            continue
        is_header = statement.lstrip().startswith("[")
        for path in paths:
            found.setdefault(path if is_header else (*table, *path), begin + 1)
        if is_header:
            table = paths[-1]
        begin, end = end, end + 1
    return found


def _paths(value: object) -> Iterator[Path]:
    for one in value if isinstance(value, list) else [value]:
        for key, inner in one.items() if isinstance(one, dict) else ():
            yield (key,)
            yield from ((key, *path) for path in _paths(inner))
