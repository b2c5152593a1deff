"""The lines of units in the user's journal, by journalctl."""

import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from supervisor.cli.daemon.client import Refused
from supervisor.core.status.journal_entries import FIELDS, TIMES_READ, Asides, read_entry
from supervisor.model.unit_name import pattern_of

_FIELDS = (*FIELDS, "_SYSTEMD_USER_UNIT", "USER_UNIT")


class Line(NamedTuple):
    """One line that a unit's programs wrote, or systemd of it."""

    time: float
    """Seconds since 1970."""
    unit: str
    by: str
    """Who wrote it, as the journal has it."""
    text: str


def unit_lines(
    units: Sequence[str], *, newest: int = 0, since: float = 0.0, follow: bool = False
) -> Iterator[Line]:
    """Yield lines of these units, oldest first; with `follow`, also those to come.

    The `newest` so many entries (0 is all), or up to twice as many, since a moment (0 is ever).
    Raises Refused where there is no journal to be read.
    """
    words = ["journalctl", "--user", "--quiet", "--no-pager", "--all", "--output=json"]
    words += [f"--output-fields={','.join(_FIELDS)}", f"--lines={TIMES_READ * newest or 'all'}"]
    words += [f"--unit={pattern_of(unit)}" for unit in units]
    if since:
        words.append(f"--since=@{since:.6f}")
    if follow:
        words.append("--follow")
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise Refused(f"cannot run journalctl: {error.strerror}") from error
    asides = Asides()
    with process:
        try:
            yield from (line for entry in process.stdout or () for line in _lines(entry, asides))
            said = (process.stderr.read() if process.stderr else b"").decode(errors="replace")
        finally:
            process.terminate()
    if process.returncode > 0:
        raise Refused(
            f"cannot read the journal of this user: {said.strip() or process.returncode}",
            hint="podvisor doctor says what is missing",
        )


def _lines(entry: bytes, asides: Asides) -> Iterator[Line]:
    """Part an entry into lines, without what conmon and Podman write besides."""
    fields, texts = read_entry(entry)
    for text in texts:
        if not asides(fields, text):
            moment = int(fields.get("__REALTIME_TIMESTAMP", 0)) / 1_000_000
            unit = fields.get("USER_UNIT") or fields.get("_SYSTEMD_USER_UNIT", "")
            yield Line(moment, str(unit), str(fields.get("SYSLOG_IDENTIFIER", "")), text)
