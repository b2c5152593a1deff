"""What a source may hold: the names, sizes and links of both kinds of source."""

import unicodedata
from collections.abc import Iterable, Mapping
from operator import attrgetter

from msgspec.structs import replace

from supervisor.core.files.source_paths import folders_of, parents
from supervisor.kit.links import resolve
from supervisor.model.errors import Finding
from supervisor.model.source import FileKind, TreeFile

_LONGEST_TARGET = 4_095
"""As the kernel has it (PATH_MAX)."""
_path = attrgetter("path")


def shown(path: bytes) -> str:
    """Return a path as it can be shown: control characters and odd bytes as escapes."""
    text = path.decode(errors="backslashreplace")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c)[0] == "C" else c
        for c in text
    )


def name_problem(path: bytes) -> str:
    """Return what is wrong with a path's name, empty if nothing."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return "has a name that is not UTF-8"
    if not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text):
        return "has control characters in its name"
    if any(part in ("", ".", "..") for part in text.split("/")):
        return "has a path that leads elsewhere (`.`, `..`, `//` or from the root)"
    return ""


def refused(source: str, path: bytes, message: str, hint: str = "") -> Finding:
    """Make the finding that refuses a path."""
    return Finding(message=message, source=source, path=shown(path), hint=hint)


def unread(source: str, path: bytes, error: OSError, *, hides: bool = False) -> Finding:
    """Make the finding of a path that cannot be read; `hides` says that it is a folder."""
    message = f"cannot be read: {error.strerror or error}"
    hint = (
        "make it readable, as with chmod u+rX, or leave it out with `ignore`; what was deployed"
        " from it stays as it is"
    )
    return replace(refused(source, path, message, hint), hides=hides)


def too_large(source: str, path: bytes, size: int, limit: int) -> Finding:
    """Make the finding that refuses a file for its size."""
    return refused(
        source,
        path,
        f"is larger than the limit ({_bytes(size)}, limit {_bytes(limit)})",
        "raise [limits] file_size, or keep it in a volume or an image",
    )


def screen(
    source: str, files: Iterable[TreeFile], links: Mapping[str, str], *, file_size: int
) -> tuple[tuple[TreeFile, ...], list[Finding]]:
    """Sort `files`, taking out those that are refused; `links` holds the targets of the links."""
    kept: list[TreeFile] = []
    findings: list[Finding] = []
    ordered = sorted(files, key=_path)
    names = set(map(_path, ordered))
    taken = names & folders_of(names)
    for file in ordered:
        if file.kind is FileKind.SYMLINK:
            problem = _link_problem(file.path, links)
            if problem:
                hint = "make it point into the source"
                findings.append(refused(source, file.path.encode(), problem, hint))
                continue
        elif file.size > file_size:
            findings.append(too_large(source, file.path.encode(), file.size, file_size))
            continue
        if taken and not taken.isdisjoint(parents(file.path)):
            problem = "has a file where its folder should be"
            findings.append(refused(source, file.path.encode(), problem))
            continue
        kept.append(file)
    return tuple(kept), findings


def _link_problem(path: str, links: Mapping[str, str]) -> str:
    target = links.get(path)
    if target is None:
        return "is a symlink that cannot be read"
    if name := target_problem(target):
        return name
    if target.startswith("/"):
        return f"is a symlink to an absolute path ({target})"
    if resolve(path, links) is None:
        return f"is a symlink that leads out of the source, or in circles ({target})"
    return ""


def target_problem(target: str) -> str:
    """Return what is wrong with the text of a link's target, empty if nothing."""
    if not target:
        return "is a symlink to nothing"
    if len(target) > _LONGEST_TARGET:
        return "is a symlink to a path that is too long"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in target):
        return "is a symlink with control characters or odd bytes in its target"
    return ""


def _bytes(size: int) -> str:
    for unit, step in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= step:
            return f"{size / step:.1f}".removesuffix(".0") + unit
    return f"{size} bytes"
