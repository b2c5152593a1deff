"""Measures of `contrib/bench`, run inside a host as a fresh lingering user.

Argument: the measure's name. The last line printed is a JSON list of figures, medians of several
rounds, each with what it is compared with (`base`), measured in turn with it.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import resource
import select
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HOME = pathlib.Path.home()
QUADLETS = HOME / ".config/containers/systemd"
GENERATOR = "/usr/libexec/podman/quadlet"
WEB = """\
[Unit]
StartLimitIntervalSec=0

[Container]
Image=localhost/podvisor-test:1
Environment=ROUND={round}
{more}
[Install]
WantedBy=default.target
"""
MEMORY_LIMIT = 32
REST_SECONDS = 14
"""More than the start or one and a half times the 8 s between two signs of life take."""
SLEEPER = (
    "[Service]\nExecStart=/bin/sleep infinity\nRestart=no\n[Install]\nWantedBy=default.target\n"
)


def run(*argv: str, **more: int | None) -> subprocess.CompletedProcess:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **more)


def figure(
    name: str,
    unit: str,
    values: list[float],
    limit: float | None,
    *,
    base: list[float] | None = None,
    base_name: str = "",
) -> dict:
    value = statistics.median(values)
    against = statistics.median(base) if base else None
    return {
        "figure": name,
        "unit": unit,
        "value": value,
        "rounds": values,
        "base": against,
        "base_name": base_name,
        "base_rounds": base,
        "limit": limit,
        "ok": limit is None or (value / against if against else value) <= limit,
    }


class Repository:
    """A repository on the host's Git server, with a working clone."""

    def __init__(self, name: str) -> None:
        bare = f"/srv/git/{os.environ['USER']}-{name}.git"
        self.url = f"http://localhost:8080/git/{pathlib.Path(bare).name}"
        self.clone = HOME / f"clone-{name}"
        run("git", "init", "-q", "--bare", "--shared=0666", "-b", "main", bare)
        run("git", "init", "-q", "-b", "main", str(self.clone))
        for key, value in {"user.name": "bench", "user.email": "bench@localhost"}.items():
            self.git("config", key, value)
        self.git("remote", "add", "origin", bare)

    def git(self, *arguments: str) -> None:
        run("git", "-C", str(self.clone), *arguments)

    def commit(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            target = self.clone / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "round")
        self.git("push", "-q", "origin", "main")


def start_daemon(url: str) -> None:
    settings = HOME / ".config/podvisor/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    # Whether a change lasts is not what is measured: by hand nobody waits for that either.
    settings.write_text(f'[sources.home]\ngit = "{url}"\n[rollout]\nsettle = "0s"\n')
    run("podvisor", "setup")
    run("podvisor", "sync")


def cpu_of_children(*argv: str, quiet: bool = False, code: int = 0) -> float:
    """CPU milliseconds that a command and all it starts (and waits for) take; it ends with code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    errors = subprocess.DEVNULL if quiet else None
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=errors)
    if done.returncode != code:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def cpu_of_unit(unit: str) -> float:
    """CPU milliseconds that a service's cgroup has taken so far."""
    group = run("systemctl", "--user", "show", "-P", "ControlGroup", unit).stdout.strip()
    stat = pathlib.Path(f"/sys/fs/cgroup{group}/cpu.stat").read_text()
    return int(stat.split("usage_usec ")[1].split()[0]) / 1000


def measure_start() -> list[dict]:
    """The command line, against a Python that does nothing."""
    repository = Repository("start")
    repository.commit({"blog/hello.service": SLEEPER})
    start_daemon(repository.url)
    commands = {
        "python": (sys.executable, "-c", "pass"),
        "version": ("podvisor", "--version"),
        "status": ("podvisor", "status"),
    }
    taken = cpu_of_each(commands)
    run("systemctl", "--user", "stop", "podvisor")
    del commands["version"]
    alone = cpu_of_each(commands, status=4)
    base = {"base": taken["python"], "base_name": "python -c pass"}
    return [
        figure("podvisor --version, CPU", "ms", taken["version"], 2.5, **base),
        figure("podvisor status, CPU", "ms", taken["status"], 6, **base),
        figure(
            "podvisor status without a daemon, CPU",
            "ms",
            alone["status"],
            6,
            base=alone["python"],
            base_name="python -c pass",
        ),
    ]


def cpu_of_each(commands: dict[str, tuple[str, ...]], **codes: int) -> dict[str, list[float]]:
    """CPU milliseconds of each of these commands, taken in turn; `codes` that are not 0."""
    taken = {name: [] for name in commands}
    for number in range(21):
        for name, argv in commands.items():
            milliseconds = cpu_of_children(*argv, code=codes.get(name, 0))
            if number:  # the first round fills the caches
                taken[name].append(milliseconds)
    return taken


def measure_repair() -> list[dict]:
    """From a dead unit with Restart=no to its start job, by systemd's own clock."""
    repository = Repository("repair")
    repository.commit({"blog/victim.service": SLEEPER})
    start_daemon(repository.url)
    taken = []
    for _ in range(21):
        pid = show("victim.service", "MainPID")
        os.kill(int(pid), 9)
        while show("victim.service", "MainPID") in {pid, "0"}:
            time.sleep(0.02)
        died = int(show("victim.service", "InactiveEnterTimestampMonotonic"))
        started = int(show("victim.service", "InactiveExitTimestampMonotonic"))
        taken.append((started - died) / 1000)
        run("podvisor", "sync")  # forgets the backoff that the next round would meet
        time.sleep(1)  # passes that a watch asks for are held apart: each round begins at rest
    return [figure("dead unit to its start job", "ms", taken, 50)]


