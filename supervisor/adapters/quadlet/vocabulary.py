"""The keys that the installed systemd knows, by section: it lists them itself."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from supervisor.core.render.vocabulary import Vocabulary
from supervisor.kit.process import ProcessError, run

_PLACES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_TIMEOUT_SECONDS = 10.0
_OUTPUT_LIMIT = 4 << 20


class SystemdKeys(msgspec.Struct):
    """Asks systemd once, and again when its program is another one."""

    places: Sequence[str] = _PLACES
    _asked: tuple[str, int, int] | None = None
    _known: dict[str, frozenset[str]] = {}

    async def known(self) -> Vocabulary:
        """Return the keys of each section; nothing where systemd is not there, or does not say."""
        identity = self._find()
        if identity != self._asked:
            self._known = await _ask(identity[0]) if identity else {}
            self._asked = identity
        return self._known

    def _find(self) -> tuple[str, int, int] | None:
        for place in self.places:
            with suppress(OSError):
                state = Path(place).stat()
                return place, state.st_mtime_ns, state.st_size
        return None


async def _ask(place: str) -> dict[str, frozenset[str]]:
    argv = [place, "--user", "--dump-configuration-items"]
    try:
        done = await run(argv, timeout_seconds=_TIMEOUT_SECONDS, output_limit=_OUTPUT_LIMIT)
    except (ProcessError, OSError):
        return {}
    keys: dict[str, set[str]] = {}
    section = ""
    for line in done.output.decode(errors="replace").splitlines():
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section and "=" in line:
            # Interned, as sections have many in common.
            keys.setdefault(section, set()).add(sys.intern(line.partition("=")[0]))
    return {name: frozenset(found) for name, found in keys.items()} if not done.code else {}
