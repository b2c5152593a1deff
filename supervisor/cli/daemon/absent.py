"""Why nobody answers on the control socket, and what to do about it.

It asks systemd, and reads the settings, which is dear, only if they may be why.
"""

import os
import subprocess
from pathlib import Path

from supervisor.cli.daemon import places

_SERVICE = "podvisor.service"
_TIMEOUT_SECONDS = 10.0


def way_out() -> str:
    """Say in one sentence, without its full stop, how there comes to be a daemon."""
    if not Path(places.unit_file()).exists():
        return "podvisor setup makes it a service, and starts it"
    state, ready_at = _state()
    if (state == "failed" or _are_newer(ready_at)) and (refused := _refused_settings()):
        return f"it does not start with its settings: {refused}"
    if state in {"activating", "reloading"}:
        return "systemd is starting it; it answers in a moment"
    if state == "failed":
        return f"it failed; journalctl --user -u {_SERVICE} -n 20 says why"
    return "systemctl --user start podvisor starts it"


def _are_newer(ready_at: int) -> bool:
    """Whether the settings may be others than those with which it became ready."""
    file = Path(places.config_file())
    try:
        # Not by its mtime: it may be an older file that was moved, or linked, there.
        return max(file.stat().st_ctime, file.lstat().st_ctime) >= ready_at
    except OSError:
        return True


def _refused_settings() -> str:
    """Say where and why the settings are refused, empty if they are not."""
    from supervisor.core.config.reader import read_settings

    path = places.config_file()
    try:
        reading = read_settings(Path(path).read_text(), path=places.shown(path))
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot read {places.shown(path)}: {error}"
    if reading.settings:
        return ""
    return str(next(one for one in reading.findings if one.fatal))


def _state() -> tuple[str, int]:
    """What systemd says of the service, and since when (seconds since the epoch) it was ready last.

    Empty if it cannot be asked, 0 if it was not ready since the boot.
    """
    shown = ["--property=ActiveState,ActiveEnterTimestamp", "--timestamp=unix"]
    try:
        done = subprocess.run(
            ["systemctl", "--user", "show", *shown, _SERVICE],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": places.runtime_folder()},
        )
    except (OSError, subprocess.SubprocessError):
        return "", 0
    said = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    ready_at = said.get("ActiveEnterTimestamp", "").removeprefix("@")
    return said.get("ActiveState", ""), int(ready_at) if ready_at.isdecimal() else 0
