"""The power cuts of `contrib/bench powercut`: a host that dies at any moment, and boots again.

Each round pushes another version of the apps, has podvisor told, and ends every process of the
host at once, somewhere between that and a good while after. Killed processes leave the kernel's
cache behind, which a power cut does not: in every other round, of what was written in the last
seconds below podvisor's own folders some files are left empty or torn in half. After the boot the
machine has to become what the repository says, by itself and within a time limit, with `podvisor
status` and `podvisor plan` of one mind.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

LIB = Path(__file__).resolve().parent
HOST = LIB.parent / "host"
USER = "cut"
PATIENCE_SECONDS = 60.0
TORN_SECONDS = 3.0
"""What was written that shortly before a cut may be lost."""
OWNED = ".config/containers/systemd/podvisor"
WANTED = "\n[Install]\nWantedBy=default.target\n"
CONTAINER = "[Container]\nImage=localhost/podvisor-test:1\nExec=sleep infinity\n{more}" + WANTED
PLAIN = "[Service]\nEnvironment=ROUND={round}\nExecStart=/bin/sleep infinity\n" + WANTED


def files_of(number: int) -> dict[str, str]:
    """Versions that differ in every kind of step: an app, a unit, a network, an environment."""
    even = number % 2 == 0
    extra, network = ("extra", "front") if even else ("other", "back")
    files = {
        "web/web.container": CONTAINER.format(
            more=f"Network={network}.network\nEnvironment=ROUND={number}\nVolume=./conf:/conf:ro\n"
        ),
        f"web/{network}.network": "[Network]\n",
        f"web/{extra}.container": CONTAINER.format(more="Network=none\n"),
        "web/conf/page": f"{number}\n",
        "web/plain.service": PLAIN.format(round=number),
        "still/still.service": PLAIN.format(round=0),
    }
    files |= {f"web/conf/many/{n}": f"{number} {n}\n" for n in range(20)}
    if even:
        files["guest/guest.container"] = CONTAINER.format(more="Network=guest.network\n")
        files["guest/guest.network"] = "[Network]\n"
    return files


class Host:
    """A host with a user whose repository podvisor follows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = Path()
        self.bare = f"/srv/git/{USER}.git"

    def prepare(self) -> None:
        """Make the user and its repository, and have podvisor deploy the first version."""
        subprocess.run([HOST, "user", self.name, USER], check=True, stdout=sys.stderr)
        self.home = Path(self.path_of(f"/home/{USER}"))
        self.run("git", "init", "-q", "--bare", "-b", "main", self.bare)
        self.run("git", "init", "-q", "-b", "main", "clone")
        self.commit(0)
        self.write(
            ".config/podvisor/config.toml",
            f'[sources.home]\ngit = "file://{self.bare}"\n[rollout]\nsettle = "1s"\n',
        )
        self.run("podvisor", "setup")

    def path_of(self, path: str) -> str:
        """Return where a path of the host is on this machine."""
        listed = subprocess.run([HOST, "list", "--json"], check=True, capture_output=True).stdout
        (host,) = (one for one in json.loads(listed) if one["name"] == self.name)
        return f"{host['path']}{path}"

    def cgroup(self) -> Path:
        """The cgroup that holds all its processes."""
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        tree = next(target for _, target, kind, *_ in mounts if kind == "cgroup2")
        return Path(tree, "podvisor-host", self.name, "machine")

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HOST, "run", self.name, "--as", USER, "--", *argv],
            check=check,
            stdout=subprocess.PIPE,
            stderr=None if check else subprocess.DEVNULL,
            text=True,
        )

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", f'mkdir -p "$(dirname {path})"; printf %s "$1" >{path}', "sh", text)

    def commit(self, number: int) -> None:
        """Push a version."""
        script = ["set -e; cd clone; git rm -rqf --ignore-unmatch ."]
        for path, text in files_of(number).items():
            script.append(f"mkdir -p {Path(path).parent}; cat >{path} <<'END'\n{text}END")
        script.append("git add -A; git -c user.name=b -c user.email=b@l commit -qm round")
        script.append(f"git push -q {self.bare} main")
        self.run("sh", "-c", "\n".join(script))

    def cut(self, after: float, *, torn: random.Random | None) -> int:
        """Tell podvisor, let it go on for so long, and end everything; returns what was torn."""
        argv = [HOST, "run", self.name, "--as", USER, "--", "podvisor", "sync"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sync:
            time.sleep(after)
            (self.cgroup() / "cgroup.freeze").write_text("1")
            count = tear(self.home, torn) if torn else 0
            subprocess.run([HOST, "reboot", "--hard", self.name], check=True, stdout=sys.stderr)
            sync.kill()
        return count

    def difference(self, number: int) -> str:
        """Say in what the machine is not what this version says; empty if it is."""
        wanted = files_of(number)
        status = self.run("podvisor", "status", check=False)
        if status.returncode:
            return f"podvisor status is not content:\n{status.stdout}"
        there = {
            str(path.relative_to(self.home / OWNED)): path.read_text(errors="replace")
            for path in (self.home / OWNED).rglob("*")
            if path.is_file() and not path.name.startswith(".podvisor")
        }
        if there != wanted:
            return f"the files differ: {sorted(path for path, _ in wanted.items() ^ there.items())}"
        shown = self.run("podman", "ps", "-a", "--format", "{{.Names}} {{.State}}").stdout
        apps = {path.rpartition("/")[2] for path in wanted if path.endswith(".container")}
        containers = {f"systemd-{name.partition('.')[0]} running" for name in apps}
        if set(shown.splitlines()) != containers:
            return f"the containers are {shown.split()}"
        networks = self.run("podman", "network", "ls", "-q").stdout.split()
        names = {path.rpartition("/")[2] for path in wanted if path.endswith(".network")}
        if set(networks) - {"podman"} != {f"systemd-{name.partition('.')[0]}" for name in names}:
            return f"the networks are {networks}"
        environment = self.run("podman", "inspect", "systemd-web").stdout
        if f'"ROUND={number}"' not in environment:
            return "web runs with its old environment"
        main = self.run("systemctl", "--user", "show", "-P", "MainPID", "plain.service").stdout
        environ = self.run("cat", f"/proc/{main.strip()}/environ", check=False).stdout
        if f"ROUND={number}" not in environ.split("\0"):
            return "plain runs with its old environment"
        page = self.run("podman", "exec", "systemd-web", "cat", "/conf/page", check=False).stdout
        if page != f"{number}\n":
            return f"web sees an old file: {page!r}"
        plan = self.run("podvisor", "plan", "--json").stdout
        if steps := json.loads(plan)["steps"]:
            return f"status is content, and plan has {[one['type'] for one in steps]}"
        return ""


def tear(home: Path, choose: random.Random) -> int:
    """Leave some of what was just written in podvisor's own folders empty or torn in half."""
    torn = 0
    since = time.time() - TORN_SECONDS
    for folder in (OWNED, ".local/state/podvisor"):
        for path in sorted((home / folder).rglob("*")):
            if path.is_symlink() or not path.is_file() or path.stat().st_mtime < since:
                continue
            if path.name.startswith("ledger.db"):
                continue  # SQLite has its own word on power cuts
            if choose.random() < 0.5:
                with path.open("r+b") as file:
                    file.truncate(choose.choice((0, path.stat().st_size // 2)))
                torn += 1
    return torn


def measure(name: str, *, times: int, seed: int) -> bool:
    """Cut the power so often; prints how each went, and returns whether all went well."""
    choose = random.Random(seed)
    print(f"{times} power cuts, seed {seed}")
    host = Host(name)
    host.prepare()
    if why := wait(host, 0):
        print(f"before the first cut: {why}")
        return False
    began = time.monotonic()
    host.commit(1)
    host.run("podvisor", "sync", check=False)
    whole = time.monotonic() - began
    failed = 0
    for number in range(2, times + 2):
        host.commit(number)
        after = choose.uniform(0, 1.2 * whole)
        torn = host.cut(after, torn=choose if number % 2 else None)
        began = time.monotonic()
        why = wait(host, number)
        failed += bool(why)
        how = f"{why} (60 s later)" if why else f"well {time.monotonic() - began:.1f} s later"
        print(f"cut {number - 1}, {after:.2f} s after a push, {torn} files torn: {how}", flush=True)
        if why:
            host.run("podvisor", "sync", check=False)
    print(f"{times - failed} of {times} became what the repository says")
    return not failed


def wait(host: Host, number: int) -> str:
    """Wait until the machine is what a version says; returns in what it is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            why = host.difference(number)
        except (subprocess.CalledProcessError, OSError) as error:
            why = str(error)
        if not why or time.monotonic() > deadline:
            return why
        time.sleep(0.5)
