"""What of a source is deployed by no app although it looks like a unit, and what falls together.

Used by `core.compose`, so that nothing is left out, or taken for one app, in silence. What the
settings leave out (`ignore`, `select`, `exclude`) is listed, and no finding.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from supervisor.core.overlay import is_hidden
from supervisor.model.errors import Finding

_NAMED = 4
"""So many globs are added to a line of settings."""
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
    found = [one for one in left if not one.meant and not is_hidden(one.path, root="")]
    found += [
        one
        for one in left
        if not one.meant
        and is_hidden(one.path, root="")
        and (not roots or "/.config/" in f"/{one.path}")
    ]
    if not found:
        return
    count = len(found)
    files = "1 unit file is" if count == 1 else f"{count} unit files are"
    first = found[0].path
    it = "it" if count == 1 else "them"
    hints = []
    if take := dict.fromkeys(one.take for one in found if one.take):
        hints.append(f"apps = [{_line(globs, take)}] takes {it} in")
    if leave := dict.fromkeys(one.leave for one in found if one.leave):
        meant = "it is" if count == 1 else "they are"
        hints.append(f"ignore = [{_line(ignore, leave)}] says that {meant} meant to be left out")
    message = f"{files} in no app ({first} …)" if count > 1 else f"{files} in no app"
    path = "" if count > 1 else first
    hint = "; ".join(hints)
    yield Finding(message=message, source=source, path=path, hint=hint, fatal=False)


def _line(known: Iterable[str], more: Iterable[str]) -> str:
    """Return what stands in a list of the settings; no more than a few are new."""
    new = list(more)
    cut = [", …"] if len(new) > _NAMED else []
    return ", ".join(map(_quoted, (*known, *new[:_NAMED]))) + "".join(cut)


def _quoted(glob: str) -> str:
    escaped = glob.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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
