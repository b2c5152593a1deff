"""What a unit mounts: paths of the host that it writes to, and volumes of Podman's.

A path that moves has one user at a time.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from supervisor.core.files.source_paths import is_below

_READ_ONLY = frozenset({"ro", "O"})
_OFF = frozenset({"false", "0"})
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
"""What Podman takes for the name of a volume."""


def writable_mounts(
    volumes: Iterable[str], mounts: Iterable[str], *, besides: Collection[str]
) -> tuple[str, ...]:
    """Return the absolute paths of the host that these `Volume=` and `Mount=` mount to be written.

    Those below the folders `besides` are left out: an app's own.
    """
    sources = {posixpath.normpath(one) for one in (*_of_volumes(volumes), *_of_mounts(mounts))}
    own = {one for one in sources if any(is_below(one, folder) for folder in besides)}
    return tuple(sorted(sources - own))


def named_volumes(command: Sequence[str]) -> Iterator[str]:
    """Yield Podman's names of the volumes that a command of Podman's mounts.

    What the image's own program is told may look like one: such a volume is not there.
    """
    for word, after in pairwise((*command, "")):
        flag, equals, value = word.partition("=")
        said = value if equals else after
        name = ""
        if flag in ("-v", "--volume"):
            name, colon, _ = said.partition(":")
            name = name if colon else ""
        elif flag == "--mount":
            fields = _fields(said)
            if fields.get("type") == "volume":
                name = fields.get("source") or fields.get("src", "")
        if _VOLUME_NAME.fullmatch(name):
            yield name


def _of_volumes(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        source, *more = value.split(":")
        options = {option for part in more[1:] for option in part.split(",")}
        if source.startswith("/") and more and not options & _READ_ONLY:
            yield source


def _of_mounts(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        fields = _fields(value)
        source = fields.get("source") or fields.get("src", "")
        is_fixed = any(fields.get(key, "false") not in _OFF for key in ("ro", "readonly"))
        if fields.get("type") == "bind" and source.startswith("/") and not is_fixed:
            yield source


def _fields(value: str) -> dict[str, str]:
    """Return the options of a `--mount`."""
    return dict(field.partition("=")[::2] for field in value.split(","))
