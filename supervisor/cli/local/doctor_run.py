"""Everything that `podvisor doctor` looks at, and mending what it can."""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence

from supervisor import __version__
from supervisor.adapters.host.doctor.host import Host
from supervisor.adapters.host.doctor.table import CHECKS, FOR_ROOT, examine
from supervisor.cli.local.doctor_told import told
from supervisor.cli.show.screen import say
from supervisor.core.status import daemon_checks
from supervisor.core.status.daemon_checks import Told
from supervisor.model.doctor import Diagnosis, Examined, Severity

ORDER = list(Severity)


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
            say(("    ✗ ", "bad"), f"it ended with {code}; an administrator can: sudo {command}")
            return False
    return True


def mend_all(found: Sequence[Examined], may: Callable[[], bool]) -> int:
    """Run what mends each, if `may` says so; returns how many went well."""
    done = 0
    for commands in mendable(found):
        seen = next(one.seen for one in found if one.commands == commands)
        say(("! ", "warn"), seen)
        for command in commands:
            say("    ", (command, "good"))
        if may():
            done += mend(commands)
    return done
