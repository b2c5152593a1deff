"""Commands of the machine's that are run to their end, where nothing else waits meanwhile."""

import subprocess
from contextlib import suppress

PATIENCE_SECONDS = 5.0


def run(*command: str, patience: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run one without input. Raises OSError, or subprocess.TimeoutExpired."""
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=patience,
    )


def answer(*command: str, patience: float = PATIENCE_SECONDS) -> str:
    """Return what a command writes; empty if it is not there or does not end."""
    with suppress(OSError, subprocess.TimeoutExpired):
        return run(*command, patience=patience).stdout
    return ""
