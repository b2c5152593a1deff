"""What images cost, for `contrib/bench images`: run inside a host beside `measure.py`.

The registry is Debian's docker-registry, run by the user, which tells podvisor of each push and
notes each request; skopeo pushes. What is compared with does the same with the same images.
"""

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from measure import HOME, QUADLETS, cpu_of_children, cpu_of_unit, figure, run, show

BASE = "docker://localhost:5000/podvisor-test:1"
HOST = "localhost:5010"
APPS = HOME / "apps"
WEB_PORTS = {"ours": 8085, "theirs": 8086}
SETTINGS = """\
[sources.home]
folder = "~/apps"
[rollout]
settle = "{settle}"
[images]
interval = "{interval}"
[webhooks]
listen = "127.0.0.1:9078"
[webhooks.registries.own]
sender = "distribution"
secret = "file:~/secret"
"""
REGISTRY_SETTINGS = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {home}}}}}
http: {{addr: 127.0.0.1:5010}}
notifications:
  endpoints:
    - name: podvisor
      url: http://127.0.0.1:9078/hooks/images/own
      headers: {{Authorization: [Bearer nobody guesses this]}}
      timeout: 1s
      threshold: 10
      backoff: 1s
"""
REGISTRY_UNIT = f"""\
[Service]
ExecStart=/usr/bin/docker-registry serve %h/registry/config.yml
ExecStartPost=/bin/sh -c 'until curl --silent http://{HOST}/v2/; do sleep 0.02; done'
StandardOutput=append:%h/registry/requests.log
"""


def measure_images() -> list[dict]:
    """All of them, by one daemon, one after the other; what was measured leaves before the next."""
    registry = Registry()
    start_daemon()
    figures = []
    for measure in (from_push, from_verdict, beside_auto_update, round_without_news):
        figures += measure(registry)
        configure()
        shutil.rmtree(APPS)
        APPS.mkdir()
        run("podvisor", "sync", "--prune-all")
    return figures


def from_push(registry: "Registry") -> list[dict]:
    """From the end of a push to the unit active, and from the same moment by hand."""
    versions = [registry.make(f"version {number}\n") for number in range(10)]
    for name in WEB_PORTS:
        registry.push(versions[0], name)
    follow({"ours": unit("ours")})
    run_by_hand({"theirs": unit("theirs")})
    by_hand = f"podman pull -q {HOST}/theirs:latest && systemctl --user restart theirs.service"
    taken: dict[str, list[float]] = {name: [] for name in WEB_PORTS}
    for number, version in enumerate(versions[1:]):
        for name in sorted(taken, reverse=number % 2 == 0):
            time.sleep(2)  # what one has begun must not be the other's
            before = active_since(name)
            pushed = registry.push(version, name)
            began = time.monotonic()
            if name == "theirs":
                run("sh", "-c", by_hand)
            wait_for(lambda name=name, before=before: active_since(name) > before)
            assert pushed in run("podman", "inspect", f"systemd-{name}").stdout
            if number:  # the first one loads what is needed
                taken[name].append(1000 * (active_since(name) - began))
    ours, theirs = taken["ours"], taken["theirs"]
    base = {"base": theirs, "base_name": "podman pull, restart"}
    over = [one - 1.2 * statistics.median(theirs) for one in ours]
    return [
        figure("image pushed to its container active", "ms", ours, None, **base),
        figure("the same, over 1.2 times that by hand", "ms", over, 100),
        figure("the same, in itself", "ms", ours, 2_000),
    ]


def from_verdict(registry: "Registry") -> list[dict]:
    """From the verdict on an image that ends at once to the one before active; the next check."""
    good = registry.push(registry.make("good\n"), "ours")
    configure(settle="3s")
    follow({"ours": unit("ours")})
    back, asked = [], []
    for number in range(4):
        registry.push(registry.make(f"bad {number}\n", Cmd=["/bin/false"]), "ours")
        wait_for(lambda number=number: len(verdicts("ours")) > number)
        wait_for(lambda: active_since("ours") > verdicts("ours")[-1])
        back.append(1000 * (active_since("ours") - verdicts("ours")[-1]))
        assert good in run("podman", "inspect", "systemd-ours").stdout
        time.sleep(12)  # looks that a webhook asked for are over
        pid, before = show("ours.service", "MainPID"), len(registry.requests())
        subprocess.run(["podvisor", "update"], check=False, stdout=subprocess.DEVNULL)
        time.sleep(1)
        asked.append(len(registry.requests()) - before)
        assert registry.requests()[-1] == "HEAD /v2/ours/manifests/latest"
        assert show("ours.service", "MainPID") == pid
    return [
        figure("verdict on an image to the one before active", "ms", back, 2_000),
        figure("the next check of that image: requests", "", asked, 1),
    ]


def round_without_news(registry: "Registry") -> list[dict]:
    """Rounds over 100 units with 40 images; each with what comes after, until it is quiet."""
    names = [f"web{number:02}" for number in range(40)]
    version = registry.make("round\n")
    for name in names:
        registry.push(version, name)
    configure(interval="30s")
    # Without [Install]: they are followed, and need not run.
    follow({f"app{n:02}": unit(names[n % 40]).partition("[Install]")[0] for n in range(100)})
    requests, spent = [], []
    wait_until_quiet(registry)
    for _ in range(5):
        before, cpu = len(registry.requests()), cpu_of_unit("podvisor.service")
        wait_for(lambda before=before: len(registry.requests()) > before)
        wait_until_quiet(registry)
        spent.append(cpu_of_unit("podvisor.service") - cpu)
        requests.append(len(registry.requests()) - before)
    assert all(one.startswith("HEAD ") for one in registry.requests()[-sum(requests) :])
    return [
        figure("a round, 40 images of 100 units, no news: requests", "", requests, 40),
        figure("the same, CPU", "ms", spent, 150),
    ]


def beside_auto_update(registry: "Registry") -> list[dict]:
    """The same with `podman auto-update`: 20 units without news, a good image, a bad one."""
    good = [registry.make(f"beside {number}\n") for number in range(2)]
    bad = registry.make("bad\n", Cmd=["/bin/false"])
    ours, theirs = ({f"{way}{n:02}": "" for n in range(20)} for way in WEB_PORTS)
    for units in (ours, theirs):
        for name in units:
            registry.push(good[0], name)
            port = f"PublishPort={WEB_PORTS[name[:-2]]}:8080" if name.endswith("00") else ""
            units[name] = unit(name, port)
    run_by_hand(theirs)
    configure(settle="3s")
    follow(ours)
    ways = {"ours": ("podvisor", "update"), "theirs": ("podman", "auto-update")}
    taken = {way: beside(registry, way, argv, good[1], bad) for way, argv in ways.items()}
    told = {
        "requests": ("20 units without news: requests", ""),
        "cpu": ("the same, CPU", "ms"),
        "time": ("the same, time", "ms"),
        "good": ("a good image: no answer for", "ms"),
        "bad": ("one that ends at once: no answer for, in 15 s", "ms"),
        "again": ("the next check of that one: starts", ""),
    }
    return [
        figure(words, of, [taken["ours"][key]], None)
        | {"base": taken["theirs"][key], "base_name": "podman auto-update"}
        for key, (words, of) in told.items()
    ]


def beside(
    registry: "Registry", way: str, argv: Sequence[str], good: pathlib.Path, bad: pathlib.Path
) -> dict[str, float]:
    """What one of the two takes, by the names of `beside_auto_update`."""

    def look() -> float:
        """Have it ask now; gives the CPU milliseconds of the command."""
        with contextlib.suppress(subprocess.CalledProcessError):  # what failed is said so
            return cpu_of_children(*argv, quiet=True)
        return 0.0

    name = f"{way}00"
    look()
    before, cpu, began = len(registry.requests()), cpu_of_unit("podvisor.service"), time.monotonic()
    taken = {"cpu": look(), "time": 1000 * (time.monotonic() - began)}
    if way == "ours":
        taken["cpu"] += cpu_of_unit("podvisor.service") - cpu
    taken["requests"] = len(registry.requests()) - before
    for kind, version in (("good", good), ("bad", bad)):
        with Silence(WEB_PORTS[way]) as silence:
            registry.push(version, name)
            if way == "theirs":  # podvisor is told of it
                look()
            time.sleep(15)
        taken[kind] = silence.longest
    starts = started(name)
    look()
    time.sleep(3)
    taken["again"] = started(name) - starts
    return taken


# --- what is measured -----------------------------------------------------------------------------


def unit(name: str, port: str = "") -> str:
    """A container of the image of that name, which follows it."""
    lines = ["[Unit]", "StartLimitIntervalSec=0", "[Container]", f"Image={HOST}/{name}:latest"]
    lines += ["AutoUpdate=registry", port or "Network=none"]
    return "\n".join([*lines, "[Install]", "WantedBy=default.target", ""])


def run_by_hand(units: dict[str, str]) -> None:
    folder = QUADLETS / "by-hand"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (folder / f"{name}.container").write_text(text)
    run("systemctl", "--user", "daemon-reload")
    run("systemctl", "--user", "restart", *(f"{name}.service" for name in units))


def follow(units: dict[str, str]) -> None:
    """Have podvisor run these, an app each."""
    for name, text in units.items():
        (APPS / name).mkdir()
        (APPS / name / f"{name}.container").write_text(text)
    run("podvisor", "sync")


def start_daemon() -> None:
    APPS.mkdir()
    (HOME / "secret").touch(mode=0o600)
    (HOME / "secret").write_text("nobody guesses this")
    (HOME / ".config/podvisor").mkdir(parents=True)
    write_settings()
    run("podvisor", "setup")


def configure(**settings: str) -> None:
    write_settings(**settings)
    run("podvisor", "reload")


def write_settings(*, settle: str = "0s", interval: str = "1h") -> None:
    """Whether a change lasts is not what is measured: by hand nobody waits for that either."""
    text = SETTINGS.format(settle=settle, interval=interval)
    (HOME / ".config/podvisor/config.toml").write_text(text)


def active_since(name: str) -> float:
    """When a unit became active, by the monotonic clock; 0 if it is not."""
    if show(f"{name}.service", "ActiveState") != "active":
        return 0.0
    return int(show(f"{name}.service", "ActiveEnterTimestampMonotonic")) / 1e6


def verdicts(app: str) -> list[float]:
    """When releases were found to be bad, by the monotonic clock."""
    lines = run("podvisor", "events", app, "--json").stdout.splitlines()
    monotonic = time.monotonic() - time.time()
    events = [json.loads(line) for line in lines]
    return [one["time"] + monotonic for one in events if one.get("step") == "quarantine"]


def started(name: str) -> int:
    """How often the journal says that a unit was started."""
    argv = ("journalctl", "--user", "--unit", f"{name}.service", "--output=cat", "--no-pager")
    return run(*argv).stdout.count("Starting ")


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.05)


def wait_until_quiet(registry: "Registry") -> None:
    """Wait until a registry is asked no more for now."""
    seen = -1
    while seen != (seen := len(registry.requests())):
        time.sleep(5)


class Silence:
    """How long a web server on this port did not answer, at the longest, in milliseconds."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.longest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        answered = time.monotonic()
        while not self._over.wait(0.01):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=0.5)
                connection.request("GET", "/")
                connection.getresponse().read()
                self.longest = max(self.longest, 1000 * (time.monotonic() - answered))
                answered = time.monotonic()
        self.longest = max(self.longest, 1000 * (time.monotonic() - answered))