def measure_signal() -> list[dict]:
    """From a unit's signal to the first question of its pass, as a monitor of the bus sees both."""
    names = [f"static{number:02}" for number in range(24)]
    repository = Repository("signal")
    # Without [Install]: they are followed, and left alone whether they run or not.
    static = SLEEPER.partition("[Install]")[0]
    repository.commit({f"apps/{name}/{name}.service": static for name in names})
    start_daemon(repository.url)
    time.sleep(3)
    taken = asyncio.run(signals_to_passes([f"{name}.service" for name in names], rounds=5))
    last = statistics.quantiles(taken, n=100)[98]
    return [
        figure("unit's signal to its pass", "ms", taken, 5),
        figure("the same, 99th percentile", "ms", [last], 20),
    ]


async def signals_to_passes(units: list[str], *, rounds: int) -> list[float]:
    """Start and stop the units by turns; gives the milliseconds until podvisor asks for each."""
    from dbus_fast import Message, MessageType
    from dbus_fast.aio import MessageBus

    systemd, manager = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
    bus = "org.freedesktop.DBus"
    states: dict[str, object] = {}
    taken: list[float] = []
    awaited, began, asked = "", 0.0, asyncio.Event()

    def see(message: Message) -> bool:
        nonlocal began
        now = time.monotonic()
        if message.member == "PropertiesChanged":
            values = [message.body[1].get(key) for key in ("ActiveState", "SubState")]
            state = [value and value.value for value in values]
            changed = states.get(message.path) != state
            states[message.path] = state
            if changed and not began and message.path.endswith(awaited.replace(".", "_2e")):
                began = now
        elif message.member == "ListUnitsByNames" and began and awaited in message.body[0]:
            taken.append(1000 * (now - began))
            asked.set()
        return message.message_type in {MessageType.SIGNAL, MessageType.METHOD_CALL}

    monitor, asker = await MessageBus().connect(), await MessageBus().connect()

    async def call(
        by: MessageBus, to: str, path: str, member: str, sign: str, *body: object
    ) -> None:
        interface = manager if to == systemd else f"{bus}.Monitoring"
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=sign,
            body=[*body],
        )
        answer = await by.call(message)
        assert answer.message_type is MessageType.METHOD_RETURN, answer.body

    monitor.add_message_handler(see)
    rules = [
        f"type='signal',interface='{bus}.Properties',arg0='{systemd}.Unit'",
        "type='method_call',member='ListUnitsByNames'",
    ]
    await call(monitor, bus, "/org/freedesktop/DBus", "BecomeMonitor", "asu", rules, 0)
    for verb in ("StartUnit", "StopUnit") * rounds:
        for unit in units:
            awaited, began = unit, 0.0
            asked.clear()
            path = "/org/freedesktop/systemd1"
            await call(asker, systemd, path, verb, "ss", unit, "replace")
            await asyncio.wait_for(asked.wait(), 10)
            await asyncio.sleep(0.05)
    return taken


NOTING = """
import msgspec, pathlib, sys, time, uvloop
from supervisor import daemon

class Noting:
    def __init__(self, folder):
        self._folder = folder
    def __getattr__(self, name):
        return getattr(self._folder, name)
    async def observe(self, app, **more):
        print(time.monotonic(), flush=True)
        return await self._folder.observe(app, **more)

def wrap(ports):
    return msgspec.structs.replace(ports, folder=Noting(ports.folder))

uvloop.run(daemon.run(pathlib.Path(sys.argv[1]), wrap=wrap))
"""
"""The daemon, which prints the time when a pass begins to look at an app."""


