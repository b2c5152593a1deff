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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.kit.texts import format_duration

LIB = Path(__file__).resolve().parent
ROOT = LIB.parents[1]
HOST = LIB.parent / "host"
PAGE = ROOT / "docs/explanation/idle.md"
README = ROOT / "README.md"
PICTURE = PAGE.with_suffix(".svg")
RESULT = PAGE.with_suffix(".json")
OTHERS = ("supervisor==4.3.0", "circus==0.19.0")
"""From PyPI, in an environment of their own: supervisord's package has the name of podvisor's."""
BEGIN, END = "<!-- figures: written by contrib/bench idle --docs -->", "<!-- end of figures -->"

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

    @property
    def title(self) -> str:
        if not self.containers:
            return "no containers"
        checks = "with health checks every 30 s" if self.checked else "without health checks"
        followed = f", {self.images} images followed" if self.images else ""
        return f"{self.containers} containers {checks}{followed}"

    @property
    def short(self) -> str:
        return f"{self.containers}{', checked' if self.checked else ''}"


RESTING = tuple(Fleet(f"rest-{number}", number, checked=False) for number in (0, 10, 50))
CHECKED = (Fleet("checks-10", 10), Fleet("checks-50", 50))
PAIR = (Fleet("one", 10, chatty=1), Fleet("other", 10, chatty=1))


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
    name: str, times: Times, *, compare: bool, newer: bool = False, images: int = 0
) -> Result:
    """Run all stages on a running host; without `compare` only those that a limit is about.

    With `newer`, health looks cost what they do with Podman 6. Where containers are checked,
    `images` are followed beside.
    """
    started = time.monotonic()
    if compare:
        install_others(name)
    fleets: dict[str, Result] = {}
    picture = ""
    for stage in ([RESTING] if compare else []) + [
        [one._replace(images=images)] for one in CHECKED
    ]:
        with made(name, stage, newer=newer):
            say(f"measuring {', '.join(fleet.title for fleet in stage)}")
            reports = side_by_side(
                name, [(fleet.user, wanted(fleet, compare=compare)) for fleet in stage], times
            )
            for fleet, report in zip(stage, reports, strict=True):
                fleets[fleet.user] = {"title": fleet.title, "report": report}
                if len(stage) == 1:
                    alone = inside(name, fleet.user, "sh", "-euc", ALONE)
                    fleets[fleet.user]["memory_alone"] = int(alone)
            if stage[0].user == CHECKED[0].user:
                picture = inside(name, CHECKED[0].user, "cat", "idle.svg")
    with made(name, PAIR):
        caused = in_turns(name, times)
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "settle_seconds": times.settle,
        "window_seconds": times.window,
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
            words = ("/usr/bin/python3", "-", str(fleet.containers), kind, *numbers)
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
        report["warnings"] += [f"{label} did not run to the end and is left out" for label in ended]
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
    """Every limit with what was measured."""
    ten, fifty = (own(result, fleet.user) for fleet in CHECKED)
    more = sum(one["more_ms"] for one in result["caused"].values())
    error = math.hypot(*(one["error_ms"] for one in result["caused"].values()))
    # A shorter window holds no poll of Git, or one too many.
    cpu, wakes = (1.5, 2) if result["window_seconds"] >= POLL_SECONDS else (2, 4)
    podmans = [process for process in ten["processes"] if "podman" in process]
    return [
        at_most(
            "CPU, 10 containers with health checks, a Git source",
            mean(ten, "cpu_ms"),
            cpu,
            "ms/min",
        ),
        at_most("wake-ups, the same", mean(ten, "wakeups"), wakes, "/min"),
        at_most(
            "CPU with 50 containers, of that with 10", ratio(fifty, ten, "cpu_ms"), 1.3, "times"
        ),
        at_most("wake-ups with 50, of those with 10", ratio(fifty, ten, "wakeups"), 1.3, "times"),
        at_most("CPU that it makes others spend", more, 2, "ms/min", error=error),
        at_most("Podman processes that it keeps alive", len(podmans), 0, ""),
        at_most("memory (PSS), with all children, no other Python", alone(result), 42, "MB"),
        at_most("bytes written to disk", ten["written"], 0, "B"),
    ]


def own(result: Result, user: str) -> Result:
    return own_of(result["fleets"][user]["report"])


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


# --- the docs -------------------------------------------------------------------------------------


