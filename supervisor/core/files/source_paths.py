"""Paths within a source: the folders that they lie in, and the globs of `apps` and `ignore`."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

_WILD = re.compile(r"[*?\[]")


def parents(path: str) -> Iterator[str]:
    """Folders that a path lies in, from the innermost on; the root, which is empty, is the last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return the folders that any of these paths lies in, the root among them."""
    found: set[str] = set()
    for path in paths:
        for folder in parents(path):
            if folder in found:
                break
            found.add(folder)
    return found


def with_parents(path: str) -> Iterator[str]:
    """Yield a path, and then the folders that it lies in."""
    yield path
    yield from parents(path)


def is_below(path: str, root: str) -> bool:
    """Whether a path is that of a folder, or of something in it; the empty folder holds all."""
    return not root or path == root or path.startswith(f"{root}/")


def is_hidden(path: str, root: str) -> bool:
    """Whether it lies below a hidden folder, as seen from `root`, which may be one itself."""
    inside = path[len(root) :]
    return (inside.startswith(".") or "/." in inside) and any(
        part.startswith(".") and part not in {".", ".."} for part in inside.split("/")[:-1]
    )


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


def glob_problem(setting: str, glob: str) -> str:
    """Return why a text cannot be a glob of `apps` or `ignore`, empty if it can."""
    if glob.startswith(("/", "~")) or ".." in glob.split("/"):
        return "it must stay within the source"
    if not glob.strip("/") or not glob.isprintable():
        return "it fits nothing"
    if setting == "ignore" and not glob.strip("./"):
        return "it would leave out everything"
    return ""


def _takes(parts: Sequence[str], glob: Sequence[str]) -> bool:
    """Whether a path, or a folder that it lies in, is what a glob stands for."""
    if not glob:
        return True
    if glob[0] == "**" != glob[-1] and glob[1:] == glob[-1:]:  # a name: most globs are
        return any(fnmatchcase(part, glob[-1]) for part in parts)
    if glob[0] == "**":
        return any(_takes(parts[at:], glob[1:]) for at in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], glob[0]) and _takes(parts[1:], glob[1:])
