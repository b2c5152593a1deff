"""Names of files and apps: which kind of unit a file makes, what is no app of this name."""

from collections.abc import Collection, Container, Mapping
from functools import lru_cache

from supervisor.kit.texts import meant
from supervisor.model.errors import Stalled
from supervisor.model.quadlet import QUADLETS, UnitKind

PLAIN_SUFFIXES = (".service", ".timer", ".socket", ".path", ".target")

_SUFFIXES = (*QUADLETS, *PLAIN_SUFFIXES)

UNSUPPORTED = (".slice", ".mount", ".automount", ".swap", ".scope", ".device")
"""Kinds of systemd's units that no app can bring."""

KEY_SUFFIXES = (".pub", ".pem")
"""Of files that may hold a public key (`VerifyImage=`)."""
LARGEST_KEY = 16 << 10
"""Bytes of such a file; the longest RSA keys in use have a tenth of it."""

_LISTED = "podvisor status lists them all"

SEVERAL_UNITS = ".quadlets"
"""Suffix of a file that `podman quadlet install` (5.8) divides; no generator reads it."""


def unknown_app(
    name: str, known: Collection[str], *, sources: Container[str] = (), is_early: bool = False
) -> Stalled:
    """Say that there is no such app, and which one was probably meant; see `unknown`."""
    what = f"no app named “{name}”"
    if name in sources:
        return Stalled(what, hint="that is a source; podvisor status shows it, with its apps")
    return unknown(what, name, known, hint=_LISTED, is_early=is_early)


def unknown_unit(name: str, known: Collection[str], *, is_early: bool = False) -> Stalled:
    """Say that there is no such unit, and which one was probably meant; see `unknown`."""
    hint = "podvisor status APP lists those of an app"
    return unknown(f"no unit named “{name}”", name, known, hint=hint, is_early=is_early)


def unknown_app_or_unit(name: str, known: Collection[str], *, is_early: bool = False) -> Stalled:
    """Say that nothing is called so, and what was probably meant; see `unknown`."""
    what = f"no app and no unit of an app is called “{name}”"
    return unknown(what, name, known, hint=_LISTED, is_early=is_early)


def unknown(
    what: str, name: str, known: Collection[str], *, hint: str, is_early: bool = False
) -> Stalled:
    """Say `what` there is not, and which of `known` was meant, or else the hint.

    With `is_early` it may come yet: the daemon's first pass is not through.
    """
    if is_early:
        what = f"{what} yet: podvisor has just started"
        hint = "podvisor status says when all sources were read"
    return Stalled(what, hint=meant(name, known, hint))


def app_and_unit(
    name: str, units: Mapping[str, Collection[str]], *, is_early: bool = False
) -> tuple[str, str]:
    """Return which app is meant, and which unit of it, if one is.

    People name an app, a unit (without `.service`, if they like), or both: `shop/web.service`.
    `units` are those of each app. Raises Stalled (see `unknown`) if there is none such.
    """
    if name in units:
        return name, ""
    app, _, rest = name.rpartition("/")
    wishes = (rest, f"{rest}.service")
    for owner in (app,) if app else sorted(units):
        for unit in units.get(owner, ()):
            if unit in wishes:
                return owner, unit
    known = {*units, *(unit for some in units.values() for unit in some)}
    raise unknown_app_or_unit(name, known, is_early=is_early)


def is_drop_in(path: str) -> bool:
    """Whether a relative path is that of a drop-in, `web.container.d/10-more.conf`."""
    folder, _, name = path.rpartition("/")
    return _suffix(name) == ".conf" and _suffix(folder.rpartition("/")[2]) == ".d"


@lru_cache(maxsize=2048)
def unit_kind(path: str) -> UnitKind | None:
    """Kind of the unit that a file defines; None for any other file (drop-ins included)."""
    if not path.endswith(_SUFFIXES):  # most files
        return None
    suffix = _suffix(path.rpartition("/")[2])
    if quadlet := QUADLETS.get(suffix):
        return quadlet.kind
    return UnitKind.PLAIN if suffix in PLAIN_SUFFIXES else None


def shapes_units(path: str) -> bool:
    """Whether systemd or the generator reads this file, so that a change needs a daemon-reload."""
    return unit_kind(path) is not None or is_drop_in(path)


def _suffix(name: str) -> str:
    """What a name ends with, from its last dot on; nothing if that is how it begins."""
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""
