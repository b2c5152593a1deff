"""`Mode=` and `Owner=` of a `.certificate` file: who may read the key.

Called by `core.files.certificate_files`.
"""

import re

from supervisor.core.files.unitfile import Refused
from supervisor.kit.texts import one_line

_OCTAL = re.compile(r"0?[0-7]{3}")
_OWNER = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?", re.ASCII)
_LARGEST_ID = (1 << 32) - 2
_OWNER_MAY_READ, _OTHERS_MAY_READ, _OTHERS_MAY_WRITE, _RUNS = 0o400, 0o004, 0o022, 0o111
"""Bits of a mode; the group may read it."""


def parse_mode(text: str) -> int:
    """Return the mode of the files that hold the key. Raises Refused."""
    mode = int(text, 8) if _OCTAL.fullmatch(text) else 0
    if not mode & _OWNER_MAY_READ or mode & _RUNS:
        message = f"Mode={one_line(text, 60)} is no mode of a file that is read"
        raise Refused(message, "write 0600, or 0640 for the group to read it")
    return mode


def too_open(mode: int) -> str:
    """Say what others can do to a key of this mode; empty if that is nothing."""
    if not mode & (_OTHERS_MAY_READ | _OTHERS_MAY_WRITE):
        return ""
    what = "read the key" if mode & _OTHERS_MAY_READ else "write over the key"
    return f"with Mode={mode:04o} others can {what}"


def parse_owner(text: str) -> tuple[int, int] | None:
    """Return user and group as containers have them; None is the user. Raises Refused."""
    found = _OWNER.fullmatch(text)
    if found is None:
        hint = "write numbers, as Owner=999 or Owner=999:998; `podman run --rm IMAGE id` says which"
        raise Refused(f"Owner={one_line(text, 60)} is no UID, and no UID:GID", hint)
    user, group = int(found[1]), int(found[2] or 0)
    if max(user, group) > _LARGEST_ID:
        raise Refused(f"Owner={text} is larger than any id", "write Owner=999")
    return (user, group) if user or group else None
