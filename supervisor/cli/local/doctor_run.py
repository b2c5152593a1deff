"""Everything that `podvisor doctor` looks at, and mending what it can."""

import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from supervisor import __version__
from supervisor.adapters.host.doctor.host import Host
from supervisor.adapters.host.doctor.table import CHECKS, FOR_ROOT, examine
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.local.doctor_told import told
from supervisor.cli.show.screen import say
from supervisor.core.status import daemon_checks
from supervisor.core.status.daemon_checks import Told
from supervisor.model.doctor import Diagnosis, Examined, Severity

ORDER = list(Severity)
_START_SECONDS, _PAUSE_SECONDS = 20.0, 0.1


def diagnose(config: str) -> Diagnosis:
    """Look at this machine, and at podvisor on it; takes some of `os.environ`, and adds to it."""
    host = Host(environment=dict(os.environ))
    # Programs find the session by it, also where the shell (su, cron) does not say it.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(host.runtime))
    of_itself: list[Told] = []
    asking = threading.Thread(target=lambda: of_itself.append(told(config)), daemon=True)
    asking.start()
    found = examine(host, CHECKS if host.user_id else FOR_ROOT)
    asking.join()
    mine = [one for check in daemon_checks.CHECKS for one in check.examine(of_itself[0])]
    checks = sorted([*mine, *found], key=lambda one: ORDER.index(one.severity))
    return Diagnosis(
        version=__version__, running=of_itself[0].status is not None, checks=tuple(checks)
    )


def started_at() -> float:
    """Return when the daemon was started, in seconds since the epoch; 0 if none answers."""
    try:
        told = json.loads(ask("/v1/status", timeout_seconds=_START_SECONDS))
        return float(told.get("started_at", 0.0))
    except (NotRunning, Refused, ValueError, TypeError, AttributeError):
        return 0.0


def wait_for_another(before: float) -> None:
    """Wait a while for a daemon that was not started at that moment."""
    end = time.monotonic() + _START_SECONDS
    while started_at() in (0.0, before) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)


def mendable(checks: Sequence[Examined]) -> list[tuple[str, ...]]:
    """Return the commands that may be run without asking an administrator, each set once."""
    return list(dict.fromkeys(one.commands for one in checks if one.fixable))


def mend(commands: Sequence[str]) -> bool:
    """Run commands one after the other, and say each; whether all went well."""
    for command in commands:
        say(("  $ ", "dim"), command)
        words = shlex.split(command)
        try:
            code = subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode
        except OSError as error:
            say(("    ✗ ", "bad"), f"{words[0]}: {error.strerror}")
            return False
        if code:
            say(("    ✗ ", "bad"), f"it ended with {code}")
            return False
    return True


def mend_all(found: Sequence[Examined], may: Callable[[], bool]) -> set[str]:
    """Run what mends each, if `may` says so; returns the codes of those that went well."""
    done = set()
    for commands in mendable(found):
        first = next(one for one in found if one.commands == commands)
        say(("! ", "warn"), first.seen)
        for command in commands:
            say("    ", (command, "good"))
        if may() and mend(commands):
            done.add(first.code)
    return done
