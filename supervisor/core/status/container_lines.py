"""What Podman keeps of a container's words where the journal does not."""

from datetime import datetime

from supervisor.core.status.unkept_log import IN_A_FILE


def has_lines(driver: str, active: str) -> bool:
    """Whether Podman may have lines of a unit that the journal has not.

    What it is attached to while it is `activating` (Type=oneshot), it writes to the journal, too.
    """
    return driver in IN_A_FILE and active in ("active", "reloading", "deactivating")


def read_line(line: bytes) -> tuple[float, str] | None:
    """Return its moment and its text; None if it makes no sense."""
    moment, _, text = line.decode(errors="replace").rstrip("\r\n").partition(" ")
    try:
        return datetime.fromisoformat(moment).timestamp(), text
    except (ValueError, OverflowError):
        return None
