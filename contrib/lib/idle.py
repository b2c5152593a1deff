"""The idle comparison of `contrib/bench idle`: its stages, the limits, and what goes into the docs.

Every stage is a set of users on one host, measured side by side in one window, each by its own
`podvisor bench idle`. What they run is made by `fleet.py`.
"""

import contextlib
import datetime as dt
import json
import math
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

LIB = Path(__file__).resolve().parent
HOST = LIB.parent / "host"
OTHERS = ("supervisor==4.3.0", "circus==0.19.0")
"""From PyPI, in an environment of their own: supervisord's package has the name of podvisor's."""

STREAM = (
    "podman system service --time=0 unix://$HOME/stream.sock & "
    "until [ -S $HOME/stream.sock ]; do sleep 0.2; done; "
    "exec curl -sN --unix-socket $HOME/stream.sock http://d/v5.0.0/libpod/events >/dev/null"
)
BESIDE = {
    "s6": "exec s6-svscan $HOME/s6",
    "supervisord": "exec /opt/others/bin/supervisord -c $HOME/supervisord.conf",
    "circus": "exec /opt/others/bin/circusd $HOME/circus.ini",
    "podman events": "exec podman events >/dev/null",
    "podman system service": STREAM,
    "podman ps every 10 s": "while :; do podman ps >/dev/null; sleep 10; done",
}
ALONE = """\
cd "/sys/fs/cgroup$(systemctl --user show --property=ControlGroup --value podvisor.service)"
for pid in $(cat cgroup.procs); do cat "/proc/$pid/smaps_rollup"; done |
    awk '/^Pss:/ { kilobytes += $2 } END { print kilobytes * 1024 }'
"""
"""podvisor's memory when no other Python runs, which would share the interpreter's pages."""
NEWER_PODMAN = """\
mkdir -p ~/.config/systemd/user/podvisor.service.d
cat >~/.config/systemd/user/podvisor.service.d/newer-podman.conf <<'END'
[Service]
ExecStart=
ExecStart=/opt/podvisor/bin/python -c "import sys; \
from supervisor.adapters.podman import check_results; \
check_results._FIRST_TO_IGNORE = 5; from supervisor.__main__ import main; \
sys.argv = ['podvisor', 'run']; sys.exit(main())"
END
systemctl --user daemon-reload
systemctl --user restart podvisor.service
"""
"""A daemon to which Podman 5 hides failed checks, as Podman 6 does: their results are in the same
files, and each is read at every look."""
FLOOR = "s6"
POLL_SECONDS = 300
"""Between two questions to a Git server: podvisor's default."""
CONTAINERS = "the containers"

Result = dict[str, Any]


class Fleet(NamedTuple):
    """A user with containers, and what it shows."""

    user: str
    containers: int
    checked: bool = True
    chatty: int = 0
    images: int = 0
    """Followed beside, with webhooks heard."""
    everything: bool = False
    """Whether all is enabled that can be: see `fleet.py`."""

    @property
    def title(self) -> str:
        if not self.containers:
            return "no containers"
        checks = "with health checks every 30 s" if self.checked else "without health checks"
        followed = f", {self.images} images followed" if self.images else ""
        enabled = ", everything enabled" if self.everything else followed
        return f"{self.containers} containers {checks}{enabled}"

    @property
    def short(self) -> str:
        return f"{self.containers}{', checked' if self.checked else ''}"


RESTING = tuple(Fleet(f"rest-{number}", number, checked=False) for number in (0, 10, 50))
CHECKED = (Fleet("checks-10", 10), Fleet("checks-50", 50))
EVERYTHING = (Fleet("plain-10", 10), Fleet("full-10", 10, images=2, everything=True))
PAIR = (Fleet("one", 10, chatty=1), Fleet("other", 10, chatty=1))
STAGES = {
    "resting": RESTING,
    "ten": CHECKED[:1],
    "fifty": CHECKED[1:],
    "everything": EVERYTHING,
    "others": PAIR,
}


