"""What of a source is deployed by no app although it looks like a unit, and what falls together.

Used by `core.desired.discovery`, so that nothing is left out, or taken for one app, in silence.
What the settings leave out (`ignore`, `select`, `exclude`) is listed, and no finding.
"""

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from supervisor.core.desired.layout import EACH_UNIT, is_unit, names_units
from supervisor.core.files.certificate_files import CERTIFICATES
from supervisor.core.files.names import SEVERAL_UNITS, UNSUPPORTED
from supervisor.core.files.source_paths import fits, is_below, is_hidden, is_wild, literal, split
from supervisor.model.errors import Finding

_NAMED = 4
"""So many globs are added to a line of settings."""
_FLAT = 6
_MANY = 9
"""From so many units on, of which so many run by themselves, one app of them is worth a word."""
_ENABLING = (".wants", ".requires", ".upholds")
"""Folders of links that systemd makes of `[Install]`."""
_WITHIN = frozenset(
    {"containers", "quadlet", "quadlets", "systemd", "system", "units", "user", "config"}
)
"""Folders that divide one app's units by kind, and are no apps."""


def not_deployed(path: str) -> tuple[str, str] | None:
    """Say why a file of an app is no unit although it looks like one, and what to do."""
    suffix = posixpath.splitext(path)[1]
    if is_hidden(path, root=""):
        return None
    if suffix == SEVERAL_UNITS:
        return (
            "is left out: only `podman quadlet install` makes units of a file that holds several",
            "split it at its --- lines: each part is a file of the name after # FileName=",
        )
    if suffix in UNSUPPORTED:
        message = f"is left out: podvisor deploys no {suffix} units"
        return message, "link it into ~/.config/systemd/user by hand"
    return None


def of_several_units(paths: Iterable[str], source: str) -> Iterator[Finding]:
    """Warn of files, of no app, that hold several units; `paths` are those of no app."""
    for path in paths:
        if path.endswith(SEVERAL_UNITS) and (why := not_deployed(path)):
            message, hint = why
            yield Finding(message=message, source=source, path=path, hint=hint, fatal=False)


def of_certificates(texts: Mapping[str, str], source: str) -> Iterator[Finding]:
    """Warn of `.certificate` files of no app, of which these are the texts, by path."""
    for path, text in texts.items():
        if CERTIFICATES.describes(text):
            yield Finding(
                message="is in no app: nobody asks for this certificate",
                source=source,
                path=path,
                hint="put it into the folder of an app, which has a unit",
                fatal=False,
            )


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A unit file of a source that is part of no app."""

    path: str
    reason: str
    """For people."""
    meant: bool = False
    """Whether the settings say so."""
    take: str = ""
    """A glob of `apps` that makes it part of an app; empty if none is known."""
    leave: str = ""
    """A glob of `ignore` that leaves it out, and nothing of an app; empty if none is known."""


def overlooked(
    left: Sequence[LeftOut],
    globs: Sequence[str],
    ignore: Sequence[str],
    source: str,
    roots: Collection[str],
) -> Iterator[Finding]:
    """Say once what no glob names, with the lines of settings that take it in or leave it out."""
    hidden = {one.path for one in left if is_hidden(one.path, root="")}
    found = [
        one
        for one in sorted(left, key=lambda one: one.path in hidden)
        if not one.meant and (one.path not in hidden or not roots or "/.config/" in f"/{one.path}")
    ]
    if not found:
        return
    count = len(found)
    files = "1 unit file is" if count == 1 else f"{count} unit files are"
    first = found[0].path
    it = "it" if count == 1 else "them"
    hints = []
    taken = it if all(one.take for one in found) else "some"
    if take := dict.fromkeys(one.take for one in found if one.take):
        hints.append(f"apps = [{line_of(globs, take)}] takes {taken} in")
    if leave := dict.fromkeys(one.leave for one in found if one.leave):
        they = "they" if all(one.leave for one in found) else "some"
        meant = "it is" if count == 1 else f"{they} are"
        hints.append(f"ignore = [{line_of(ignore, leave)}] says that {meant} meant to be left out")
    message = f"{files} in no app ({first} …)" if count > 1 else f"{files} in no app"
    path = "" if count > 1 else first
    hint = "; ".join(hints)
    yield Finding(message=message, source=source, path=path, hint=hint, fatal=False)


def weighed(one: Finding, globs: Iterable[str]) -> Finding:
    """Return what was refused outside of all apps: a warning, unless it may be one, or hold one."""
    for glob in globs:
        if _may_be_for(glob, one):
            return one
        parts = split(glob)
        fixed = next((at for at, part in enumerate(parts) if is_wild(part)), len(parts))
        if fixed and is_below("/".join(parts[:fixed]), one.path):
            return one
    return replace(one, fatal=False)


def _may_be_for(glob: str, one: Finding) -> bool:
    """Whether a folder that cannot be looked into, or a unit file, is what a glob is meant for."""
    path, parts = one.path.split("/"), split(glob)
    if one.hides:
        deep = len(parts) - 1 if names_units(glob) else len(parts)
        end = 0 if glob == EACH_UNIT else min(len(path), deep)
        return not is_hidden(f"{one.path}/", root="") and fits(path[:end], parts[:end])
    if not is_unit(one.path) or any(part.endswith(_ENABLING) for part in path[:-1]):
        return False
    if names_units(glob):
        return glob == EACH_UNIT or fits(path, parts)
    return len(path) > len(parts) and fits(path[: len(parts)], parts)


def line_of(known: Iterable[str], more: Iterable[str]) -> str:
    """Return what stands in a list of the settings; no more than a few of `more` are shown."""
    new = list(more)
    cut = [", …"] if len(new) > _NAMED else []
    return ", ".join(map(_quoted, (*known, *new[:_NAMED]))) + "".join(cut)


def _quoted(glob: str) -> str:
    escaped = glob.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """Units that may be meant as many apps, and are one."""

    message: str
    globs: tuple[str, ...]
    """That may make apps of them: what is tried first comes first."""
    hint: str
    """What they make."""


def together(name: str, root: str, units: Sequence[str], leading: Sequence[str]) -> Together | None:
    """Tell whether an app's `units` may be meant as many; `leading` of them run by themselves."""
    tops = {path.partition("/")[0] for path in leading if "/" in path}
    if len(tops) > 1 and not any("/" not in path for path in leading) and not tops & _WITHIN:
        return Together(
            message=f"app {name} is made of the units of {len(tops)} folders",
            globs=(f"{literal(root)}/*" if root else "*",),
            hint="makes an app of each",
        )
    if len(leading) < _FLAT or len(units) < _MANY:
        return None
    return Together(
        message=(
            f"app {name} has {len(leading)} units that run by themselves:"
            " one that is refused or unwell holds up all of them"
        ),
        globs=(f"{literal(root)}/*.*", EACH_UNIT) if root else (EACH_UNIT, "*.*"),
        hint="makes an app of each, with what it refers to",
    )
