"""Which apps the settings of a source choose by name, and what in them fits nothing of it.

Used by `core.desired.discovery`: a word that is misspelt would leave apps out in silence.
"""

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from supervisor.core.desired.layout import EACH_UNIT, is_unit, names_units
from supervisor.core.files.source_paths import (
    fits,
    folders_of,
    ignoring,
    is_hidden,
    is_wild,
    literal,
    split,
)
from supervisor.kit.texts import nearest
from supervisor.model.errors import Finding
from supervisor.model.settings import SourceSettings


def selected(name: str, settings: SourceSettings) -> bool:
    """Whether an app is to be deployed."""
    chosen = not settings.select or any(fnmatchcase(name, glob) for glob in settings.select)
    return chosen and not any(fnmatchcase(name, glob) for glob in settings.exclude)


def used(globs: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of the globs of `apps` that fit a unit file, or a folder that one lies in."""
    units = [path for path in paths if is_unit(path)]
    folders = folders_of(units)
    return tuple(
        glob
        for glob in globs
        if (
            any(glob == EACH_UNIT or fits(path.split("/"), split(glob)) for path in units)
            if names_units(glob)
            else not split(glob) or any(fits(split(one), split(glob)) for one in folders)
        )
    )


def unfitting(
    settings: SourceSettings,
    *,
    source: str,
    paths: Collection[str],
    considered: Collection[str],
    fit: Collection[str],
    apps: Collection[str],
) -> Iterator[Finding]:
    """Warn of each glob and name of the settings that leaves apps out, for it fits nothing.

    `paths` are all of the source, with what could not be read, `considered` those that are not
    ignored, `fit` what `used` says of the globs of `apps`, and `apps` the names of its apps, the
    ones that are not selected too.
    """
    if not paths:
        return
    for glob in settings.apps:
        if glob not in fit:
            units = [path for path in considered if is_unit(path) and not is_hidden(path, root="")]
            what = "no unit file" if names_units(glob) else "no folder that holds a unit"
            meant = _nearest_path(glob, units)
            yield _finding("apps", glob, f"fits {what}", meant, source)
    for setting, names in (("select", settings.select), ("exclude", settings.exclude)):
        for glob in names:
            if not any(fnmatchcase(name, glob) for name in apps):
                yield _finding(setting, glob, "fits no app", nearest(glob, apps), source)


def ignores_nothing(
    settings: SourceSettings, *, source: str, paths: Collection[str]
) -> Iterator[Finding]:
    """Warn of each path in `ignore` that is not there.

    For whoever looks at the settings: it does no harm, and what has wildcards may be for later.
    """
    for glob in settings.ignore if paths else ():
        if not any(map(is_wild, split(glob))) and not any(map(ignoring((glob,)), paths)):
            meant = _nearest_path(glob, paths) if "/" in glob.rstrip("/") else _name(glob, paths)
            yield _finding("ignore", glob, "fits no file", meant, source)


def _finding(setting: str, glob: str, what: str, meant: str, source: str) -> Finding:
    hint = f"did you mean “{meant}”?" if meant else "take it out, or write what is there"
    message = f"“{glob}” in `{setting}` {what}"
    return Finding(message=message, source=source, hint=hint, fatal=False)


def _nearest_path(glob: str, paths: Iterable[str]) -> str:
    """Return a glob with the path in it that was probably meant before its wildcards begin."""
    parts = split(glob)
    fixed = next((at for at, part in enumerate(parts) if is_wild(part)), len(parts))
    found = {
        "/".join(path.split("/")[:fixed])
        for path in paths
        if path.count("/") >= fixed or (path.count("/") + 1 == fixed == len(parts))
    }
    meant = nearest("/".join(parts[:fixed]), found - {""}) if fixed else ""
    return "/".join((literal(meant), *parts[fixed:])) if meant else ""


def _name(glob: str, paths: Iterable[str]) -> str:
    """Return the name of a file or folder that was probably meant."""
    meant = nearest(glob.rstrip("/"), {part for path in paths for part in path.split("/")})
    return literal(meant)
