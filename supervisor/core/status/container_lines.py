"""What Podman keeps of a container's words where the journal does not: how it is asked for them."""

from datetime import datetime

from supervisor.core.status.unkept_log import IN_A_FILE


def has_lines(driver: str, active: str) -> bool:
    """Whether Podman may have lines of a unit that the journal has not.

    What it is attached to while it is `activating` (Type=oneshot), it writes to the journal, too.
    """
    return driver in IN_A_FILE and active in ("active", "reloading", "deactivating")


def containers_command(unit: str) -> list[str]:
    """Return what prints the ids of a unit's containers, a line each."""
    label = f"label=PODMAN_SYSTEMD_UNIT={unit}"
    return ["podman", "ps", "--quiet", "--no-trunc", f"--filter={label}"]


def lines_command(
    container: str, *, newest: int = 0, since: float = 0.0, follow: bool = False
) -> list[str]:
    """Return what prints lines of a container, each with its moment, some to standard error.

    The `newest` so many (0 is all) since a moment (0 is ever).
    """
    words = ["podman", "logs", "--timestamps"]
    words += [f"--tail={newest}"] if newest else []
    words += [f"--since={since:.6f}"] if since else []
    words += ["--follow"] if follow else []
    return [*words, container]


def read_line(line: bytes) -> tuple[float, str] | None:
    """Return its moment and its text; None if it makes no sense."""
    moment, _, text = line.decode(errors="replace").rstrip("\r\n").partition(" ")
    try:
        return datetime.fromisoformat(moment).timestamp(), text
    except (ValueError, OverflowError):
        return None