class Times(NamedTuple):
    """How long to settle and to measure, in seconds."""

    settle: float
    window: float


class Limit(NamedTuple):
    """One promise, and whether it is kept."""

    what: str
    measured: str
    limit: str
    kept: bool


def measure(
    name: str,
    times: Times,
    *,
    stages: Collection[str],
    compare: bool,
    newer: bool = False,
    images: int = 0,
) -> Result:
    """Run these stages on a running host; with `compare` also what is there for comparison only.

    With `newer`, health looks cost what they do with Podman 6. Where the other supervisors are
    compared with checked containers, `images` are followed beside.
    """
    started = time.monotonic()
    if compare:
        install_others(name)
    fleets: dict[str, Result] = {}
    caused: Result = {}
    picture = ""
    for title in stages:
        stage = STAGES[title]
        if stage is PAIR:
            with made(name, PAIR):
                caused = in_turns(name, times)
            continue
        beside = compare and stage is not EVERYTHING
        if stage[0] in CHECKED:
            stage = tuple(one._replace(images=images) for one in stage)
        with made(name, stage, newer=newer):
            say(f"measuring {', '.join(fleet.title for fleet in stage)}")
            reports = side_by_side(
                name, [(fleet.user, wanted(fleet, compare=beside)) for fleet in stage], times
            )
            for fleet, report in zip(stage, reports, strict=True):
                fleets[fleet.user] = {"title": fleet.title, "report": report}
                if len(stage) == 1:
                    alone = inside(name, fleet.user, "sh", "-euc", ALONE)
                    fleets[fleet.user]["memory_alone"] = int(alone)
            if stage[0].user == CHECKED[0].user:
                picture = inside(name, CHECKED[0].user, "cat", "idle.svg")
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "settle_seconds": times.settle,
        "window_seconds": times.window,
        "images": images,
        "took_seconds": round(time.monotonic() - started),
        "versions": versions(name),
        "picture": picture,
        "fleets": fleets,
        "caused": caused,
    }


@contextlib.contextmanager
def made(name: str, stage: Sequence[Fleet], *, newer: bool = False) -> Iterator[None]:
    """The users of a stage, with their containers; they are gone afterwards."""
    try:
        for fleet in stage:
            say(f"making {fleet.title}")
            host("user", name, fleet.user)
            kind = "checked" if fleet.checked else "plain"
            numbers = (str(fleet.chatty), str(fleet.images))
            more = ("everything",) if fleet.everything else ()
            words = ("/usr/bin/python3", "-", str(fleet.containers), kind, *numbers, *more)
            inside(name, fleet.user, *words, stdin=(LIB / "fleet.py").read_text())
            if newer:
                inside(name, fleet.user, "sh", "-euc", NEWER_PODMAN)
        yield
    finally:
        for fleet in stage:  # one that stays costs the next stage some quiet, not the whole run
            subprocess.run([HOST, "user", "--remove", name, fleet.user], stdout=sys.stderr)


def wanted(fleet: Fleet, *, compare: bool) -> list[str]:
    """Arguments of `podvisor bench idle` for a user."""
    groups = "user.slice/user-{uid}.slice/user@{uid}.service"
    return [
        *("--picture=idle.svg", f"--floor={FLOOR}", f"--title=What idling costs: {fleet.title}"),
        *(f"--command={label}={line}" for label, line in BESIDE.items() if compare),
        *([f"--cgroup={CONTAINERS}={groups}/app.slice"] if fleet.containers else []),
        f"--cgroup=systemd (user)={groups}/init.scope",
        "--unit=session bus=dbus.service",
    ]