# --- the registry ---------------------------------------------------------------------------------


class Registry:
    """A registry of this user's; images in it are NAME:latest. Versions are folders (`dir:`)."""

    def __init__(self) -> None:
        self._home = HOME / "registry"
        self._home.mkdir()
        (self._home / "config.yml").write_text(REGISTRY_SETTINGS.format(home=self._home))
        insecure = HOME / ".config/containers/registries.conf.d/own.conf"
        insecure.parent.mkdir(parents=True, exist_ok=True)
        insecure.write_text(f'[[registry]]\nlocation = "{HOST}"\ninsecure = true\n')
        service = HOME / ".config/systemd/user/registry.service"
        service.parent.mkdir(parents=True, exist_ok=True)
        service.write_text(REGISTRY_UNIT)
        run("systemctl", "--user", "daemon-reload")
        run("systemctl", "--user", "start", service.name)
        self._base = HOME / "base"
        copy("--src-tls-verify=false", BASE, f"dir:{self._base}")

    def make(self, text: str, **config: object) -> pathlib.Path:
        """Make a version that serves `text`, with a small layer of its own."""
        folder = HOME / "versions" / digest(text.encode())
        shutil.copytree(self._base, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        settings = json.loads((folder / manifest["config"]["digest"].split(":")[1]).read_text())
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as archive:
            member = tarfile.TarInfo("srv/index.html")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        layer = put(folder, gzip.compress(plain.getvalue(), mtime=0))
        manifest["layers"].append({"mediaType": manifest["layers"][0]["mediaType"]} | layer)
        settings["rootfs"]["diff_ids"].append(f"sha256:{digest(plain.getvalue())}")
        settings.pop("history", None)
        settings["config"] |= config
        manifest["config"] |= put(folder, json.dumps(settings).encode())
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    def push(self, version: pathlib.Path, name: str) -> str:
        """Push a version; gives its digest."""
        copy("--dest-tls-verify=false", f"dir:{version}", f"docker://{HOST}/{name}:latest")
        return f"sha256:{digest((version / 'manifest.json').read_bytes())}"

    def requests(self) -> list[str]:
        """All so far, as `METHOD PATH`, but those of curl, which waits for the start."""
        lines = (self._home / "requests.log").read_text().splitlines()
        found = [line for line in lines if ' HTTP/1.1" ' in line and '"curl/' not in line]
        return [line.split('"')[1].rpartition(" ")[0] for line in found]


def copy(*words: str) -> None:
    run("skopeo", "copy", "--quiet", "--preserve-digests", *words)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(folder: pathlib.Path, blob: bytes) -> dict[str, object]:
    """Write a blob as skopeo's `dir:` has it; gives what a manifest says of it."""
    (folder / digest(blob)).write_bytes(blob)
    return {"digest": f"sha256:{digest(blob)}", "size": len(blob)}


if __name__ == "__main__":
    print(json.dumps(globals()[f"measure_{sys.argv[1]}"]()))
