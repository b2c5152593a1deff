"""The stages of `contrib/bench certificates`; what is done inside is in `measure_certificates.py`.

What many certificates cost at rest is measured of two users side by side, in one window, by
`podvisor bench idle`: both have the same containers and apps, and one has certificates for them.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from idle import HOST, LIB, Result, Times, inside, mean, own_of, say, side_by_side

MANY = 200
CONTAINERS = ("10", "checked", "0", "0")
WITH, WITHOUT = "certificates", "none"
BESIDE = ("--unit=session bus=dbus.service",)


def measure(name: str, times: Times, *, many: int = MANY) -> list[Result]:
    """Run all stages on a running host; gives figures as of `measure.py`."""
    say("measuring orders, beside certbot and lego")
    make_user(name, "orders")
    figures = ask(name, "orders", "orders")
    remove_user(name, "orders")
    for user, number in ((WITH, many), (WITHOUT, 0)):
        say(f"making ten containers, and {number} certificates")
        make_user(name, user)
        inside(name, user, "/usr/bin/python3", "-", *CONTAINERS, stdin=read("fleet.py"))
        ask(name, user, "many", str(number))
    say(f"measuring what {many} cost at rest")
    reports = side_by_side(name, [(user, BESIDE) for user in (WITH, WITHOUT)], times)
    figures += at_rest(many, *map(own_of, reports))
    remove_user(name, WITHOUT)
    say(f"measuring rounds over {many}, beside certbot and lego")
    return figures + ask(name, WITH, "rounds")


def at_rest(many: int, ours: Result, bare: Result) -> list[Result]:
    """The figures of idling with certificates, against without one."""

    def against(what: str, unit: str, key: str) -> Result:
        one, other = mean(ours, key), mean(bare, key)
        # What is next to nothing may be so by some parts of it.
        kept = one <= 1.3 * other or one - other < (0.5 if key == "wakeups" else 0.1)
        named = {"figure": f"at rest with {many}, {what}", "unit": unit, "value": one}
        return named | {"base": other, "base_name": "without one", "limit": 1.3, "ok": kept}

    def nothing(what: str, value: float) -> Result:
        named = {"figure": f"at rest with {many}, {what}", "unit": "", "value": value}
        return named | {"base": None, "base_name": "", "limit": 0, "ok": not value}

    return [
        against("CPU a minute", "ms", "cpu_ms"),
        against("wake-ups a minute", "", "wakeups"),
        nothing("processes beside the daemon", len(ours["processes"]) - 1),
        nothing("bytes written", ours["written"]),
    ]


def make_user(name: str, user: str) -> None:
    """Make a user who has what is run inside."""
    argv = [HOST, "user", name, user]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    home = Path(done.stdout.splitlines()[-1])
    for script in ("measure.py", "measure_certificates.py", "pebble.py"):
        shutil.copyfile(LIB / script, home / script)


def remove_user(name: str, user: str) -> None:
    subprocess.run([HOST, "user", "--remove", name, user], stdout=sys.stderr, check=True)


def read(script: str) -> str:
    return (LIB / script).read_text()


def ask(name: str, user: str, *arguments: str) -> list[Result]:
    """Run one measure inside; its last line of output is JSON."""
    script = f"/home/{user}/measure_certificates.py"
    said = inside(name, user, "/opt/podvisor/bin/python", "-B", script, *arguments)
    return json.loads(said.splitlines()[-1])
