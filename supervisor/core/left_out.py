"""What of a source is deployed by no app although it looks like a unit, and what falls together.

Used by `core.compose`, so that nothing is left out, or taken for one app, in silence. What the
settings leave out (`ignore`, `select`, `exclude`) is listed, and no finding.
"""

import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from supervisor.core.globs import split
from supervisor.core.overlay import is_below, is_hidden
from supervisor.model.errors import Finding

_NAMED = 4
"""So many folders are named in one finding."""
_FLAT = 9
"""From so many units that run by themselves on, one app of them is worth a word."""
_WITHIN = frozenset(
    {"containers", "quadlet", "quadlets", "systemd", "system", "units", "user", "config"}
)
"""Folders that divide one app's units by kind, and are no apps."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A unit file of a source that is part of no app."""

    path: str
    reason: str
    """For people."""
    meant: bool = False
    """Whether the settings say so."""


def overlooked(
    left: Sequence[LeftOut], globs: Sequence[str], source: str, roots: Collection[str]
) -> Iterator[Finding]:
    """Say once what no glob names, with the line of settings that would take it in."""
    paths = [one.path for one in left if not one.meant and not is_hidden(one.path, root="")]
    hidden = [
        one.path
        for one in left
        if not one.meant
        and is_hidden(one.path, root="")
        and (not roots or "/.config/" in f"/{one.path}")
    ]
    folders = dict.fromkeys(_taking(path, roots) for path in paths)
    folders.update(dict.fromkeys(_hidden_glob(path) for path in hidden))
    count = len(paths) + len(hidden)
    if not count:
        return
    files = "1 unit file is" if count == 1 else f"{count} unit files are"
    first, *more = dict.fromkeys((*paths, *hidden))
    shown = first if not more else f"{first} …"
    if len(folders) > _NAMED:
        folders = dict.fromkeys([*list(folders)[:_NAMED], "…"])
    line = ", ".join(f'"{glob}"' for glob in (*globs, *folders))
    ignored = ", ".join(f'"{path}"' for path in _ignoring(folders, paths))
    hint = f"apps = [{line}] takes them in"
    if ignored:
        hint += f"; ignore = [{ignored}] says that they are meant to be left out"
    message = f"{files} in no app ({shown})" if more else f"{files} in no app"
    yield Finding(
        message=message,
        source=source,
        path="" if more else first,
        hint=hint.replace("them", "it").replace("they are", "it is") if count == 1 else hint,
        fatal=False,
    )


def together(name: str, root: str, leading: Sequence[str], *, source: str) -> Iterator[Finding]:
    """Say that units which may be meant as many apps are one; `leading` run by themselves."""
    tops = {path.partition("/")[0] for path in leading if "/" in path}
    if len(tops) > 1 and not any("/" not in path for path in leading) and not tops & _WITHIN:
        glob = f"{root}/*" if root else "*"
        message = f"app {name} is made of the units of {len(tops)} folders"
        hint = f'apps = "{glob}" makes an app of each'
    elif len(leading) >= _FLAT:
        message = (
            f"app {name} has {len(leading)} units that run by themselves:"
            " one that is refused or unwell holds up all of them"
        )
        glob = f"{root}/*.*" if root else "units"
        hint = f'apps = "{glob}" makes an app of each, with what it refers to'
    else:
        return
    hint += "; any `apps` of your own ends this warning"
    yield Finding(message=message, source=source, path=root, hint=hint, fatal=False)


def _taking(path: str, roots: Collection[str]) -> str:
    """Return a glob that takes a file in: the outermost folder that holds no other app."""
    parts = posixpath.dirname(path).split("/")
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if folder and not any(is_below(root, folder) and root != folder for root in roots):
            return folder
    return posixpath.dirname(path) or "."


def _hidden_glob(path: str) -> str:
    """Return a glob of the hidden folder that a unit lies in; `*` for what comes before it."""
    parts = split(posixpath.dirname(path))
    first = next(at for at, part in enumerate(parts) if part.startswith("."))
    end = max(
        (at + 2 for at in range(first, len(parts)) if tuple(parts[at : at + 2]) in _PLACES),
        default=len(parts),
    )
    return "/".join((*("*" * first), *parts[first:end]))


_PLACES = {("containers", "systemd"), ("systemd", "user")}


def _ignoring(folders: Iterable[str], paths: Sequence[str]) -> list[str]:
    loose = [path for path in paths if "/" not in path]
    return [*(folder for folder in folders if folder not in (".", "…")), *loose[:_NAMED]]