def write_docs(result: Result) -> None:
    """Put the figures into the page, and the picture and the result beside it."""
    body = "\n".join(page(result))
    put(PAGE, f"\n\n{body}\n\n")
    put(README, claim(result))
    PICTURE.write_text(result["picture"])
    RESULT.write_text(json.dumps(result | {"picture": PICTURE.name}, indent=1) + "\n")


def put(path: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"bench: cannot write the figures: {path} has no place for them")
    path.write_text(f"{head}{begin}{text}{end}{tail}")


def claim(result: Result) -> str:
    """The figures in a sentence."""
    one = own(result, CHECKED[0].user)
    written = f"{one['written']} bytes" if one["written"] else "nothing"
    return (
        " Measured, with all that it starts: at rest, with ten containers and their health checks, "
        "it takes "
        f"{number(mean(one, 'cpu_ms'))} ms of CPU and {number(mean(one, 'wakeups'))} wake-ups a "
        f"minute, {alone(result):.0f} MB of memory, and writes "
        f"{written} to disk."
    )


def page(result: Result) -> Iterator[str]:
    """The lines of the page between the marks."""
    reports = {user: fleet["report"] for user, fleet in result["fleets"].items()}
    report = reports[CHECKED[0].user]
    settle, window = (format_duration(result[f"{key}_seconds"]) for key in ("settle", "window"))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield (
        f"By `{result['command']}`, on {result['date']}: {settle} to settle, then a window of "
        f"{window} for all of a column side by side. {report['cpus']} processors "
        f"({report['machine']}), Linux {report['kernel']}; Debian {result['suite']}, {versions}. "
        "All that was measured, with its standard errors, is in [idle.json](idle.json).\n"
    )
    if found := doubts(result):
        yield "How far not to trust it:\n"
        yield from (f"- {doubt}" for doubt in found)
        yield ""
    yield "![CPU, wake-ups and memory of podvisor and others, on logarithmic scales](idle.svg)\n"
    for title, cell in TABLES.items():
        yield f"### {title}\n"
        yield from matrix(reports, cell)
        yield ""
    yield "### What podvisor makes others do\n"
    yield (
        "Ten containers with health checks, one of which logs ten lines a second. Of two equal "
        "users on one host one has podvisor, then the other.\n"
    )
    yield "| | CPU with, ms/min | without | more | wake-ups/min with | without |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for label, one in result["caused"].items():
        yield (
            f"| {label} | {one['with_ms']:.2f} | {one['without_ms']:.2f} "
            f"| {one['more_ms']:+.2f} ± {one['error_ms']:.2f} "
            f"| {one['with_wakeups']:.1f} | {one['without_wakeups']:.1f} |"
        )
    yield "\n### What was promised\n"
    yield "| | measured | at most | |"
    yield "| --- | --- | --- | --- |"
    for limit in limits(result):
        verdict = "kept" if limit.kept else "**not kept**"
        yield f"| {limit.what} | {limit.measured} | {limit.limit} | {verdict} |"


def matrix(reports: dict[str, Result], cell: Callable[[Result], str]) -> Iterator[str]:
    """A table: a row for each that was measured, a column for each fleet."""
    columns = [fleet for fleet in (*RESTING, *CHECKED) if fleet.user in reports]
    yield f"| | {' | '.join(fleet.short for fleet in columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    found = {
        (one["label"], fleet.user): one
        for fleet in columns
        for one in reports[fleet.user]["targets"]
    }
    rows = sorted(reports[CHECKED[0].user]["targets"], key=lambda one: mean(one, "cpu_ms"))
    for label in (one["label"] for one in rows):
        ones = (found.get((label, fleet.user)) for fleet in columns)
        cells = " | ".join(cell(one) if one else "-" for one in ones)
        yield f"| {f'**{label}**' if label == 'podvisor' else label} | {cells} |"


def wakeups(one: Result) -> str:
    return f"{'' if one['switches_complete'] else '≥ '}{number(mean(one, 'wakeups'))}"


def memory(one: Result) -> str:
    return "?" if one["memory"] is None else f"{one['memory'] / 1e6:.1f}"


def number(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


TABLES: dict[str, Callable[[Result], str]] = {
    "CPU, milliseconds a minute": lambda one: number(mean(one, "cpu_ms")),
    "Wake-ups a minute": wakeups,
    "Memory (PSS), MB": memory,
}


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
