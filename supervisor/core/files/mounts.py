"""Paths of the host that a unit writes to: one that moves has one user at a time."""

import posixpath
from collections.abc import Collection, Iterable, Iterator

from supervisor.core.files.source_paths import is_below

_READ_ONLY = frozenset({"ro", "O"})
_OFF = frozenset({"false", "0"})


def writable_mounts(
    volumes: Iterable[str], mounts: Iterable[str], *, besides: Collection[str]
) -> tuple[str, ...]:
    """Return the absolute paths of the host that these `Volume=` and `Mount=` mount to be written.

    Those below the folders `besides` are left out: an app's own.
    """
    sources = {posixpath.normpath(one) for one in (*_of_volumes(volumes), *_of_mounts(mounts))}
    own = {one for one in sources if any(is_below(one, folder) for folder in besides)}
    return tuple(sorted(sources - own))


def _of_volumes(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        source, *more = value.split(":")
        options = {option for part in more[1:] for option in part.split(",")}
        if source.startswith("/") and more and not options & _READ_ONLY:
            yield source


def _of_mounts(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        fields = dict(field.partition("=")[::2] for field in value.split(","))
        source = fields.get("source") or fields.get("src", "")
        is_fixed = any(fields.get(key, "false") not in _OFF for key in ("ro", "readonly"))
        if fields.get("type") == "bind" and source.startswith("/") and not is_fixed:
            yield source
