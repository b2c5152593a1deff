"""The newest lines of a unit in the user's journal, by a journalctl that ends."""

from collections.abc import Iterator

from supervisor.core.status.journal_entries import FIELDS, TIMES_READ, Asides, read_entry
from supervisor.kit.plain_text import plain_line
from supervisor.kit.process import ProcessError, run
from supervisor.model.errors import Retry
from supervisor.model.log import LogLine
from supervisor.model.unit_name import pattern_of

_LONGEST = 1_000
_TIMEOUT_SECONDS = 5.0
_OUTPUT_BYTES = 8 << 20


async def unit_log(unit: str, *, limit: int) -> list[LogLine]:
    """Return them, the oldest first. Raises Retry where the journal cannot be read.

    Without --all, journalctl leaves out what an entry says if that is larger than 4 kB.
    """
    words = ["journalctl", "--user", "--quiet", "--no-pager", "--output=json"]
    words += [f"--output-fields={','.join(FIELDS)}"]
    words += [f"--lines={TIMES_READ * limit}", f"--unit={pattern_of(unit)}"]
    try:
        done = await run(words, timeout_seconds=_TIMEOUT_SECONDS, output_limit=_OUTPUT_BYTES)
    except (ProcessError, OSError) as error:
        raise Retry(f"cannot read the journal: {error}") from error
    if done.code:
        raise Retry(f"cannot read the journal: {done.errors.strip() or done.code}")
    asides = Asides()
    entries = [[*_lines(entry, asides)] for entry in done.output.splitlines()]
    return [line for entry in [one for one in entries if one][-limit:] for line in entry]


def _lines(entry: bytes, asides: Asides) -> Iterator[LogLine]:
    fields, texts = read_entry(entry.replace(b'"MESSAGE":null', _LEFT_OUT, 1))
    for text in texts:
        if not asides(fields, text):
            yield LogLine(
                time=int(fields.get("__REALTIME_TIMESTAMP", 0)) / 1_000_000,
                by=str(fields.get("SYSLOG_IDENTIFIER", "")),
                text=plain_line(text, _LONGEST),
            )


_LEFT_OUT = b'"MESSAGE":"(more than 4 kB: podvisor logs shows it)"'
