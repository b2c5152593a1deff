"""Everything that `podvisor doctor` looks at, and mending what it can."""

import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from supervisor import __version__
from supervisor.adapters.host.doctor.host import Host
from supervisor.adapters.host.doctor.table import CHECKS, FOR_ROOT, PATIENCE_SECONDS, examine
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.local.doctor_told import told
from supervisor.cli.show.screen import say
from supervisor.core.status import daemon_checks
from supervisor.core.status.daemon_checks import Told
from supervisor.core.status.examination import unknown
from supervisor.model.doctor import Diagnosis, Examined, Severity

ORDER = list(Severity)
_START_SECONDS, _PAUSE_SECONDS = 20.0, 0.1


def diagnose(config: str, environment: Mapping[str, str]) -> Diagnosis:
    """Look at this machine, and at podvisor on it; `environment` is that of the shell.

    Sets XDG_RUNTIME_DIR for the programs that it starts, also where the shell (su, cron) does not.
    """
    host = Host(environment=environment)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(host.runtime))
    answers: list[Told] = []
    asking = threading.Thread(target=lambda: answers.append(told(config)), daemon=True)
    asking.start()
    found = examine(host, CHECKS if host.user_id else FOR_ROOT)
    asking.join(PATIENCE_SECONDS)
    of_itself = answers[0] if answers else None
    checks = sorted([*_of_itself(of_itself), *found], key=lambda one: ORDER.index(one.severity))
    running = of_itself is not None and of_itself.status is not None
    return Diagnosis(version=__version__, running=running, checks=tuple(checks))


def _of_itself(answers: Told | None) -> Iterator[Examined]:
    for check in daemon_checks.CHECKS:
        if answers is None:
            yield check.said(unknown(f"no answer within {PATIENCE_SECONDS:.0f} s"))
        else:
            yield from check.examine(answers)


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
        say(("  $ ", "dim"), command, whole=True)
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
            say("    ", (command, "good"), whole=True)
        if may() and mend(commands):
            done.add(first.code)
    return done