def measure_image() -> list[dict]:
    """From an image's new name in Podman's store to the start of the pass over who uses it."""
    from supervisor.kit.inotify import Inotify, Mask  # only in podvisor's own environment

    image = "localhost/bench:dev"
    app = HOME / "apps/web"
    app.mkdir(parents=True)
    (app / "web.container").write_text(
        f"[Container]\nImage={image}\nNetwork=none\nExec=sleep infinity\n"
    )
    config = HOME / "config.toml"
    config.write_text('[sources.home]\nfolder = "~/apps"\n')
    run("systemctl", "--user", "start", "podman.socket")
    run("podman", "tag", "localhost/podvisor-test:2", image)
    store = run("podman", "info", "--format", "{{.Store.GraphRoot}}").stdout.strip()
    index = pathlib.Path(store, "overlay-images", "images.json")
    taken = []
    argv = [sys.executable, "-c", NOTING, str(config)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        for number in range(13):
            time.sleep(4)  # whatever came before has brought about what it could
            os.set_blocking(daemon.stdout.fileno(), False)
            daemon.stdout.read()
            os.set_blocking(daemon.stdout.fileno(), True)
            source = f"localhost/podvisor-test:{number % 2 + 1}"
            identity = run("podman", "inspect", "--format", "{{.Id}}", source).stdout.strip()
            with contextlib.closing(Inotify()) as inotify:
                inotify.add(str(index.parent), Mask.MOVED_TO)
                with subprocess.Popen(["podman", "tag", source, image]):
                    while not holds(index, image, identity):
                        assert select.select([inotify], [], [], 30)[0], "the store did not change"
                        inotify.take()
                    stored = time.monotonic()
                    began = float(daemon.stdout.readline())
            if number > 1:  # the first two copy the images from another store
                taken.append(1000 * max(0.0, began - stored))
        daemon.terminate()
    return [figure("image tagged to the start of its pass", "ms", taken, 50)]


def holds(index: pathlib.Path, image: str, identity: str) -> bool:
    """Whether an image store has this image under this name."""
    images = json.loads(index.read_text())
    return any(one["id"] == identity and image in one.get("names", ()) for one in images)


def show(unit: str, name: str) -> str:
    return run("systemctl", "--user", "show", "-P", name, unit).stdout.strip()


def measure_pass() -> list[dict]:
    """A pass that finds nothing to do over 120 Quadlet files, against the generator alone."""
    files = {}
    for number in range(40):
        app = f"apps/app{number:02}"
        files[f"{app}/web{number:02}.container"] = (
            "[Container]\nImage=localhost/podvisor-test:1\n"
            f"Network=net{number:02}.network\nVolume=vol{number:02}.volume:/data\n"
        )
        files[f"{app}/net{number:02}.network"] = "[Network]\n"
        files[f"{app}/vol{number:02}.volume"] = "[Volume]\n"
    repository = Repository("pass")
    repository.commit(files)
    start_daemon(repository.url)
    passes, generator = [], []
    os.environ["QUADLET_UNIT_DIRS"] = str(QUADLETS)
    for _ in range(11):
        before = cpu_of_unit("podvisor.service")
        run("podvisor", "sync")
        passes.append(cpu_of_unit("podvisor.service") - before)
        generator.append(cpu_of_children(GENERATOR, "-dryrun", "-user", quiet=True))
    base = {"base": generator, "base_name": "Podman's generator"}
    return [figure("pass over 120 files, nothing to do, CPU", "ms", passes, 2, **base)]


def measure_process() -> list[dict]:
    """A child process of something as large as the daemon, against the event loop's own way."""
    taken = json.loads(run(sys.executable, "-c", STARTING_PROCESSES).stdout)
    loop = {"base": taken["loop"], "base_name": "started by uvloop"}
    return [figure("a child process, CPU", "ms", taken["ours"], 0.5, **loop)]


STARTING_PROCESSES = """
import json, resource, subprocess, anyio
import supervisor.wiring.daemon
from supervisor.kit import process

ballast = [bytes(1_000) for _ in range(20_000)]

async def ours():
    await process.run(["true"], timeout_seconds=10)

async def loop():
    async with await anyio.open_process(["true"], stdin=subprocess.DEVNULL) as started:
        await started.wait()

def spent():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1_000 * sum(one.ru_utime + one.ru_stime for one in both)

async def main():
    taken = {"ours": [], "loop": []}
    for number in range(16):
        for way in (ours, loop):
            before = spent()
            for _ in range(20):
                await way()
            if number:
                taken[way.__name__].append((spent() - before) / 20)
    print(json.dumps(taken))

anyio.run(main, backend_options={"use_uvloop": True})
"""


def measure_many() -> list[dict]:
    """One changed app among 10 and among 200 of three units; and a pass over all 200.

    What daemon-reload takes with as many, for which Podman's generator reads all of their files, is
    in each push as well.
    """
    repository = Repository("many")
    changes, taken, reloads = {}, {}, {}
    for number, apps in enumerate((10, 200)):
        repository.commit(dict(many_apps(range(apps))))
        start_daemon(repository.url)
        changes[apps], taken[apps] = [], []
        for turn in range(9):
            repository.commit(dict(many_apps(range(1), 10 * number + turn + 1)))
            before, began = cpu_of_unit("podvisor.service"), time.monotonic()
            run("podvisor", "sync", "app000")
            taken[apps].append(1000 * (time.monotonic() - began))
            time.sleep(1)  # what follows by itself, counts too
            changes[apps].append(cpu_of_unit("podvisor.service") - before)
        reloads[apps] = []
        for _ in range(9):
            began = time.monotonic()
            run("systemctl", "--user", "daemon-reload")
            reloads[apps].append(1000 * (time.monotonic() - began))
    passes, generator = [], []
    os.environ["QUADLET_UNIT_DIRS"] = str(QUADLETS)
    for _ in range(7):
        before = cpu_of_unit("podvisor.service")
        run("podvisor", "sync")
        passes.append(cpu_of_unit("podvisor.service") - before)
        generator.append(cpu_of_children(GENERATOR, "-dryrun", "-user", quiet=True))
    ten = {"base": changes[10], "base_name": "among 10"}
    alone = {"base": generator, "base_name": "Podman's generator"}
    return [
        figure("pass over 200 apps, nothing to do, CPU", "ms", passes, 3, **alone),
        figure("one changed app among 200, CPU", "ms", changes[200], 1.25, **ten),
        figure(
            "the same, push to active", "ms", taken[200], None, base=taken[10], base_name="among 10"
        ),
        figure(
            "daemon-reload by hand",
            "ms",
            reloads[200],
            None,
            base=reloads[10],
            base_name="among 10",
        ),
    ]


ONCE = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
[Install]
WantedBy=default.target
"""
"""A unit that is up and costs nothing."""


def many_apps(numbers: range, turn: int = 0) -> Iterator[tuple[str, str]]:
    """Files of apps of three units; only the first one runs, and only it is ever changed."""
    for number in numbers:
        app = f"apps/app{number:03}"
        text = f"[Container]\nImage=localhost/podvisor-test:1\nEnvironment=TURN={turn}\n"
        wanted = "Network=none\n[Install]\nWantedBy=default.target\n"
        uses = f"Network=net{number:03}.network\nVolume=vol{number:03}.volume:/data\n"
        yield f"{app}/web{number:03}.container", text + (uses if number else wanted)
        yield f"{app}/net{number:03}.network", "[Network]\n"
        yield f"{app}/vol{number:03}.volume", "[Volume]\n"


def measure_sync() -> list[dict]:
    """From `podvisor sync` with a changed repository to the unit active, against by hand."""
    ours, hand = Repository("ours"), Repository("hand")
    ours.commit({"web/web.container": WEB.format(round=0, more="")})
    hand.commit({"hand.container": WEB.format(round=0, more="")})
    start_daemon(ours.url)
    checkout = HOME / "by-hand"
    run("git", "clone", "-q", hand.url, str(checkout))
    folder = QUADLETS / "by-hand"
    folder.mkdir(parents=True)
    by_hand = (
        f"git -C {checkout} pull -q && cp {checkout}/hand.container {folder}"
        " && systemctl --user daemon-reload && systemctl --user restart hand.service"
    )
    shutil.copy(checkout / "hand.container", folder)
    run("systemctl", "--user", "daemon-reload")
    run("systemctl", "--user", "start", "hand.service")
    taken = {"ours": [], "hand": []}
    for number in range(1, 13):
        ours.commit({"web/web.container": WEB.format(round=number, more="")})
        hand.commit({"hand.container": WEB.format(round=number, more="")})
        ways = {"ours": ("podvisor", "sync"), "hand": ("sh", "-c", by_hand)}
        for name in sorted(ways, reverse=number % 2 == 0):
            began = time.monotonic()
            run(*ways[name])
            taken[name].append(1000 * (time.monotonic() - began))
        assert show("web.service", "ActiveState") == "active"
        assert f"ROUND={number}" in run("podman", "inspect", "systemd-web").stdout
    base = {"base": taken["hand"], "base_name": "git pull, copy, reload, restart"}
    return [figure("changed repository to the unit active", "ms", taken["ours"], 1.3, **base)]


def measure_memory() -> list[dict]:
    """The daemon's memory with ten containers, and what would make it smaller, each by itself."""
    files = {
        f"web{number}/web{number}.container": WEB.format(
            round=0, more='HealthCmd=["/bin/busybox","true"]\nHealthInterval=30s\n'
        )
        for number in range(10)
    }
    repository = Repository("memory")
    repository.commit(files)
    start_daemon(repository.url)
    for path, text in LEVERS.items():
        file = HOME / "levers" / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
    levers = {
        "": "",
        "with docstrings and annotations": "PYTHONOPTIMIZE= PYTHONPYCACHEPREFIX=",
        "with the stdlib's event loop": f"PYTHONPATH={HOME}/levers/loop",
        "garbage collected, memory trimmed": f"PYTHONPATH={HOME}/levers/tidy",
        "without Python's own allocator": "PYTHONMALLOC=malloc",
        "with what a pass needs kept": "MALLOC_MMAP_THRESHOLD_=33554432",
    }
    own = {name: [] for name in levers}
    rest, asked, worked = [], [], []
    for number in range(3):
        for name, environment in levers.items():
            restart_with(environment)
            taken = memory_of_unit("podvisor.service")
            if not number:
                continue  # the first round compiles
            own[name].append(taken.own)
            if not name:
                rest.append(taken.all)
                run("podvisor", "status")
                run("podvisor", "plan")
                time.sleep(REST_SECONDS)
                asked.append(memory_of_unit("podvisor.service").all)
                for _ in range(10):
                    run("podvisor", "sync")
                time.sleep(REST_SECONDS)
                worked.append(memory_of_unit("podvisor.service").all)
    restart_with("")
    base = {"base": own.pop(""), "base_name": "as it is"}
    python = {"uvloop": "import asyncio, uvloop", "asyncio": "import asyncio", "nothing": ""}
    return [
        figure("memory (PSS) at rest, ten containers", "MB", rest, MEMORY_LIMIT),
        figure("at rest again after status and plan", "MB", asked, MEMORY_LIMIT),
        figure("at rest again after ten passes more", "MB", worked, MEMORY_LIMIT),
        # Of its own: what is shared depends on who else runs Python just then.
        *(figure(f"own memory, {name}", "MB", taken, None, **base) for name, taken in own.items()),
        *(
            figure(f"own memory, a Python with {name}", "MB", memory_of_python(code), None, **base)
            for name, code in python.items()
        ),
    ]


LEVERS = {
    "loop/uvloop.py": "from asyncio import new_event_loop",
    "tidy/sitecustomize.py": """
import ctypes, gc, threading

def tidy():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)

timer = threading.Timer(4, tidy)
timer.daemon = True
timer.start()
""",
}
"""What has to be done from within, found by Python before anything else of its name."""


def restart_with(environment: str) -> None:
    """Start the daemon anew with these variables in its environment, and let it come to rest."""
    drop_in = HOME / ".config/systemd/user/podvisor.service.d/lever.conf"
    drop_in.parent.mkdir(exist_ok=True)
    # Signs of life, with which it comes to its rest again, need not be waited for five minutes.
    text = "[Service]\nWatchdogSec=16s\n"
    # An empty assignment would take the unit's own variables away.
    drop_in.write_text(text + (f"Environment={environment}\n" if environment else ""))
    run("systemctl", "--user", "daemon-reload")
    run("systemctl", "--user", "restart", "podvisor")
    time.sleep(REST_SECONDS)


class Memory(NamedTuple):
    """In megabytes."""

    all: float
    """PSS: its own, and its share of what others have loaded, too."""
    own: float
    """What it alone has, programs and libraries apart."""


def memory_of_unit(unit: str) -> Memory:
    """What all processes of a service have."""
    group = run("systemctl", "--user", "show", "-P", "ControlGroup", unit).stdout.strip()
    pids = pathlib.Path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split()
    return Memory(*(sum(part) for part in zip(*map(memory_of, pids), strict=True)))


def memory_of(pid: str | int) -> Memory:
    process = pathlib.Path(f"/proc/{pid}")
    return Memory(*(megabytes(process, "smaps_rollup", name) for name in ("Pss", "Pss_Anon")))


def memory_of_python(code: str) -> list[float]:
    """Megabytes that the interpreter has of its own when it has run this code."""
    taken = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", f"{code}\nprint(flush=True)\nwhile open(0).read(): pass"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            taken.append(memory_of(process.pid).own)
            process.stdin.close()
    return taken


def measure_large() -> list[dict]:
    """First deploys by a daemon that may have 512 MB: 200 MB of files, 2,000 files, 2,000 units."""
    repository = Repository("large")
    repository.commit({"blog/hello.service": SLEEPER})
    start_daemon(repository.url)
    run("systemctl", "--user", "set-property", "podvisor.service", "MemoryMax=512M")
    pid = run("systemctl", "--user", "show", "-P", "MainPID", "podvisor.service").stdout.strip()
    process = pathlib.Path("/proc", pid)
    (process / "clear_refs").write_text("5")  # the peak is counted from here
    rest = megabytes(process, "status", "VmHWM")
    for app in range(4):
        for number in range(50):
            file = repository.clone / f"large{app}/conf/{number}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(1 << 20))
    repository.commit({f"large{app}/large{app}.service": SLEEPER for app in range(4)})
    large = answers_while_syncing(process)
    peak = megabytes(process, "status", "VmHWM")
    repository.commit({f"many/conf/{number}": f"{number}\n" for number in range(2_000)})
    repository.commit({"many/many.service": SLEEPER})
    many = answers_while_syncing(process)
    repository.commit({f"units/u{number}.service": ONCE for number in range(2_000)})
    units = answers_while_syncing(process)
    states = json.loads(run("podvisor", "status", "--json").stdout)["apps"]
    assert len(states) == 7, [one["name"] for one in states]
    assert all(one["state"] == "ready" for one in states), states
    after = run("systemctl", "--user", "show", "-P", "MainPID", "podvisor.service").stdout.strip()
    assert after == pid, "it ran out of memory"
    return [
        figure("first deploy of 200 MB: more memory at the peak", "MB", [peak - rest], 40),
        *figures_of_answers("200 MB", large),
        *figures_of_answers("2,000 files", many),
        *figures_of_answers("2,000 units", units),
    ]


class Answer(NamedTuple):
    """In milliseconds."""

    wall: float
    """From the question on; on a machine with other work this is the machine's, too."""
    held: float
    """CPU time of the event loop's own thread meanwhile: what the answer waited for, at most."""


def figures_of_answers(what: str, answers: list[Answer]) -> list[dict]:
    """How long the event loop stood still at most, and how long answers took."""
    walls = sorted(one.wall for one in answers)
    most = statistics.quantiles(walls, n=10)[8]
    return [
        figure(f"{what} written: loop held, CPU", "ms", [max(one.held for one in answers)], 50),
        figure(f"{what} written: nine of ten answers", "ms", [most], 50),
        figure(f"{what} written: the slowest answer", "ms", [walls[-1]], None),
    ]


def answers_while_syncing(process: pathlib.Path) -> list[Answer]:
    """Sync, and ask the daemon (of this folder of /proc) for something all the while."""
    taken = []
    loop = process / "task" / process.name / "schedstat"
    path = f"{os.environ['XDG_RUNTIME_DIR']}/podvisor/control.sock"
    with subprocess.Popen(["podvisor", "sync"], stdout=subprocess.DEVNULL) as sync:
        while sync.poll() is None:
            began, ran = time.monotonic(), int(loop.read_text().split()[0])
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30)
                connection.connect(path)
                connection.sendall(b"GET /v1/nothing HTTP/1.0\r\nHost: podvisor\r\n\r\n")
                assert connection.recv(1_000)
            held = (int(loop.read_text().split()[0]) - ran) / 1e6
            taken.append(Answer(1000 * (time.monotonic() - began), held))
            time.sleep(0.01)
    assert sync.returncode == 0
    return taken