def side_by_side(
    name: str, users: Sequence[tuple[str, Sequence[str]]], times: Times
) -> list[Result]:
    """Have each user measure, all in the same window."""
    running = []
    for user, arguments in users:
        uid = inside(name, user, "id", "-u").strip()
        argv = [HOST, "run", name, "--as", user, "--", "podvisor", "bench", "idle", "--json"]
        argv += [f"--settle={times.settle:g}s", f"--window={times.window:g}s"]
        argv += [argument.replace("{uid}", uid) for argument in arguments]
        running.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
    outputs = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        sys.exit("bench: podvisor bench idle failed")
    reports = [json.loads(output) for output in outputs]
    for (user, _), report in zip(users, reports, strict=True):
        ended = [one["label"] for one in report["targets"] if not one["processes"]]
        report["targets"] = [one for one in report["targets"] if one["processes"]]
        ends = [f"{label} did not run to the end and is left out" for label in ended]
        report["warnings"] = [*report.get("warnings", ()), *ends]  # none are left out of JSON
        for label in ended:
            say(f"{user}: {label} did not run to the end")
    return reports


def in_turns(name: str, times: Times) -> Result:
    """What podvisor makes others do: of two equal users one has it, then the other.

    Side by side takes the machine's moods out of it, in turns what differs between the users.
    """
    half = Times(times.settle, times.window / 2)
    sides: dict[str, dict[bool, list[tuple[float, float]]]] = {}
    for turn in (0, 1):
        for number, fleet in enumerate(PAIR):
            verb = "start" if number == turn else "stop"
            inside(name, fleet.user, "systemctl", "--user", verb, "podvisor.service")
        say(f"measuring what podvisor makes others do, turn {turn + 1} of 2")
        asked = [(fleet.user, ["--only", *wanted(fleet, compare=False)]) for fleet in PAIR]
        for number, report in enumerate(side_by_side(name, asked, half)):
            for target in report["targets"]:
                if target["label"] == CONTAINERS:
                    continue
                side = sides.setdefault(target["label"], {True: [], False: []})
                side[number == turn].append(
                    [target["cpu_ms"]["mean"], target["cpu_ms"]["error"], target["wakeups"]["mean"]]
                )
    found = {}
    for label, side in sides.items():
        means = {key: sum(one[0] for one in each) / 2 for key, each in side.items()}
        wakeups = {key: sum(one[2] for one in each) / 2 for key, each in side.items()}
        errors = [one[1] for each in side.values() for one in each]
        found[label] = {
            "with_ms": means[True],
            "without_ms": means[False],
            "more_ms": means[True] - means[False],
            "error_ms": math.hypot(*errors) / 2,
            "with_wakeups": wakeups[True],
            "without_wakeups": wakeups[False],
        }
    return found


# --- what was promised ----------------------------------------------------------------------------


def limits(result: Result) -> list[Limit]:
    """Every limit of what was measured, with how it is kept."""
    ten, fifty = (own(result, fleet.user) for fleet in CHECKED)
    plain, full = (own(result, fleet.user) for fleet in EVERYTHING)
    # A shorter window holds no poll of Git, or one too many.
    holds_a_poll = result["window_seconds"] >= POLL_SECONDS
    found = []
    if ten:
        cpu, wakes = (1.5, 2) if holds_a_poll and not result["images"] else (2, 4)
        what = "CPU, 10 containers with health checks, a Git source"
        found += [
            at_most(what, mean(ten, "cpu_ms"), cpu, "ms/min"),
            at_most("wake-ups, the same", mean(ten, "wakeups"), wakes, "/min"),
        ]
    if ten and fifty:
        what = "CPU with 50 containers, of that with 10"
        found += [
            at_most(what, ratio(fifty, ten, "cpu_ms"), 1.3, "times"),
            at_most(
                "wake-ups with 50, of those with 10", ratio(fifty, ten, "wakeups"), 1.3, "times"
            ),
        ]
    if plain and full:
        of, most = "with everything enabled, of that without", 1.3 if holds_a_poll else 2
        megabytes = (full["memory"] - plain["memory"]) / 1e6
        found += [
            at_most(f"CPU {of}", ratio(full, plain, "cpu_ms"), most, "times"),
            at_most(f"wake-ups {of}", ratio(full, plain, "wakeups"), most, "times"),
            at_most("memory (PSS) that everything takes", megabytes, 4, "MB"),
            at_most("bytes that it writes to disk", full["written"], 0, "B"),
        ]
    if caused := result["caused"].values():
        more = sum(one["more_ms"] for one in caused)
        error = math.hypot(*(one["error_ms"] for one in caused))
        found.append(at_most("CPU that it makes others spend", more, 2, "ms/min", error=error))
    if ten:
        podmans = [process for process in ten["processes"] if "podman" in process]
        what = "memory (PSS), with all children, no other Python"
        found += [
            at_most("Podman processes that it keeps alive", len(podmans), 0, ""),
            at_most(what, alone(result), 34 if result["images"] else 32, "MB"),
            at_most("bytes written to disk", ten["written"], 0, "B"),
        ]
    return found


