"""What looking costs, for `contrib/bench web`: run inside a host beside `measure.py`.

    measure_web.py web

200 apps, 100,000 entries in the event log; the page, the command line, and Debian's Prometheus. The
last line printed is a JSON list of figures.
"""

import contextlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator

from measure import HOME, SLEEPER, cpu_of_unit, figure, memory_of_unit, run

MANY_APPS = 200
MANY_ENTRIES = 100_000
PAGE_LIMIT_KB = 50
WEB, DAEMON, PROMETHEUS = "podvisor-web.service", "podvisor.service", "prometheus.service"
PORT = 20_000 + 10 * (os.getuid() % 1_000)
PAGE, SCRAPER = f"http://127.0.0.1:{PORT}", f"127.0.0.1:{PORT + 1}"
SETTINGS = f"""\
[sources.home]
folder = "~/apps"
[rollout]
settle = "0s"
[ledger]
keep_size = "256M"
[web]
listen = "127.0.0.1:{PORT}"
idle = "{{idle}}"
"""
SCRAPES = f"""\
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["{SCRAPER}"]
  - job_name: podvisor
    static_configs:
      - targets: ["127.0.0.1:{PORT}"]
"""
"""It watches itself, too, as Debian and its own examples have it."""
WINDOW_SECONDS = 60
SCRAPES_A_WINDOW = WINDOW_SECONDS // 15
REST_SECONDS = 6
"""A daemon that has begun is at rest after that."""
PATIENCE_SECONDS = 600
MS = 1_000


def measure_web() -> list[dict]:
    """With few apps, and with many; each time the page, a scraper, and nobody."""
    few = [*looked_at(range(10)), *scraped()]
    for one in few:
        one["figure"] += ", 10 apps"
    many = [*looked_at(range(MANY_APPS)), *scraped()]
    for one in many:
        one["figure"] += f", {MANY_APPS} apps"
    return [*few, *many, *typed(), *left_alone()]


def looked_at(numbers: range) -> Iterator[dict]:
    """The page asleep and awake: how long to its first byte, how much memory and text."""
    deploy(numbers)
    yield figure("the daemon's memory, more after a first look", "MB", first_look(), 0.5)
    asleep: list[float] = []
    awake: list[float] = []
    for _ in range(7):
        run("systemctl", "--user", "stop", WEB)
        asleep.append(first_byte("/"))
        awake += [first_byte("/") for _ in range(3)]
    yield figure("first byte, asleep", "ms", asleep, 1_500)
    yield figure("first byte, awake", "ms", awake, 300)
    memory = memory_of_unit(WEB)
    first_byte("/metrics")
    yield figure("memory of the page's process", "MB", [memory.own], None)
    yield figure("the same, PSS", "MB", [memory.all], None)
    yield figure("the same after a scrape, PSS", "MB", [memory_of_unit(WEB).all], None)
    size = sum(map(transferred, ("/", *assets(fetched("/"))))) / 1_000
    yield figure("the page with all that it needs", "kB", [size], PAGE_LIMIT_KB)


def first_look() -> list[float]:
    """Megabytes that a daemon which has just begun has more when each page was looked at once."""
    more = []
    for _ in range(3):
        run("systemctl", "--user", "restart", DAEMON)
        time.sleep(REST_SECONDS)
        before = memory_of_unit(DAEMON).own
        for path in ("/", "/apps/app001", "/events", "/machine"):
            first_byte(path)
        more.append(memory_of_unit(DAEMON).own - before)
    return more


def scraped() -> Iterator[dict]:
    """What a scrape every 15 s takes of us, beside what it takes of Prometheus itself."""
    with prometheus():
        until(lambda: "podvisor_up" in names_that_it_knows())
        before = {unit: cpu_of_unit(unit) for unit in (WEB, DAEMON, PROMETHEUS)}
        time.sleep(WINDOW_SECONDS)
        taken = {unit: cpu_of_unit(unit) - was for unit, was in before.items()}
    ours = [(taken[WEB] + taken[DAEMON]) / SCRAPES_A_WINDOW]
    theirs = [taken[PROMETHEUS] / SCRAPES_A_WINDOW]
    base = {"base": theirs, "base_name": "Prometheus' own"}
    yield figure("a scrape every 15 s, CPU", "ms", ours, 1, **base)
    yield figure("of that the daemon's", "ms", [taken[DAEMON] / SCRAPES_A_WINDOW], None)


def typed() -> Iterator[dict]:
    """The command line over many apps and many entries."""
    run("systemctl", "--user", "stop", DAEMON)
    fill_event_log()
    run("systemctl", "--user", "start", DAEMON)
    run("podvisor", "sync", "app000")
    for limit, *command in (
        (300, "status"),
        (300, "status", "app100"),
        (200, "events"),
        (200, "events", "app100"),
        (200, "events", "--failed"),
        (200, "events", "--unit", "web100"),
        (200, "why", "app100"),
    ):
        taken = [milliseconds("podvisor", *command) for _ in range(12)][1:]
        yield figure(f"podvisor {' '.join(command)}, {MANY_ENTRIES} entries", "ms", taken, limit)
    taken = [first_byte("/events") for _ in range(8)][1:]
    yield figure(f"first byte of /events, {MANY_ENTRIES} entries", "ms", taken, 300)
    taken = [first_byte("/apps/app100") for _ in range(8)][1:]
    yield figure(f"first byte of /apps/app100, {MANY_ENTRIES} entries", "ms", taken, 300)


