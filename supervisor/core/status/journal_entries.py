"""What stands in an entry of the journal, as `journalctl --output=json` writes it."""

import json
import re
from collections.abc import Mapping
from typing import Any

ASIDE = re.compile(r"conmon [0-9a-f]+ <n(warn|info|debug)>: ")
"""What conmon writes into the container's own log, on a machine without a memory controller too."""
ID = re.compile(r"[0-9a-f]{64}")
"""Of a container, which Podman prints when it has made or removed it."""


RUNS = ("_SYSTEMD_INVOCATION_ID", "USER_INVOCATION_ID")
"""Where it stands of which run of a unit a line is: what its processes wrote, what systemd did."""
FIELDS = (
    *("MESSAGE", "PODMAN_EVENT", "SYSLOG_IDENTIFIER", "CONTAINER_NAME"),
    *("_COMM", "_EXE", "_TRANSPORT", RUNS[0]),
)
"""What is to be asked for of an entry for all of this."""
TIMES_READ = 2
"""So many entries are to be read for one that counts: of each there may be a copy."""
_PODMANS = ("podman", "exe")
"""Podman, and Podman that has begun itself anew, by way of `/proc/self/exe`."""
_MOST_AHEAD = 1_000


def read_entry(entry: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return its fields, and its message in lines; none of either if it makes no sense.

    So it is with Podman's own log of what happens to its objects, which is under the unit's name.
    """
    try:
        fields = json.loads(entry)
        if "PODMAN_EVENT" in fields:
            return {}, []
        message = fields["MESSAGE"]
        if isinstance(message, list):  # so it writes what is not UTF-8
            message = bytes(message).decode(errors="replace")
        return fields, message.splitlines()
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, []


def is_podmans(fields: Mapping[str, Any]) -> bool:
    """Whether Podman itself wrote it: under the unit's name, as Quadlet has it."""
    program = str(fields.get("_EXE", "")).rpartition("/")[2] or fields.get("_COMM")
    return program in _PODMANS and "CONTAINER_NAME" not in fields


def run_of(fields: Mapping[str, Any]) -> str:
    """Return systemd's id of the run that an entry is of; empty if it is of none."""
    return next((str(fields[name]) for name in RUNS if name in fields), "")


class Asides:
    """Tells which lines of a unit are not its program's words; is shown them in their order.

    A container's lines are in the journal twice where Podman is attached to it (Type=oneshot):
    conmon's, and those that Podman hands on. Of each two the first counts, whichever it is; what a
    program says twice is there four times.
    """

    def __init__(self) -> None:
        self._ahead: dict[tuple[str, str], int] = {}
        """Run and text to by how many lines conmon is ahead of Podman."""
        self._names: set[str] = set()
        """Of the containers."""

    def __call__(self, fields: Mapping[str, Any], text: str) -> bool:
        """Whether a line is to be left out."""
        if ASIDE.match(text) or ID.fullmatch(text):
            return True
        step = -1
        if name := fields.get("CONTAINER_NAME"):
            self._names.add(str(name))
            step = 1
        elif not is_podmans(fields):
            return False
        elif text in self._names or text == f"systemd-{fields.get('SYSLOG_IDENTIFIER')}":
            return True  # so Podman says which container it has removed
        elif fields.get("_TRANSPORT") != "stdout":
            return False
        return self._is_second((run_of(fields), text.strip()), step)

    def _is_second(self, line: tuple[str, str], step: int) -> bool:
        ahead = self._ahead.pop(line, 0) + step
        if ahead:
            self._ahead[line] = ahead
            if len(self._ahead) > _MOST_AHEAD:
                del self._ahead[next(iter(self._ahead))]
        return ahead * step <= 0