def measure_poll() -> list[dict]:
    """A poll that finds nothing, in-process, against the same by git."""
    import asyncio

    from supervisor.adapters.git.reader import GitSources
    from supervisor.model.git_url import GitUrl
    from supervisor.model.settings import LimitSettings, SourceSettings

    repository = Repository("poll")
    repository.commit({"blog/hello.service": SLEEPER})
    folder = HOME / "poll"
    folder.mkdir()
    bundle = trust_own_server(folder)
    taken = {}

    async def poll(url: str, kind: str, *, by_git: bool) -> None:
        sources = GitSources(folder=folder / kind, limits=LimitSettings())
        os.environ["GIT_SSL_CAINFO"] = bundle  # while that is set, git does the asking
        for number in range(13):
            if number and not by_git:
                os.environ.pop("GIT_SSL_CAINFO", None)
            before = cpu_so_far()
            await sources.fetch("s", SourceSettings(git=GitUrl(url)))
            if number > 2:  # the first fetches, the others fill the caches
                taken.setdefault(kind, []).append(cpu_so_far() - before)

    secure = [sys.executable, "-c", TLS_SERVER, str(folder)]
    with subprocess.Popen(secure, stdout=subprocess.PIPE, text=True) as server:
        try:
            own = f"https://localhost:{int(server.stdout.readline())}"
            for kind, begin in (("http", "http://localhost:8080"), ("https", own)):
                url = repository.url.replace("http://localhost:8080", begin)
                asyncio.run(poll(url, kind, by_git=False))
                asyncio.run(poll(url, f"{kind} by git", by_git=True))
        finally:
            server.kill()
    return [
        figure(
            f"poll over {kind} that finds nothing, CPU",
            "ms",
            taken[kind],
            0.5,
            base=taken[f"{kind} by git"],
            base_name="git fetch",
        )
        for kind in ("http", "https")
    ]