def left_alone() -> Iterator[dict]:
    """Nobody looks any more: what is left of the page, after the time that the settings say."""
    configure(idle="5s")
    first_byte("/")
    until(lambda: not main_pid(WEB))
    before = cpu_of_unit("app.slice"), cpu_of_unit(DAEMON)
    time.sleep(30)
    sockets = run("systemctl", "--user", "is-active", "podvisor-web.socket").stdout.strip()
    assert sockets == "active", sockets
    yield figure("nobody looks: processes of the page", "", [float(bool(main_pid(WEB)))], 0)
    daemon = cpu_of_unit(DAEMON) - before[1]
    yield figure("nobody looks: CPU of the daemon in 30 s", "ms", [daemon], None)


def deploy(numbers: range) -> None:
    for number in numbers:
        folder = HOME / f"apps/app{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"web{number:03}.service").write_text(SLEEPER)
    configure(idle="10m")
    run("podvisor", "sync")


def configure(*, idle: str) -> None:
    settings = HOME / ".config/podvisor/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(SETTINGS.format(idle=idle))
    run("podvisor", "setup")
    run("systemctl", "--user", "stop", WEB)


def fill_event_log() -> None:
    """Give it a year's entries, in the proportions of a deploy now and then."""
    kinds = (
        ("step", 1, "step-write", "write"),
        ("step", 1, "step-reload", "reload"),
        ("step", 1, "step-start", "start"),
        ("applied", 1, "applied", ""),
        ("health", 0, "health-failed", ""),
        ("recovered", 1, "recovered", ""),
    )
    now = time.time()

    def rows() -> Iterator[tuple]:
        for number in range(MANY_ENTRIES):
            kind, ok, code, step = kinds[number % len(kinds)]
            app = f"{(number // len(kinds)) % MANY_APPS:03}"
            yield (
                now - 300 * (MANY_ENTRIES - number),
                kind,
                ok,
                code,
                f"app{app}",
                f"web{app}.service" if step == "start" else "",
                "home",
                f"{number:040x}",
                step,
                f"web{app}.service" if step == "write" else "",
                "it is new, or not as it was left",
                "",
            )

    names = [
        *("time", "kind", "ok", "code", "app", "unit", "source", "revision"),
        *("step", "subject", "reason", "detail"),
    ]
    with contextlib.closing(sqlite3.connect(HOME / ".local/state/podvisor/ledger.db")) as ledger:
        marks = ", ".join("?" * len(names))
        ledger.executemany(f"INSERT INTO events ({', '.join(names)}) VALUES ({marks})", rows())
        ledger.commit()


@contextlib.contextmanager
def prometheus() -> Iterator[None]:
    folder = HOME / "prometheus"
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(SCRAPES)
    argv = ("systemd-run", "--user", "--quiet", "--collect", f"--unit={PROMETHEUS}")
    program = ("prometheus", f"--config.file={folder}/prometheus.yml")
    places = (f"--storage.tsdb.path={folder}/data", f"--web.listen-address={SCRAPER}")
    run(*argv, *program, *places)
    try:
        yield
    finally:
        run("systemctl", "--user", "stop", PROMETHEUS)


def names_that_it_knows() -> str:
    argv = ("curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1")
    return run(*argv, f"http://{SCRAPER}/api/v1/label/__name__/values").stdout


def first_byte(path: str) -> float:
    """Milliseconds until an answer begins."""
    argv = ("curl", "-s", "-f", "-o", "/dev/null", "-w", "%{time_starttransfer}")
    return MS * float(run(*argv, f"{PAGE}{path}").stdout)


def transferred(path: str) -> int:
    """Bytes that a browser is sent of an answer."""
    argv = ("curl", "-s", "-f", "--compressed", "-o", "/dev/null", "-w", "%{size_download}")
    return int(run(*argv, f"{PAGE}{path}").stdout)


def fetched(path: str) -> str:
    return run("curl", "-s", "-f", f"{PAGE}{path}").stdout


def assets(html: str) -> Iterator[str]:
    """Where the page's own files are, as it names them."""
    for word in ('href="/static/', 'src="/static/'):
        for rest in html.split(word)[1:]:
            yield "/static/" + rest.partition('"')[0]


def milliseconds(*argv: str) -> float:
    began = time.monotonic()
    run(*argv)
    return MS * (time.monotonic() - began)


def main_pid(unit: str) -> int:
    return int(run("systemctl", "--user", "show", "-P", "MainPID", unit).stdout)


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.2)


if __name__ == "__main__":
    results = globals()[f"measure_{sys.argv[1]}"]()
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(results))
