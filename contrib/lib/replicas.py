"""Rolling updates of replicas behind Caddy and nginx, while requests go through both.

    python3 replicas.py PAGE TIMES how-to|plain|post

It runs inside a disposable host, as a user with podvisor: what docs/how-to/run-replicas.md (PAGE)
shows is deployed as it stands there, with images made of Debian's own packages under the names that
the page uses. Then TIMES updates, a fourth and a fifth replica, and three again. With `plain` the
proxies know no more than the replicas' name, with `post` every request is a POST with a body.

The last line that it prints is JSON: of each of the `proxies` its `version`, how many requests were
`sent` at how many a second (`rate`), which were `lost` (status or exception to number), in how many
milliseconds half (`p50`), 99 % (`p99`) and all (`longest`) were answered, and how many containers
answered (`served`); and how many `seconds` the `updates` took.
"""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RATE = 200
"""Requests per second, through each proxy."""
PATIENCE_SECONDS = 60
PORTS = {"caddy": 8091, "nginx": 8092}
BLOCK = re.compile(r"^```\w*\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS = '[sources.home]\nfolder = "~/apps"\n\n[rollout]\nsettle = "1s"\n'
PLAIN = {
    "proxy/caddy/Caddyfile": ":80 {\n\treverse_proxy web:8080\n}\n",
    "proxy/nginx/web.conf": "server {\n    location / { proxy_pass http://web:8080; }\n}\n",
}
WEB = """
daemon off;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen 8080;
        add_header Served-By $hostname;
        location / { return 200 "here\\n"; }
    }
}
"""
"""A program that ends what it has begun when it is told to stop."""

# Makes an image of files of this host: NAME CHANGE... -- FILE...
IMAGE = r"""
set -eu
name=$1 root=$(mktemp -d) changes=()
shift
while [ "$1" != -- ]; do changes+=(--change "$1"); shift; done
shift
mkdir -p "$root"/{bin,data,run,tmp,var/{lib,log}/nginx}
ln -s busybox "$root/bin/sh"
ln -s busybox "$root/bin/wget"
for file in /etc/passwd /etc/group /bin/busybox "$@"; do
    for part in "$file" $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true); do
        mkdir -p "$root${part%/*}"
        cp -rL "$part" "$root${part%/*}/"
    done
done
rm -rf "$root"/etc/nginx/{modules,sites}-enabled
tar -C "$root" -c . | podman import --quiet "${changes[@]}" - "$name"
rm -rf "$root"
"""


def run(*argv: str, check: bool = True) -> str:
    """Run a program; gives what it printed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=check)
    return done.stdout


def make_images() -> None:
    """Make what the page pulls, of what this host has."""
    web = Path("web.conf").absolute()
    web.write_text(WEB)
    path = "ENV PATH=/usr/bin:/usr/sbin:/bin"
    caddy = 'CMD ["caddy","run","--config","/etc/caddy/Caddyfile","--adapter","caddyfile"]'
    nginx = 'CMD ["nginx","-g","daemon off;"]'
    served = f'CMD ["nginx","-c","{web}"]'
    script = ("bash", "-c", IMAGE, "image")
    run(*script, "docker.io/library/caddy:2", path, caddy, "--", "/usr/bin/caddy")
    files = ("/usr/sbin/nginx", "/etc/nginx")
    run(*script, "docker.io/library/nginx:1", path, "STOPSIGNAL QUIT", nginx, "--", *files)
    files = (*files, str(web))
    run(*script, "ghcr.io/me/web:1", path, "STOPSIGNAL QUIT", served, "--", *files)


def write_apps(page: Path, instead: dict[str, str]) -> None:
    """Write what the page shows; its two proxies share a host here, and need a port each."""
    shown: dict[str, str] = dict(BLOCK.findall(page.read_text()))
    for name, text in (shown | instead).items():
        file = Path("apps", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.stem in PORTS:
            text = re.sub(r"PublishPort=\d+:", f"PublishPort={PORTS[file.stem]}:", text)
        file.write_text(text)
    settings = Path(".config/podvisor/config.toml")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(SETTINGS)


def update(number: int) -> None:
    """Have every replica run something else, and wait until all do."""
    unit = Path("apps/web/web@.container")
    text = re.sub(r"^Environment=UPDATE=\d+\n", "", unit.read_text(), flags=re.MULTILINE)
    unit.write_text(text.replace("[Container]\n", f"[Container]\nEnvironment=UPDATE={number}\n"))
    run("podvisor", "sync")


def running() -> int:
    """How many replicas there are."""
    return len(run("podman", "ps", "--quiet", "--filter=name=^systemd-web_").split())


def reach(replicas: int) -> None:
    """Wait until there are so many replicas, and both proxies answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (there := running()) != replicas or not all(map(answers, PORTS.values())):
        if time.monotonic() > deadline:
            sys.exit(f"not within {PATIENCE_SECONDS} s: {replicas} replicas, there are {there}")
        time.sleep(0.1)


def answers(port: int) -> bool:
    argv = ["curl", "--silent", "--fail", "--output", "/dev/null", f"http://127.0.0.1:{port}"]
    return not subprocess.run(argv, check=False).returncode


# --- requests -------------------------------------------------------------------------------------

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Load:
    """Requests at a steady rate, whatever becomes of those before; connections are used again."""

    def __init__(self, port: int, method: str) -> None:
        self.lost: Counter[str] = Counter()
        self.served: set[str] = set()
        self.waits: list[float] = []
        body = "x=1" if method == "POST" else ""
        head = f"{method} / HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = (head + body).encode()
        self._port = port
        self._idle: list[Connection] = []

    async def ask(self) -> None:
        """One request; its answer has to be whole and of status 200."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                connection = await self._connection()
                connection[1].write(self._request)
                status, headers = await _answer(connection[0])
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.lost[type(error).__name__] += 1
        else:
            if status != "200":
                self.lost[status] += 1
            if "served-by" in headers:
                self.served.add(headers["served-by"])
            if headers.get("connection") == "close":
                connection[1].close()
            else:
                self._idle.append(connection)
        self.waits.append(time.monotonic() - began)

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Read an answer; gives its status and its headers, with lower-case names."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return first.split()[1], headers


async def ask(port: int, method: str) -> dict[str, Any]:
    """Ask until SIGTERM comes, and wait for the answers; gives what came of it."""
    load, stop = Load(port, method), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        number = 0
        while not stop.is_set():
            group.create_task(load.ask())
            number += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), began + number / RATE - time.monotonic())
        seconds = time.monotonic() - began
    waits = sorted(round(wait * 1000, 1) for wait in load.waits)
    return {
        "sent": len(waits),
        "rate": round(len(waits) / seconds),
        "lost": load.lost,
        "p50": waits[len(waits) // 2],
        "p99": waits[len(waits) * 99 // 100],
        "longest": waits[-1],
        "served": len(load.served),
    }


@contextlib.contextmanager
def asking(method: str, results: dict[str, Any]) -> Iterator[None]:
    """Ask each proxy meanwhile, from a process each; `results` then has what came of it."""
    children = {
        proxy: subprocess.Popen(
            [sys.executable, __file__, "ask", str(port), method],
            stdout=subprocess.PIPE,
            text=True,
        )
        for proxy, port in PORTS.items()
    }
    try:
        yield
    finally:
        for child in children.values():
            child.terminate()
        for proxy, child in children.items():
            results[proxy] = json.loads(child.communicate()[0])


# --- the whole ------------------------------------------------------------------------------------


def main(page: Path, times: int, way: str) -> None:
    """Deploy, ask, update and scale; print what came of it."""
    make_images()
    write_apps(page, PLAIN if way == "plain" else {})
    run("podvisor", "setup")
    # An nginx that knows a name starts only once somebody has it.
    run("podvisor", "sync", check=way != "plain")
    reach(3)
    results: dict[str, Any] = {}
    with asking("POST" if way == "post" else "GET", results):
        began = time.monotonic()
        for number in range(times):
            update(number)
        seconds = round(time.monotonic() - began, 1)
        if way != "plain":
            run("podvisor", "scale", "web=5")
            reach(5)
            time.sleep(2)  # as long as a proxy may know only of the others, and some
            run("podvisor", "scale", "web")
            reach(3)
    nginx = subprocess.run(["/usr/sbin/nginx", "-v"], stderr=subprocess.PIPE, text=True, check=True)
    results["caddy"]["version"] = run("caddy", "version").split()[0]
    results["nginx"]["version"] = nginx.stderr.split("/")[1].split()[0]
    print(json.dumps({"proxies": results, "updates": times, "seconds": seconds}))


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        print(json.dumps(asyncio.run(ask(int(sys.argv[2]), sys.argv[3]))))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