def own(result: Result, user: str) -> Result:
    """What was measured of podvisor there; empty if nothing was."""
    fleet = result["fleets"].get(user)
    return own_of(fleet["report"]) if fleet else {}


def own_of(report: Result) -> Result:
    """What a report says of podvisor."""
    return next(one for one in report["targets"] if one["label"] == "podvisor")


def alone(result: Result) -> float:
    """Megabytes of podvisor with ten containers, when no other Python runs."""
    return result["fleets"][CHECKED[0].user]["memory_alone"] / 1e6


def mean(target: Result, name: str) -> float:
    return target[name]["mean"]


def ratio(one: Result, other: Result, name: str) -> float:
    """How many times the other; of nothing, nothing is once."""
    below = mean(other, name)
    return mean(one, name) / below if below else (math.inf if mean(one, name) else 1.0)


def at_most(
    what: str, value: float | None, limit: float, unit: str, *, error: float = 0.0
) -> Limit:
    """Compare; what could not be measured is not kept."""
    if value is None:
        return Limit(what, "unknown", f"{limit:g} {unit}".strip(), kept=False)
    shown = f"{value:.2f}".rstrip("0").rstrip(".") + (f" ± {error:.2f}" if error else "")
    return Limit(what, f"{shown} {unit}".strip(), f"{limit:g} {unit}".strip(), value <= limit)


def show(result: Result) -> bool:
    """Print the limits; whether all are kept."""
    rows = limits(result)
    head = Limit("limit", "measured", "at most", kept=True)
    widths = [max(len(str(row[at])) for row in (head, *rows)) for at in range(3)]
    for row in (head, *rows):
        cells = [str(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join(cells), "" if row is head else "kept" if row.kept else "NOT KEPT")
    for doubt in doubts(result):
        print(f"! {doubt}")
    return all(row.kept for row in rows)


def doubts(result: Result) -> list[str]:
    """Why not to believe it."""
    found = []
    if result["window_seconds"] < POLL_SECONDS:
        found.append(
            "The window is shorter than the time between two polls of Git: it holds none, or one "
            "too many."
        )
    for fleet in result["fleets"].values():
        found += [f"With {fleet['title']}, {text}." for text in fleet["report"]["warnings"]]
    return found


# --- the host -------------------------------------------------------------------------------------


def install_others(name: str) -> None:
    """Install what is compared with, in an environment of its own on the host."""
    say("installing supervisord and circus")
    host("environment", name, "/opt/others", *OTHERS)


def versions(name: str) -> dict[str, str]:
    """What the host runs that figures depend on."""
    words = {
        "Podman": "podman --version",
        "systemd": "systemctl --version",
        "Python": "python3 --version",
    }
    said = {key: inside(name, "root", *line.split()) for key, line in words.items()}
    return {key: next(w for w in text.split() if w[0].isdigit()) for key, text in said.items()}


def host(*arguments: str) -> None:
    subprocess.run([HOST, *arguments], check=True, stdout=sys.stderr)


def inside(name: str, user: str, *argv: str, stdin: str = "") -> str:
    done = subprocess.run(
        [HOST, "run", name, "--as", user, "--", *argv],
        input=stdin,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"bench: {argv[0]} failed for {user}\n{done.stdout}")
    return done.stdout


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
