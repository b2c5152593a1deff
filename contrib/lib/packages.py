"""Debian packages that the tools of `contrib` need on this machine."""

import os
import subprocess
import sys
import time

_TRIES = 4
_PAUSE_SECONDS = 10


def install(names: str) -> str:
    """Install packages; returns why that cannot be done, or nothing.

    Another apt on the machine is waited for, and a failed download is tried again.
    """
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    why = ""
    for step in ("update", f"install --yes --no-install-recommends {names}"):
        for attempt in range(_TRIES):
            if attempt:
                print(f"trying again: {why}", file=sys.stderr)
                time.sleep(_PAUSE_SECONDS)
            done = subprocess.run(
                ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *step.split()],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if not done.returncode:
                break
            why = done.stderr.strip() or f"apt-get ended with {done.returncode}"
        else:
            return why
    return ""
