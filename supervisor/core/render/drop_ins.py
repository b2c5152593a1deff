"""Drop-ins stay within their app: neither Quadlet nor systemd would keep them to it.

Quadlet lays `container.d/` over every container of the user, and `b.container.d/` over `b`, in
whichever folder either stands; systemd does so with the drop-ins that are linked for it.
"""

import posixpath
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from supervisor.core.files.names import is_drop_in
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.quadlet import QUADLETS
from supervisor.model.unit_name import is_template, template_of

_OF_SYSTEMD = frozenset({"service", "timer", "socket", "path", "target", "slice", "mount"})
_OF_QUADLET = frozenset(suffix.removeprefix(".") for suffix in QUADLETS)
_HINT = (
    "name the folder after one unit of this app, such as {example}; what is meant for all"
    " apps is this host's: put it into ~/.config/containers/systemd/{folder} by hand"
)


def report_reaching(reading: Reading) -> None:
    """Refuse an app with a drop-in for what is not its own."""
    files = reading.files
    own = {file.path: file for file in files.app.files}
    paths = list(own | dict.fromkeys(files.linked))
    names = {posixpath.basename(path) for path in paths} | {unit.name for unit in reading.units}
    for path in paths:
        folder = posixpath.basename(posixpath.dirname(path))
        unit = folder.removesuffix(".d")
        stem, _, suffix = unit.rpartition(".")
        if not is_drop_in(path) or suffix not in _OF_QUADLET | _OF_SYSTEMD:
            continue
        if path in files.linked and path not in own and suffix in _OF_SYSTEMD:
            message = f"{folder} has no effect: it is a link to a folder"
            hint = "make it a folder; the files in it may be links"
            reading.report(message, path=path, hint=hint, fatal=False)
        elif not stem and suffix in _OF_SYSTEMD:
            message = f"{folder} has no effect: podvisor gives systemd drop-ins of single units"
            hint = f"name the folder after one unit of this app, such as web.{suffix}.d"
            reading.report(message, path=path, hint=hint, fatal=False)
        elif not stem or stem.endswith("-"):
            whose = f"whose name begins with {stem}" if stem else "there is"
            message = f"{folder} changes every .{suffix} {whose}, those of other apps too"
            hint = _HINT.format(example=_example(suffix, names), folder=folder)
            reading.report(message, path=path, hint=hint)
        elif (suffix in _OF_SYSTEMD and reading.refused) or {unit, template_of(unit)} & names:
            continue
        else:
            message = f"{folder} is for {unit}, which is no unit of app {files.app.name}"
            hint = "put it into the app that has this unit, or leave it out"
            reading.report(message, path=path, hint=hint)


def shaped_outside(unit: DesiredUnit, around: Mapping[str, str]) -> DesiredUnit:
    """Return a unit with those of the user's own drop-ins that Quadlet lays over it, too."""
    name = posixpath.basename(unit.path)
    mine = {
        path: mark
        for path, mark in around.items()
        if is_drop_in(path) and _is_laid_over(path, name)
    }
    return replace(unit, outside=mine) if mine else unit


def _is_laid_over(drop_in: str, unit: str) -> bool:
    folder = posixpath.basename(posixpath.dirname(drop_in)).removesuffix(".d")
    stem, _, suffix = unit.rpartition(".")
    wanted, _, kind = folder.rpartition(".")
    if kind != suffix or kind not in _OF_QUADLET:
        return False
    template = f"{stem.partition('@')[0]}@" if "@" in stem else stem
    return wanted in ("", stem, template) or (wanted.endswith("-") and stem.startswith(wanted))


def _example(suffix: str, names: Iterable[str]) -> str:
    mine = sorted(name for name in names if name.endswith(f".{suffix}") and not is_template(name))
    return f"{mine[0] if mine else f'web.{suffix}'}.d"