def cpu_so_far() -> float:
    """CPU milliseconds of this process and of all that it started (and waited for)."""
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1000 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime)


def trust_own_server(folder: pathlib.Path) -> str:
    """Make a certificate, trusted here beside the machine's; returns the bundle of them all."""
    own = folder / "certificate.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", str(folder / "key.pem"), "-out", str(own)),
        stderr=subprocess.DEVNULL,
    )
    trusted = folder / "trusted"
    shutil.copytree("/etc/ssl/certs", trusted, symlinks=True)
    name = run("openssl", "x509", "-hash", "-noout", "-in", str(own)).stdout.strip()
    (trusted / f"{name}.0").symlink_to(own)
    os.environ["SSL_CERT_DIR"] = str(trusted)
    bundle = folder / "bundle.pem"
    bundle.write_text(f"{(trusted / 'ca-certificates.crt').read_text()}\n{own.read_text()}")
    return str(bundle)


TLS_SERVER = """
import asyncio, ssl, sys

async def serve(reader, writer):
    up, down = await asyncio.open_connection("localhost", 8080)

    async def pipe(source, target):
        while data := await source.read(65536):
            target.write(data)
        target.close()

    await asyncio.gather(pipe(reader, down), pipe(up, writer), return_exceptions=True)

async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{sys.argv[1]}/certificate.pem", f"{sys.argv[1]}/key.pem")
    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def measure_health() -> list[dict]:
    """CPU of all that the user runs, with ten containers checked every 30 s, and every 5 min."""
    check = 'HealthCmd=["/bin/busybox","true"]\nHealthInterval=30s\n'
    wanted = "[Install]\nWantedBy=default.target\n"
    unit = f"[Container]\nImage=localhost/podvisor-test:1\nNetwork=none\n{check}{wanted}"
    repository = Repository("health")
    repository.commit({f"apps/app{n}/web{n}.container": unit for n in range(10)})
    start_daemon(repository.url)
    names = [f"systemd-web{number}" for number in range(10)]
    wait_for_intervals(names, "30s", seconds=300)
    time.sleep(60)
    before = cpu_of_user(seconds=300)
    settings = HOME / ".config/podvisor/config.toml"
    settings.write_text(
        settings.read_text() + '\n[health]\nidle_interval = "5m"\nidle_after = "1m"\n'
    )
    run("systemctl", "--user", "reload", "podvisor")
    wait_for_intervals(names, "5m0s", seconds=300)
    time.sleep(30)
    after = cpu_of_user(seconds=300)
    base = {"base": [before], "base_name": "checked every 30 s"}
    return [figure("ten containers that are well, CPU a minute", "ms", [after], 0.2, **base)]


def wait_for_intervals(containers: list[str], interval: str, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    form = "{{.Config.Healthcheck.Interval}}"
    while True:
        done = subprocess.run(
            ["podman", "inspect", "--format", form, *containers],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.stdout.split() == [interval] * len(containers):
            return
        if time.monotonic() > deadline:
            sys.exit(f"not checked every {interval} after {seconds:g} s: {done.stdout}")
        time.sleep(1)


def cpu_of_user(*, seconds: float) -> float:
    """Milliseconds of CPU a minute, of everything below the user's systemd, itself included."""
    uid = os.getuid()
    group = pathlib.Path(f"/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/cpu.stat")

    def spent() -> float:
        return int(group.read_text().split()[1]) / 1000

    began, before = time.monotonic(), spent()
    time.sleep(seconds)
    return (spent() - before) * 60 / (time.monotonic() - began)


