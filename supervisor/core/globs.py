"""Globs of paths within a source: those of `apps`, part by part, and those of `ignore`."""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

_WILD = re.compile(r"[*?\[]")


def is_wild(part: str) -> bool:
    """Whether a part of a glob stands for more than itself."""
    return bool(_WILD.search(part))


def literal(path: str) -> str:
    """Return a glob that fits one path only."""
    return _WILD.sub(r"[\g<0>]", path)


def split(glob: str) -> tuple[str, ...]:
    """Return the parts of a glob of paths; none for the source's root (`.`, `./`)."""
    return tuple(part for part in glob.split("/") if part not in ("", "."))


def fits(parts: Sequence[str], glob: Sequence[str]) -> bool:
    """Whether a path is what a glob stands for; a hidden part has to be written with its dot."""
    return len(parts) == len(glob) and all(
        fnmatchcase(part, one) and (one.startswith(".") or not part.startswith("."))
        for part, one in zip(parts, glob, strict=True)
    )


def ignoring(globs: Iterable[str]) -> Callable[[str], str]:
    """Return a function that gives the glob for which a path is ignored, empty for none.

    As in `.gitignore`: a glob without `/` fits a name at any depth, one with it a path from the
    source's root; `**` stands for any folders, and a folder takes along what is in it.
    """
    known = [
        (glob, split(glob) if "/" in glob.rstrip("/") else ("**", *split(glob))) for glob in globs
    ]

    def ignored(path: str) -> str:
        parts = path.split("/")
        return next((text for text, glob in known if _takes(parts, glob)), "")

    return ignored


def _takes(parts: Sequence[str], glob: Sequence[str]) -> bool:
    """Whether a path, or a folder that it lies in, is what a glob stands for."""
    if not glob:
        return True
    if glob[0] == "**" != glob[-1] and glob[1:] == glob[-1:]:  # a name: most globs are
        return any(fnmatchcase(part, glob[-1]) for part in parts)
    if glob[0] == "**":
        return any(_takes(parts[at:], glob[1:]) for at in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], glob[0]) and _takes(parts[1:], glob[1:])
