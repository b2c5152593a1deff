"""Which paths and links an app's files may have in the owned folder."""

import os
import unicodedata
from contextlib import suppress

from supervisor.kit.links import resolve
from supervisor.model.source import FileKind, TreeFile

MANIFEST = ".podvisor.json"


def path_problem(path: str) -> str:
    """Return why a path cannot be that of an app's file, empty if it can."""
    if any(part in ("", ".", "..") for part in path.split("/")) or path == MANIFEST:
        return "its path leads elsewhere"
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return "it has control characters in its name"
    return ""


def link_problem(file: TreeFile, content: bytes) -> str:
    """Return why a link cannot be installed, empty if it can (or is none)."""
    if file.kind is not FileKind.SYMLINK:
        return ""
    target = os.fsdecode(content)
    if not target or "\0" in target:
        return "it is a link to nothing"
    leaves = target.startswith("/") or resolve(file.path, {file.path: target}) is None
    return f"it is a link out of the app ({target})" if leaves else ""


def leads_to(link: str, root: str) -> str:
    """Return the path that a link leads to; where it says one below `root`, that as it is said.

    So say those that systemd makes: for thousands of them each folder on the way is not looked at.
    """
    with suppress(OSError):
        said = os.readlink(link)  # noqa: PTH115
        if said.startswith(f"{root}/") and said == os.path.normpath(said):
            return said
    return os.path.realpath(link)
