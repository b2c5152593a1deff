"""What systemd cannot read of what unit files say: it is asked about each value once.

A value of `[Service]` that means nothing to it (`Restart=allways`) is logged at a reload, and
passed over. So the lines themselves are shown to `systemd-analyze verify`, in units made for that.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from supervisor.core.files.redact import without_value
from supervisor.core.render.vocabulary import Said
from supervisor.kit.folders import remove_tree
from supervisor.kit.process import ProcessError, run

_COMPLAINT = re.compile(r"(/.+?):(\d+): (.*\b[Ii]gnoring\b.*)")
_IGNORING = re.compile(r"[,.] [Ii]gnoring\b.*")
"""What follows is the value, which is not repeated: it stands in the line that is named."""
_ANALYZE = (
    *("systemd-analyze", "--user", "verify"),
    *("--man=no", "--generators=no", "--recursive-errors=no"),
)
_OF_ANY_UNIT = ("Unit", "Install")
_TIMEOUT_SECONDS = 5.0
_LONGEST = 4096
_REMEMBERED = 4096


class SystemdValues(msgspec.Struct):
    """Asks systemd about lines that it was not asked about before."""

    _known: dict[Said, str] = {}

    async def unread(self, lines: Iterable[Said]) -> dict[Said, str]:
        """Return those of these that it passes over, with its words for why.

        Nothing where systemd-analyze is not installed, or does not answer: it is asked again then.
        """
        asked = dict.fromkeys(one for one in lines if len(one[2]) <= _LONGEST)
        if new := [one for one in asked if one not in self._known]:
            if len(self._known) + len(new) > _REMEMBERED:
                self._known = {one: self._known[one] for one in asked if one in self._known}
            found = await _ask(new)
            if found is None:
                return {}
            self._known.update({one: found.get(one, "") for one in new})
        return {one: words for one in asked if (words := self._known.get(one, ""))}


async def _ask(lines: Sequence[Said]) -> dict[Said, str] | None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    place = environment.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108  # its name is not to be guessed
    scratch = Path(place, f"podvisor-values-{os.urandom(8).hex()}")
    environment.setdefault("XDG_RUNTIME_DIR", str(scratch))
    try:
        units = _write(lines, scratch)
        done = await run([*_ANALYZE, *units], env=environment, timeout_seconds=_TIMEOUT_SECONDS)
    except (ProcessError, OSError):
        return None
    finally:
        remove_tree(scratch)
    found: dict[Said, str] = {}
    for complaint in done.errors.splitlines():
        if (match := _COMPLAINT.fullmatch(complaint.strip())) and match[1] in units:
            one = units[match[1]][(int(match[2]) - 1) // 2]
            found.setdefault(one, without_value(_IGNORING.sub("", match[3]), "=".join(one[1:])))
    return found


def _write(lines: Sequence[Said], folder: Path) -> dict[str, list[Said]]:
    """Write units that say all that, two lines for each; returns their paths, with what they say.

    They are instances of a template, so that `%i` is no mistake. Raises OSError.
    """
    folder.mkdir(mode=0o700)
    units: dict[str, list[Said]] = {}
    for one in lines:
        kind = "service" if one[0] in _OF_ANY_UNIT else one[0].lower()
        units.setdefault(str(folder / f"podvisor@values.{kind}"), []).append(one)
    for path, some in units.items():
        text = "".join(f"[{section}]\n{key}={value}\n" for section, key, value in some)
        Path(path).write_text(text)
    return units
