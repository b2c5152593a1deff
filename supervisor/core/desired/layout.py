"""Which folders of a source are apps, and which files are whose. Used by `core.desired.discovery`.

A glob of the settings names folders, `apps/*`, or unit files, `quadlets/*.container`: then each of
them is an app, with what it refers to (`core.desired.unit_groups`). A file belongs to the innermost
of the apps' folders. An app in whose folder others stand (`.` beside `*`) has what is loose there,
and the folders that hold no unit.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from supervisor.core.desired.unit_groups import group_units
from supervisor.core.files.image_context import ImageContexts
from supervisor.core.files.names import unit_kind
from supervisor.core.files.source_paths import fits, folders_of, is_below, is_hidden, is_wild, split
from supervisor.core.files.templates import template_of
from supervisor.model.quadlet import UnitKind
from supervisor.model.source import TreeFile

APP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""What can be the name of an app."""
EACH_UNIT = "units"
"""As a glob: every unit file of the source. A folder of that name is written `units/`."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One app's share of a source."""

    name: str
    root: str
    """Its folder; several apps can share one, if the globs name unit files."""
    files: tuple[TreeFile, ...]
    """With paths relative to `root`, sorted."""


def is_unit(path: str) -> bool:
    """Whether a file defines a unit, or would once its template is filled in."""
    return unit_kind(path) is not None or template_of(path) != ""


def names_units(glob: str) -> bool:
    """Whether a glob names unit files, not folders."""
    last = (split(glob) or ("",))[-1]
    return glob == EACH_UNIT or last == "*.*" or unit_kind(f"x{last}") is not None


def texts_of(files: Iterable[TreeFile], contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return what the files say of which the contents (by blob id) are at hand, by path."""
    return {
        file.path: contents[file.oid].decode(errors="replace")
        for file in files
        if file.oid in contents
    }


def builds_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Return those of the texts that say how an image is built."""
    return {path: text for path, text in texts.items() if path.endswith(".build")}


def find_layout(files: Iterable[TreeFile]) -> tuple[str, ...]:
    """Globs of the apps of a source whose settings name none.

    `apps/*`, if units stand below `apps/`, else each folder of the root; besides, what stands
    loose beside these folders. Only loose units are one app.
    """
    files = tuple(files)
    contexts = ImageContexts((file.path for file in files), {})
    units = [
        file.path
        for file in files
        if is_unit(file.path)
        and not is_hidden(file.path, root="")
        and not (contexts.holding(file.path) is not None and "/systemd/" in file.path)
    ]
    loose = [path for path in units if "/" not in path]
    quadlets = any(unit_kind(path) is not UnitKind.PLAIN for path in loose)
    if any(path.startswith("apps/") and path.count("/") > 1 for path in units):
        found = ["apps/*"]
        if any(path.startswith("apps/") and path.count("/") == 1 for path in units):
            found.append("apps")
    elif len(loose) < len(units) or not loose:
        found = ["*"]
    else:
        return (".",)
    return (*found, ".") if quadlets else tuple(found)


def divide(
    files: Sequence[TreeFile],
    globs: Sequence[str],
    source: str,
    *,
    overlaid: Iterable[str] = (),
    contents: Mapping[str, bytes],
) -> list[Part]:
    """Divide a source's files into apps. Of these `overlaid` are apps of this host at any rate."""
    folders = _Folders(files, [glob for glob in globs if not names_units(glob)], source)
    parts = folders.parts(frozenset(overlaid))
    chosen = [glob for glob in globs if names_units(glob)]
    if chosen:
        parts += _by_units(
            [file for file in files if folders.root_of(file.path) is None], chosen, contents
        )
    return parts


def _is_seed(path: str, globs: Iterable[str]) -> bool:
    if not is_unit(path):
        return False
    return any(
        not is_hidden(path, root="") if glob == EACH_UNIT else fits(path.split("/"), split(glob))
        for glob in globs
    )


def _by_units(
    files: Sequence[TreeFile], globs: Sequence[str], contents: Mapping[str, bytes]
) -> Iterator[Part]:
    by_path = {file.path: file for file in files}
    texts = texts_of(files, contents)
    contexts = ImageContexts(by_path, builds_of(texts))
    seeds = [path for path in by_path if _is_seed(path, globs) and contexts.holding(path) is None]
    for name, paths in group_units(seeds, by_path, texts).items():
        root = posixpath.commonpath([f"/{posixpath.dirname(path)}" for path in paths])[1:]
        inside = _within(root, (by_path[path] for path in sorted(paths)))
        yield Part(name=name, root=root, files=tuple(inside))


def _within(root: str, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
    start = len(root) + 1 if root else 0
    return (msgspec.structs.replace(file, path=file.path[start:]) for file in files)


class _Folders:
    """The folders that globs name, and which of them a path belongs to."""

    def __init__(self, files: Sequence[TreeFile], globs: Sequence[str], source: str) -> None:
        self._files = files
        self._named: dict[str, str] = {}
        patterns = [split(glob) for glob in globs]
        depths = sorted({len(pattern) for pattern in patterns}, reverse=True)
        self._depths = depths
        for depth in depths:
            passed: set[str] = set()
            for file in files:
                head = file.path.split("/", depth)
                folder = "/".join(head[:depth])
                if len(head) <= depth or folder in passed:
                    continue
                passed.add(folder)
                for pattern in patterns:
                    if fits(head[:depth], pattern):
                        self._named.setdefault(folder, _name(head[:depth], pattern))
                        break
        if "" in self._named:
            taken = set(self._named.values())
            self._named[""] = source if source not in taken else f"{source}-root"
        self._kept: frozenset[str] = frozenset(self._named)
        self._without: set[str] = set()
        """Folders with units that are in no app, in the folder of one that has only the rest."""

    def root_of(self, path: str) -> str | None:
        """Return the app's folder that a path belongs to; None if to none."""
        for depth in self._depths:
            parts = path.split("/", depth + 1)
            head = "/".join(parts[:depth])
            if head in self._kept and len(path) > len(head):
                if is_hidden(path, head) or "/".join(parts[: depth + 1]) in self._without:
                    return None
                return head
        return None

    def parts(self, overlaid: frozenset[str]) -> list[Part]:
        """Return the apps: folders that hold a unit, or over which this host lays files."""
        units = [file.path for file in self._files if is_unit(file.path)]
        holding = {self.root_of(path) for path in units}
        self._kept = frozenset(
            folder for folder, name in self._named.items() if folder in holding or name in overlaid
        )
        above = folders_of(self._kept)
        for divided in self._kept & above:
            start = len(divided) + 1 if divided else 0
            for path in units:
                end = path.find("/", start)
                if is_below(path, divided) and end > 0 and path[:end] not in self._kept:
                    self._without.add(path[:end])
        found: dict[str, list[TreeFile]] = {folder: [] for folder in sorted(self._kept)}
        for file in self._files:
            folder = self.root_of(file.path)
            if folder is not None:
                found[folder].append(file)
        return [
            Part(name=self._named[root], root=root, files=tuple(_within(root, some)))
            for root, some in found.items()
        ]


def _name(parts: Sequence[str], pattern: Sequence[str]) -> str:
    """Name of an app: what the wildcards stand for, else the last part."""
    varying = [part for part, one in zip(parts, pattern, strict=True) if is_wild(one)]
    return "-".join(varying) or (parts[-1].lstrip(".") if parts else "")
