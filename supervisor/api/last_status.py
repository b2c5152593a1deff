"""How everything stood when the daemon ended, beside the socket for the page's questions.

The page's process sees that folder and neither the ledger nor anything else of the user's files.
The file is there from the daemon's end until the next one is ready; one that is killed leaves none.
"""

from pathlib import Path

import msgspec

from supervisor.kit.files import write_whole
from supervisor.model.status import Status


def leave(questions: Path, status: Status) -> None:
    """Write it down, as the daemon's last answer; `questions` is the socket. Raises OSError."""
    last = msgspec.structs.replace(status, running=False, starting=False)
    write_whole(_file(questions), msgspec.json.encode(last))


def take_away(questions: Path) -> None:
    """Remove what a daemon before left, now that there is one that answers."""
    _file(questions).unlink(missing_ok=True)


def read(questions: Path) -> tuple[bytes, float] | None:
    """Return a `Status` as JSON, and when the daemon ended; None where that is not known."""
    file = _file(questions)
    try:
        return file.read_bytes(), file.stat().st_mtime
    except OSError:
        return None


def _file(questions: Path) -> Path:
    return questions.with_name("last-status.json")
