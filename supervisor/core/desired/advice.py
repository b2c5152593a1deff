"""Lines of settings that take in, or leave out, what is in no app: each is tried before it is said.

Whoever follows one loses nothing: every app stays as it is, with all of its files. Used by
`core.desired.discovery`.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from supervisor.core.desired.layout import APP_NAME, Part, is_unit, names_units
from supervisor.core.desired.left_out import LeftOut, line_of, together
from supervisor.core.files.source_paths import glob_problem, ignoring, is_hidden, literal, split
from supervisor.model.errors import Finding
from supervisor.model.setting_types import Globs
from supervisor.model.settings import SourceSettings

Divide = Callable[[SourceSettings], Sequence[Part]]
"""Gives the apps of a source as other settings would have them."""

_TRIED = (4, 16, 6_000)
"""So many lines are tried for one source, at least and at most, and over so many files in all:
each divides the source again."""
_PLACES = {("containers", "systemd"), ("systemd", "user")}


def with_advice(
    left: Iterable[LeftOut], settings: SourceSettings, globs: Sequence[str], divide: Divide
) -> tuple[LeftOut, ...]:
    """Return what is left out, with the globs that would take it in or leave it out.

    `globs` are those of the apps now that fit something: they have to be named along with the new
    ones. So have those of `ignore`.
    """
    taking = _Taking(settings, globs, divide)
    leaving = _Leaving(settings, divide)
    return tuple(
        one if one.meant else replace(one, take=taking.glob(one.path), leave=leaving.glob(one.path))
        for one in left
    )


def apart(
    part: Part,
    units: Sequence[str],
    leading: Sequence[str],
    *,
    settings: SourceSettings,
    globs: Sequence[str],
    source: str,
    divide: Divide,
) -> Finding | None:
    """Say that an app's units may be meant as many apps, with the line that makes them so.

    With it all other apps stay as they are, and every unit of this one is in some app.
    """
    found = together(part.name, part.root, units, leading)
    if found is None:
        return None
    parts = divide(replace(settings, apps=Globs(globs)))
    others = {one for one in parts if one != part}
    beside = sorted(literal(one.root) or "." for one in others)
    needed = {path for one in parts for path in _units(one)}
    lines = (
        [*dict.fromkeys((*more, glob))]
        for glob in found.globs
        for more in ((), *([[one for one in globs if one != "."], beside] if others else []))
    )
    hint = ""
    for line in lines:
        after = divide(replace(settings, apps=Globs(line)))
        names = {one.name for one in after}
        taken = {path for one in after for path in _units(one)}
        sound = all(map(_is_sound, set(after) - others)) and len(parts) < len(names) == len(after)
        if others <= set(after) and needed <= taken and sound:
            shown = line_of(line, ())
            hint = f"apps = {shown if len(line) == 1 else f'[{shown}]'} {found.hint}; "
            break
    return Finding(
        message=found.message,
        source=source,
        path=part.root,
        hint=f"{hint}any `apps` of your own ends this warning",
        fatal=False,
    )


def _is_sound(part: Part) -> bool:
    """Whether a part can be an app: no two of its files define one unit, and its name is one."""
    units = [posixpath.basename(path) for path in _units(part)]
    return len(set(units)) == len(units) and APP_NAME.fullmatch(part.name) is not None


def _tries(parts: Sequence[Part]) -> int:
    least, most, files = _TRIED
    return max(least, min(most, files // (1 + sum(len(part.files) for part in parts))))


class _Taking:
    """Globs of `apps`, one after the other."""

    def __init__(self, settings: SourceSettings, globs: Sequence[str], divide: Divide) -> None:
        self._settings = settings
        self._globs = list(globs)
        self._divide = divide
        self._parts = divide(settings)
        self._left = _tries(self._parts)
        self._by_path: dict[str, str] = {}

    def glob(self, path: str) -> str:
        """Return one that makes the unit part of an app; empty if there is none."""
        if path in self._by_path:
            return self._by_path[path]
        by_unit = bool(self._globs) and all(map(names_units, self._globs))
        for glob in _that_take(path, by_unit=by_unit):
            if not self._left:
                break
            self._left -= 1
            if glob not in self._globs and not glob_problem("apps", glob):
                self._try(glob)
            if path in self._by_path:
                return glob
        return ""

    def _try(self, glob: str) -> None:
        parts = self._divide(replace(self._settings, apps=Globs((*self._globs, glob))))
        old = set(self._parts)
        new = [part for part in parts if part not in old]
        if not new or len(parts) - len(new) != len(old):
            return
        names = [part.name for part in parts]
        units = [path for part in parts for path in _units(part)]
        taken = {posixpath.basename(path) for part in old for path in _units(part)}
        added = [posixpath.basename(path) for part in new for path in _units(part)]
        if any(names.count(part.name) > 1 for part in new):
            return
        if len(set(added)) < len(added) or not taken.isdisjoint(added):
            return
        self._globs.append(glob)
        self._parts = parts
        self._by_path.update((path, glob) for path in units if path not in self._by_path)


class _Leaving:
    """Globs of `ignore`, one after the other."""

    def __init__(self, settings: SourceSettings, divide: Divide) -> None:
        self._settings = settings
        self._divide = divide
        self._parts = divide(settings)
        self._needed = [path for part in self._parts for path in _paths(part)]
        self._found: list[str] = []
        self._left = _tries(self._parts)

    def glob(self, path: str) -> str:
        """Return one that fits the file, and nothing of an app; empty if there is none."""
        if known := ignoring(self._found)(path):
            return known
        for glob in _that_leave(path):
            if not self._left:
                break
            self._left -= 1
            fitting = ignoring((glob,))
            if glob_problem("ignore", glob) or any(map(fitting, self._needed)):
                continue
            ignore = Globs((*self._settings.ignore, *self._found, glob))
            if set(self._divide(replace(self._settings, ignore=ignore))) == set(self._parts):
                self._found.append(glob)
                return glob
        return ""


def _that_take(path: str, *, by_unit: bool) -> Iterator[str]:
    """Globs that may take a unit file in: the widest first, where apps are folders."""
    parent = posixpath.dirname(path)
    folder = f"{literal(parent)}/" if parent else ""
    if is_hidden(path, root=""):
        yield _hidden_glob(path)
        yield literal(parent)
    elif not by_unit:
        yield from map(literal, _folders(path))
        if not parent:
            yield "."
    else:
        yield f"{folder}*.*"
    yield literal(path)


def _that_leave(path: str) -> Iterator[str]:
    """Globs that leave a file out: the widest first, each as a name where no other has it."""
    for place in (*_folders(path), path):
        yield literal(place)
        if "/" not in place:
            yield f"./{literal(place)}"


def _folders(path: str) -> Iterator[str]:
    return (path[:at] for at, letter in enumerate(path) if letter == "/")


def _hidden_glob(path: str) -> str:
    """Return a glob of the hidden folder that a unit lies in; `*` for what comes before it."""
    parts = split(posixpath.dirname(path))
    first = next(at for at, part in enumerate(parts) if part.startswith("."))
    end = max(
        (at + 2 for at in range(first, len(parts)) if tuple(parts[at : at + 2]) in _PLACES),
        default=len(parts),
    )
    return "/".join((*("*" * first), *map(literal, parts[first:end])))


def _paths(part: Part) -> Iterator[str]:
    """Paths of an app's files in the source."""
    return (posixpath.join(part.root, file.path) for file in part.files)


def _units(part: Part) -> Iterator[str]:
    return filter(is_unit, _paths(part))