def measure_webhook() -> list[dict]:
    """From a webhook, as its sender sees it, to the start of the fetch; and a storm of them."""
    repository = Repository("webhook")
    repository.commit({"blog/hello.service": SLEEPER})
    config = HOME / "config.toml"
    port = webhook_settings(config, repository)
    run("systemctl", "--user", "start", "podman.socket")
    taken = []
    argv = [sys.executable, "-c", NOTING_FETCHES, str(config)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as daemon:
        fetches = Fetches(daemon)
        fetches.wait_for_end(0)
        for number in range(23):
            time.sleep(1.5)  # whatever came before is over: the first counts at once
            before = len(fetches.begun)
            sent = time.monotonic()
            assert send_webhook(port, number) == "202"
            fetches.wait_for_end(before)
            if number > 1:  # the first two load what is needed
                taken.append(1000 * (fetches.begun[before] - sent))
        time.sleep(2)
        before = len(fetches.begun)
        process = pathlib.Path(f"/proc/{daemon.pid}")
        (process / "clear_refs").write_text("5")  # the peak is counted from here
        rest = megabytes(process, "status", "VmHWM")
        refused = storm_of_webhooks(port, repository)
        head = run("git", "-C", str(repository.clone), "rev-parse", "HEAD").stdout.strip()
        time.sleep(4)
        assert fetches.revision == head, "what was pushed last was not found"
        more = megabytes(process, "status", "VmHWM") - rest
        after = memory_of(daemon.pid).all
        many = len(fetches.begun) - before
        daemon.terminate()
    return [
        figure("webhook to the start of its fetch", "ms", taken, 10),
        figure("1,000 webhooks in 5 s: fetches", "", [many], 5),
        figure("1,000 webhooks in 5 s: not taken", "", [refused], 0),
        figure("1,000 webhooks in 5 s: more memory at the peak", "MB", [more], 30),
        figure("memory (PSS) after them", "MB", [after], 42),
    ]


def measure_push() -> list[dict]:
    """From a push, whose hook tells podvisor, to the unit active; against the same by hand."""
    ours, hand = Repository("ours"), Repository("hand")
    ours.commit({"web/web.container": WEB.format(round=0, more="")})
    hand.commit({"hand.container": WEB.format(round=0, more="")})
    port = webhook_settings(HOME / ".config/podvisor/config.toml", ours)
    run("podvisor", "setup")
    run("podvisor", "sync")
    # As docs/how-to/get-told-of-pushes.md has it.
    hook = pathlib.Path(f"/srv/git/{pathlib.Path(ours.url).name}/hooks/post-receive")
    hook.write_text(
        "#!/bin/sh\nwhile read -r before after ref; do\n"
        'body="{\\"ref\\": \\"$ref\\", \\"after\\": \\"$after\\"}"\n'
        'hex=$(printf %s "$body" | openssl dgst -sha256 -hmac "$(cat ~/secret)" -r '
        "| cut -d' ' -f1)\n"
        'curl -fsS -H "X-Signature: sha256=$hex" -d "$body" '
        f"http://127.0.0.1:{port}/hooks/home\ndone\n"
    )
    hook.chmod(0o755)
    checkout = HOME / "by-hand"
    run("git", "clone", "-q", hand.url, str(checkout))
    folder = QUADLETS / "by-hand"
    folder.mkdir(parents=True)
    shutil.copy(checkout / "hand.container", folder)
    run("systemctl", "--user", "daemon-reload")
    run("systemctl", "--user", "start", "hand.service")
    by_hand = (
        f"git -C {checkout} fetch -q && git -C {checkout} merge -q --ff-only FETCH_HEAD"
        f" && cp {checkout}/hand.container {folder}"
        " && systemctl --user daemon-reload && systemctl --user restart hand.service"
    )
    taken = {"ours": [], "hand": []}
    for number in range(1, 13):
        for name in sorted(taken, reverse=number % 2 == 0):
            time.sleep(2)  # what one has begun must not be the other's
            unit = "web" if name == "ours" else "hand"
            repository, path = (ours, "web/web") if name == "ours" else (hand, "hand")
            file = repository.clone / f"{path}.container"
            file.write_text(WEB.format(round=number, more=""))
            repository.git("commit", "-q", "-a", "-m", "round")
            before = show(f"{unit}.service", "ActiveEnterTimestampMonotonic")
            began = time.monotonic()
            repository.git("push", "-q", "origin", "main")
            if name == "hand":
                run("sh", "-c", by_hand)
            while (at := show(f"{unit}.service", "ActiveEnterTimestampMonotonic")) in {before, "0"}:
                time.sleep(0.1)
            taken[name].append(int(at) / 1000 - 1000 * began)
            assert f"ROUND={number}" in run("podman", "inspect", f"systemd-{unit}").stdout
    base = {"base": taken["hand"], "base_name": "git fetch, copy, reload, restart"}
    return [
        figure("push to the changed unit active", "ms", taken["ours"], 1.25, **base),
        figure("the same, in itself", "ms", taken["ours"], 1_500),
    ]


def measure_rollback() -> list[dict]:
    """From the verdict on a revision that cannot start, to the one before active; by hand as well.

    The verdict's time is that of its step, the unit's is systemd's.
    """
    repository = Repository("rollback")
    good = WEB.format(round=0, more="")
    repository.commit({"web/web.container": good})
    start_daemon(repository.url)
    folder = QUADLETS / "by-hand"
    folder.mkdir(parents=True)
    bad = "PodmanArgs=--no-such-flag\n"
    again = "systemctl --user daemon-reload && systemctl --user restart hand.service"
    taken = {"ours": [], "hand": []}
    for number in range(1, 8):
        repository.commit({"web/web.container": WEB.format(round=number, more=bad)})
        subprocess.run(["podvisor", "sync"], check=False, stdout=subprocess.DEVNULL)
        time.sleep(2)
        assert "ROUND=0" in run("podman", "inspect", "systemd-web").stdout
        shown = run("podvisor", "events", "web", "--json").stdout
        events = [json.loads(line) for line in shown.splitlines()]
        verdict = max(one["time"] for one in events if one.get("step") == "quarantine")
        up = int(show("web.service", "ActiveEnterTimestampMonotonic")) / 1e6
        taken["ours"].append(1000 * (up + time.time() - time.monotonic() - verdict))
        (folder / "hand.container").write_text(WEB.format(round=number, more=bad))
        subprocess.run(["sh", "-c", again], check=False, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        (folder / "hand.container").write_text(good)
        run("sh", "-c", again)
        taken["hand"].append(1000 * (time.monotonic() - began))
    base = {"base": taken["hand"], "base_name": "copy, reload, restart"}
    return [
        figure("verdict to the revision before active", "ms", taken["ours"], 2_000),
        figure("the same, against by hand", "ms", taken["ours"], None, **base),
    ]


def webhook_settings(config: pathlib.Path, repository: Repository) -> int:
    """Write settings with a source that is only told of pushes; returns the port."""
    port = 20_000 + os.getuid() % 10_000
    (HOME / "secret").touch(mode=0o600)
    (HOME / "secret").write_text("of the bench")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f'[sources.home]\ngit = "{repository.url}"\npoll = "0s"\nwebhook = "generic"\n'
        f'webhook_secret = "file:~/secret"\n[webhooks]\nlisten = "127.0.0.1:{port}"\n'
    )
    return port


class Fetches:
    """What the daemon of NOTING_FETCHES prints."""

    def __init__(self, daemon: subprocess.Popen) -> None:
        self.begun: list[float] = []
        self.revision = ""
        self._ended = 0
        self._news = threading.Condition()
        threading.Thread(target=self._read, args=(daemon.stdout,), daemon=True).start()

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            word, value = line.split()
            with self._news:
                if word == "begin":
                    self.begun.append(float(value))
                else:
                    self.revision = value
                    self._ended += 1
                self._news.notify_all()

    def wait_for_end(self, number: int) -> None:
        """Wait until so many fetches and one more have ended."""
        with self._news:
            assert self._news.wait_for(lambda: self._ended > number, 60)


def storm_of_webhooks(port: int, repository: Repository) -> int:
    """Send a thousand in five seconds, and push meanwhile; returns how many were not taken."""
    answers: list[str] = []
    begun = time.monotonic()

    def sender(first: int) -> None:
        for number in range(first, 999, 16):
            time.sleep(max(0.0, begun + number / 200 - time.monotonic()))
            answers.append(send_webhook(port, number))

    threads = [threading.Thread(target=sender, args=(first,)) for first in range(16)]
    for thread in threads:
        thread.start()
    for number in range(3):
        time.sleep(1)
        repository.commit({"blog/hello.service": SLEEPER + f"# {number}\n"})
    for thread in threads:
        thread.join()
    repository.commit({"blog/hello.service": SLEEPER + "# the last\n"})
    answers.append(send_webhook(port, 999))
    return len(answers) - answers.count("202")


def send_webhook(port: int, number: int) -> str:
    """Send a signed one; returns the status of the answer."""
    commits = [{"id": f"{number:040x}", "modified": ["blog/hello.service"] * 100}]
    payload = {"ref": "refs/heads/main", "after": f"{number:040x}", "commits": commits}
    body = json.dumps(payload).encode()
    signature = hmac.new(b"of the bench", body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/home HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
        f"X-Signature: sha256={signature}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        return connection.makefile("rb").readline().decode().split()[1]


def megabytes(process: pathlib.Path, file: str, name: str) -> float:
    """Of a process's memory, as a file below /proc names it. The kernel's kB are 1024 bytes."""
    said = (process / file).read_text().split(f"\n{name}:")[1]
    return int(said.split()[0]) * 1.024e-3


NOTING_FETCHES = """
import msgspec, pathlib, sys, time, uvloop
from supervisor import daemon

class Noting:
    def __init__(self, reader):
        self._reader = reader
    def __getattr__(self, name):
        return getattr(self._reader, name)
    async def fetch(self, name, settings):
        print("begin", time.monotonic(), flush=True)
        snapshot = await self._reader.fetch(name, settings)
        print("end", snapshot.revision, flush=True)
        return snapshot

def wrap(ports):
    return msgspec.structs.replace(ports, reader=Noting(ports.reader))

uvloop.run(daemon.run(pathlib.Path(sys.argv[1]), wrap=wrap))
"""
"""The daemon, which prints the time when a fetch begins, and the revision when it ends."""


if __name__ == "__main__":
    results = globals()[f"measure_{sys.argv[1]}"]()
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(results))
