"""Fixtures over a disposable real host (`contrib/host`): the tests run outside of it and drive it.

`machine` is a running host, `host` is one with podvisor installed; both are the same, shared by the
session; with pytest-xdist (`-n 2`) each worker has one. `user` is a fresh lingering user for one
test, `plain_user` the same without podvisor. `git_server` and `registry` are the host's own
servers.

PODVISOR_SUITE chooses the suite (trixie). PODVISOR_HOST=NAME takes a host that is already running,
and leaves it running: quick while developing.
"""

import contextlib
import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from unittest import mock

import pytest

from supervisor.cli.daemon.client import NotRunning, Refused, ask

CHECKOUT = Path(__file__).resolve().parents[2]
TOOL = CHECKOUT / "contrib" / "host"
SESSION = f"test-{os.getpid()}"
UP_TIMEOUT_SECONDS = 900  # the first one builds its root
PATIENCE_SECONDS = 120
"""For anything that is to happen by itself: long for a slow machine, short for one that hangs."""

UNITS = ".config/systemd/user"
SET_UP: dict[str, str] = {}
"""By host: podvisor's unit as `podvisor setup` wrote it there."""

DEFECT = re.compile(r"internal error|^Traceback |was never (retrieved|awaited)", re.MULTILINE)

SEEN = (
    ("podvisor", "status"),
    ("podvisor", "events", "--limit=40"),
    ("podman", "ps", "--all"),
    ("journalctl", "--user", "--quiet", "--no-pager", "--lines=60"),
)
"""What is asked of the user's host when a scenario has failed."""

Result = subprocess.CompletedProcess[str]
Value = TypeVar("Value")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that fails by chance has to be understood from its one report."""
    report = yield
    user = getattr(item, "funcargs", {}).get("user")
    if user and report.when == "call" and report.failed:
        for argv in SEEN:
            with contextlib.suppress(pytest.fail.Exception):
                done = user.run(*argv, check=False, timeout=20)
                report.sections.append((" ".join(argv), done.stdout + done.stderr))
    return report


def call(
    *argv: str | Path,
    check: bool = True,
    input: str | None = None,  # noqa: A002 - the name that subprocess gives it
    timeout: float = PATIENCE_SECONDS,
    env: Mapping[str, str] | None = None,
    whole_env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    shown: Iterable[str | Path] = (),
) -> Result:
    """Run a program on the machine; a failure or a timeout shows all that it printed.

    It is told of as `shown`, where that is shorter than what is run. Its environment is the
    machine's with `env` over it, or `whole_env`.
    """
    words = " ".join(str(word) for word in shown or argv)
    __tracebackhide__ = True
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            input=input or "",
            timeout=timeout,
            env=whole_env or (os.environ | env if env else None),
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="surrogateescape",  # whatever lies in a journal
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = b"".join((error.stdout or b"", error.stderr or b"")).decode(errors="replace")
        pytest.fail(f"{words}: not done after {timeout} s\n{printed}")
    if check and done.returncode:
        pytest.fail(f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(
    predicate: Callable[[], Value], timeout: float = PATIENCE_SECONDS, what: str = ""
) -> Value:
    """The first true value of the predicate; fails readably when there is none in time.

    What it looks for by a key or a place in a list may be not there yet.
    """
    __tracebackhide__ = True
    began = asked = time.monotonic()
    while not (value := _found(predicate)):
        now = time.monotonic()
        if now > began + timeout:
            pytest.fail(f"{what or 'what was waited for'}: not within {timeout} s, last {value!r}")
        time.sleep(pause(now - began, now - asked))
        asked = time.monotonic()
    return cast("Value", value)


class Missing(NamedTuple):
    """What was looked for by this key is not there; as false as nothing."""

    key: LookupError

    def __bool__(self) -> bool:
        return False


class Instead(NamedTuple):
    """Something else is there; as false as nothing, and shown if nothing better comes."""

    found: str

    def __bool__(self) -> bool:
        return False


def _found(predicate: Callable[[], Value]) -> Value | Missing:
    try:
        return predicate()
    except LookupError as error:
        return Missing(error)


def pause(waited: float, took: float = 0.0) -> float:
    """How long not to ask, so that asking leaves the processors to what is waited for.

    Whoever has waited for long can wait a little longer; who starts a program to ask leaves as much
    time as that took.
    """
    return min(max(0.1, min(waited / 10, 0.25), took), 1.0)


@functools.cache
def tool() -> Any:
    """Load `contrib/host`: to start it for each command would cost more than most of these do."""
    loader = SourceFileLoader("contrib_host", str(TOOL))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@dataclass(frozen=True, kw_only=True)
class Host:
    """A running host. `path` is its folder on the machine, with its /home and /srv."""

    name: str
    suite: str
    path: Path

    @property
    def pid(self) -> int:
        """The process id of its PID 1 on the machine; another one after a reboot."""
        return int(json.loads((self.path / "host.json").read_text())["pid"])

    def reboot(self, *, hard: bool = False) -> None:
        """Boot it again, after an orderly shutdown or as after a power cut."""
        call(TOOL, "reboot", *(["--hard"] if hard else []), self.name, timeout=240)

    def run(
        self,
        *argv: str,
        user: str = "root",
        env: Mapping[str, str] | None = None,
        check: bool = True,
        input: str | None = None,  # noqa: A002
        timeout: float = PATIENCE_SECONDS,
    ) -> Result:
        """Run a command inside, as `contrib/host run` does."""
        __tracebackhide__ = True
        pairs = [f"{key}={value}" for key, value in (env or {}).items()]
        shown = (TOOL, "run", self.name, "--as", user, "--", *argv)
        try:
            vector, environment, cgroup = tool().command(self.name, user, list(argv), env=pairs)
        except (OSError, SystemExit) as error:  # it does not run, or ends right now
            if check:
                pytest.fail(f"{' '.join(map(str, shown))}: {error}")
            return Result(shown, returncode=1, stdout="", stderr=str(error))
        return call(
            *tool().into(cgroup, vector),
            check=check,
            input=input,
            timeout=timeout,
            whole_env=environment,
            shown=shown,
        )

    def systemctl(self, *arguments: str, check: bool = True) -> Result:
        return self.run("systemctl", *arguments, check=check)

    @contextlib.contextmanager
    def stopped(self, *units: str) -> Iterator[None]:
        """Without these services for a while."""
        self.systemctl("stop", *units)
        try:
            yield
        finally:
            self.systemctl("reset-failed", *units, check=False)
            self.systemctl("start", *units)


@dataclass(frozen=True, kw_only=True)
class User:
    """A lingering user of a host. `home` is the home folder as seen from the machine."""

    host: Host
    name: str
    uid: int
    home: Path

    @property
    def runtime(self) -> str:
        """XDG_RUNTIME_DIR, inside."""
        return f"/run/user/{self.uid}"

    @property
    def runtime_outside(self) -> str:
        """The same, as seen from the machine."""
        return f"/proc/{self.host.pid}/root{self.runtime}"

    @property
    def port(self) -> int:
        """The first of twenty of this user's own: users of one host share its network.

        The kernel gives none of them to whoever connects, as it does from 32768 on.
        """
        return 20_000 + 20 * (self.uid % 600)

    @property
    def cgroup(self) -> Path:
        """The cgroup of the user's whole manager, as seen from the machine."""
        slices = f"user.slice/user-{self.uid}.slice/user@{self.uid}.service"
        return Path(f"/proc/{self.host.pid}/root/sys/fs/cgroup/{slices}")

    def run(
        self,
        *argv: str,
        check: bool = True,
        input: str | None = None,  # noqa: A002
        timeout: float = PATIENCE_SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a command inside, as this user."""
        __tracebackhide__ = True
        return self.host.run(
            *argv, user=self.name, check=check, input=input, timeout=timeout, env=env
        )

    def systemctl(
        self, *arguments: str, check: bool = True, timeout: float = PATIENCE_SECONDS
    ) -> Result:
        __tracebackhide__ = True
        return self.run("systemctl", "--user", *arguments, check=check, timeout=timeout)

    def podman(
        self, *arguments: str, check: bool = True, timeout: float = PATIENCE_SECONDS
    ) -> Result:
        __tracebackhide__ = True
        return self.run("podman", *arguments, check=check, timeout=timeout)

    def podvisor(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float = PATIENCE_SECONDS,
        input: str | None = None,  # noqa: A002
    ) -> Result:
        __tracebackhide__ = True
        return self.run("podvisor", *arguments, check=check, timeout=timeout, input=input)

    def start_daemon(self) -> None:
        """Let podvisor set itself up, which starts it.

        On each host that is done once; who has nothing of the kind, and no page, then gets the unit
        that was written there: a quarter of what a small scenario costs (test_bad_hosts holds it
        against the command).
        """
        folder = self.home / UNITS
        is_first = not any(folder.glob("pod*"))
        page = "[web]" in self.read(".config/podvisor/config.toml")
        if not is_first or page or self.host.name not in SET_UP:
            self.podvisor("setup")
            if is_first and not page:
                SET_UP[self.host.name] = (folder / "podvisor.service").read_text()
            return
        unit = f"/home/{self.name}/{UNITS}/podvisor.service"
        self.write(f"{UNITS}/podvisor.service", SET_UP[self.host.name])
        self.link(f"{UNITS}/default.target.wants/podvisor.service", unit)
        socket = "/usr/lib/systemd/user/podman.socket"
        self.link(f"{UNITS}/sockets.target.wants/podman.socket", socket)
        self.systemctl("start", "podman.socket")
        self.systemctl("start", "--no-block", "podvisor.service")
        self.wait_for(self._daemon_answers, what="podvisor to answer")

    def _daemon_answers(self) -> bool:
        session = mock.patch.dict(os.environ, XDG_RUNTIME_DIR=self.runtime_outside)
        with contextlib.suppress(NotRunning, Refused), session:
            return bool(ask("/v1/status", timeout_seconds=10))
        return False

    def reload_daemon(self, *, check: bool = True) -> None:
        """Have podvisor read its settings anew; without `check` they are to be refused."""
        # To systemd, a reload of what is just being started is part of its start.
        self.wait_for(
            lambda: self.unit_state("podvisor.service")["ActiveState"] == "active",
            what="podvisor to be ready",
        )
        done = self.systemctl("reload", "podvisor.service", check=False)
        assert (done.returncode == 0) is check, done.stderr

    def write(self, path: str | Path, text: str, *, mode: int = 0o644) -> Path:
        """Write a file below the home as this user would; new folders become the user's too."""
        target = self._place(path)
        target.write_text(text)
        target.chmod(mode)
        os.chown(target, self.uid, self.uid)
        return target

    def link(self, path: str | Path, target: str) -> None:
        """Make a symbolic link below the home in the same way."""
        link = self._place(path)
        link.symlink_to(target)
        os.lchown(link, self.uid, self.uid)

    def _place(self, path: str | Path) -> Path:
        place = self.home / path
        for folder in reversed(place.relative_to(self.home).parents):
            if not (self.home / folder).exists():
                (self.home / folder).mkdir()
                os.chown(self.home / folder, self.uid, self.uid)
        return place

    def read(self, path: str | Path) -> str:
        return (self.home / path).read_text()

    def unit_state(self, unit: str) -> dict[str, str]:
        """All properties of a unit, as `systemctl --user show` names them."""
        lines = self.systemctl("show", unit).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, unit: str) -> str:
        """What a unit of this user has logged."""
        self.host.run("journalctl", "--sync")
        return self.run("journalctl", "--user", "--unit", unit, "--output=cat", "--no-pager").stdout

    def wait_for(
        self, predicate: Callable[[], Value], timeout: float = PATIENCE_SECONDS, what: str = ""
    ) -> Value:
        __tracebackhide__ = True
        return wait_until(predicate, timeout, what)


GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository on the host's Git server, with a working clone on the machine (`clone`)."""

    url: str
    bare: Path
    clone: Path
    branch: str = "main"
    username: str = "pi"
    password: str = "raspberry"

    def git(self, *arguments: str | Path, check: bool = True) -> str:
        """Run git in the working clone; gives what it printed."""
        __tracebackhide__ = True
        done = call("git", *arguments, cwd=self.clone, env=GIT_ENVIRONMENT, check=check)
        return done.stdout.strip()

    def commit(
        self,
        files: Mapping[str, str | None],
        message: str = "Change",
        *,
        author: str = "Test <test@localhost>",
        executable: Iterable[str] = (),
        links: Mapping[str, str] | None = None,
        push: bool = True,
        force: bool = False,
    ) -> str:
        """Commit files (None removes one) and symbolic links (name → target); gives the id."""
        for name, text in files.items():
            path = self.clone / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        for name in executable:
            (self.clone / name).chmod(0o755)
        for name, target in (links or {}).items():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / name).symlink_to(target)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}", f"--author={author}")
        if push:
            self.push(force=force)
        return self.head

    def push(self, *, force: bool = False) -> None:
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", self.branch)

    def pull(self) -> str:
        """Take over what others have pushed; gives the commit id."""
        self.git("pull", "--quiet", "--rebase", "origin", self.branch)
        return self.head

    @property
    def head(self) -> str:
        """The newest commit of the working clone."""
        return self.git("rev-parse", "HEAD")

    def delete(self) -> None:
        """Take it away from the server."""
        shutil.rmtree(self.bare)


@dataclass(frozen=True, kw_only=True)
class GitServer:
    """The host's Git server; what is pushed here from the machine needs no HTTP."""

    host: Host
    folder: Path
    made: list[Repository] = field(default_factory=list)

    def create(self, name: str, *, private: bool = False) -> Repository:
        """An empty repository; a private one asks for its `username` and `password`."""
        bare = self.host.path / "srv" / ("git-private" if private else "git") / f"{name}.git"
        clone = self.folder / ("private" if private else "open") / name
        clone.mkdir(parents=True)
        # The server, users of the host and root on the machine all write to it.
        call(
            "git",
            "init",
            "--quiet",
            "--bare",
            "--shared=0666",
            "--initial-branch=main",
            bare,
            env=GIT_ENVIRONMENT,
        )
        call(
            "git", "-C", bare, "config", "receive.denyNonFastForwards", "false", env=GIT_ENVIRONMENT
        )
        repository = Repository(
            url=f"http://localhost:8080/{'private' if private else 'git'}/{name}.git",
            bare=bare,
            clone=clone,
        )
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.git("remote", "add", "origin", bare)
        self.made.append(repository)
        return repository

    def stopped(self) -> contextlib.AbstractContextManager[None]:
        """Without the server for a while."""
        return self.host.stopped("lighttpd.service")


# Copies an image and lays other values over its configuration: SOURCE TARGET JSON.
VARIANT = """
import hashlib, json, sys, urllib.request
def call(method, url, body=None, kind=None):
    url = url if url.startswith("http") else "http://localhost:5000/v2/" + url
    kinds = {"Content-Type": kind} if kind else {}
    kinds["Accept"] = ("application/vnd.docker.distribution.manifest.v2+json, "
        "application/vnd.oci.image.manifest.v1+json")
    return urllib.request.urlopen(urllib.request.Request(url, body, kinds, method=method))
(name, tag), (to, to_tag) = (word.rsplit(":", 1) for word in sys.argv[1:3])
manifest = json.load(call("GET", f"{name}/manifests/{tag}"))
config = json.load(call("GET", f"{name}/blobs/{manifest['config']['digest']}"))
config["config"].update(json.loads(sys.argv[3]))
body = json.dumps(config).encode()
digest = "sha256:" + hashlib.sha256(body).hexdigest()
for layer in manifest["layers"]:
    call("POST", f"{to}/blobs/uploads/?mount={layer['digest']}&from={name}", b"")
place = call("POST", f"{to}/blobs/uploads/", b"").headers["Location"]
call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", body,
    "application/octet-stream")
manifest["config"] |= {"digest": digest, "size": len(body)}
call("PUT", f"{to}/manifests/{to_tag}", json.dumps(manifest).encode(), manifest["mediaType"])
"""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The host's registries. An image name is NAME:TAG, without the registry in front.

    The open one holds podvisor-test:1, :2 (web servers on port 8080 that say who they are),
    :crash (fails soon after its start) and :sick (its health check fails).
    """

    host: Host
    url: str = "localhost:5000"
    private_url: str = "localhost:5001"
    username: str = "pi"
    password: str = "raspberry"

    def push(self, image: str, name: str, *, private: bool = False) -> str:
        """Copy an image of the open registry under another name; gives its digest."""
        self._skopeo(
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            *([f"--dest-creds={self.username}:{self.password}"] if private else []),
            f"docker://{self.url}/{image}",
            self._place(name, private=private),
        )
        return self.digest(name, private=private)

    def push_variant(self, image: str, name: str, **config: Any) -> str:
        """The same with other values in its configuration (`Cmd`, `Labels`, `Healthcheck` …)."""
        self.host.run("python3", "-", image, name, json.dumps(config), input=VARIANT)
        return self.digest(name)

    def digest(self, name: str, *, private: bool = False) -> str:
        done = self._skopeo(
            "inspect",
            "--format={{.Digest}}",
            *self._access(private=private),
            self._place(name, private=private),
        )
        return done.stdout.strip()

    def delete(self, name: str, *, private: bool = False) -> None:
        """Delete an image, with all tags of it under that name."""
        self._skopeo("delete", *self._access(private=private), self._place(name, private=private))

    def stopped(self) -> contextlib.AbstractContextManager[None]:
        """Without the open registry for a while."""
        return self.host.stopped("registry@5000.service")

    def _place(self, name: str, *, private: bool) -> str:
        return f"docker://{self.private_url if private else self.url}/{name}"

    def _access(self, *, private: bool) -> list[str]:
        credentials = [f"--creds={self.username}:{self.password}"] if private else []
        return ["--tls-verify=false", *credentials]

    def _skopeo(self, *arguments: str) -> Result:
        return self.host.run("skopeo", *arguments)


# --- fixtures -------------------------------------------------------------------------------------


def known_hosts() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(call(TOOL, "list", "--json").stdout)
    return found


def host_named(name: str) -> Host:
    for known in known_hosts():
        if known["name"] == name and known["state"] == "running":
            return Host(name=name, suite=known["suite"], path=Path(known["path"]))
    pytest.fail(f"no host {name} is running")


@pytest.fixture(scope="session")
def suite() -> str:
    return os.environ.get("PODVISOR_SUITE", "trixie")


@pytest.fixture(scope="session")
def machine(suite: str) -> Iterator[Host]:
    """A running host, for the whole session."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a host")
    if name := os.environ.get("PODVISOR_HOST"):
        yield host_named(name)
        return
    for known in known_hosts():
        prefix, _, pid = known["name"].partition("-")
        if prefix == "test" and pid.isdigit() and not Path("/proc", pid).exists():
            call(TOOL, "down", known["name"])  # a session that was killed left it behind
    try:
        call(TOOL, "up", "--suite", suite, SESSION, timeout=UP_TIMEOUT_SECONDS)
        yield host_named(SESSION)
    finally:
        call(TOOL, "down", SESSION)


@pytest.fixture(scope="session")
def host(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A running host with podvisor installed from this checkout.

    Of the workers of one run the first installs it, which compiles all that there is.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        install(machine)
        return machine
    theirs = tmp_path_factory.getbasetemp().parent
    installed = theirs / "installed"
    with tool().lock(f"install-{theirs.parent.parent.name}-{theirs.name}"):
        if installed.exists():
            copy_podvisor(host_named(installed.read_text()), machine)
        else:
            install(machine)
            installed.write_text(machine.name)
    return machine


def install(host: Host) -> None:
    call(TOOL, "install", host.name, CHECKOUT, timeout=300)


def copy_podvisor(host: Host, other: Host) -> None:
    """Have what is installed on a host on another one of its suite, too; at less than it took."""
    for path in (
        *("opt/podvisor", "usr/local/bin/podvisor", "var/cache/podvisor-python"),
        "etc/systemd/user/podvisor.service.d",
    ):
        there, here = (f"/proc/{one.pid}/root/{path}" for one in (host, other))
        call("cp", "--archive", "--no-target-directory", there, here)


@contextlib.contextmanager
def fresh_user(host: Host) -> Iterator[User]:
    """A fresh lingering user, whose podvisor is to have met no defect of its own in the end."""
    name = f"u{os.getpid()}-{secrets.token_hex(3)}"  # whichever copy of this module makes it
    began = int(time.time())
    try:
        home = make_user(host, name)
        user = User(host=host, name=name, uid=home.stat().st_uid, home=home)
        # A user's first Podman is the parent of the one that does the work. Started by a unit, it
        # may have reaped that one before systemd asks whose notification has come: on a busy
        # machine the unit then fails with `protocol`.
        user.podman("unshare", "true")
        yield user
        assert (met := defects(user, since=began)) == "", met
    finally:
        make_user(host, name, remove=True)


def make_user(host: Host, name: str, *, remove: bool = False) -> Path:
    """Do as `contrib/host user`, without starting it; gives the home folder."""
    script = "user-remove.sh" if remove else "user-add.sh"
    with tool().lock(f"users-{host.name}"):
        host.run("sh", "-euc", (tool().LIB / script).read_text(), script, name)
    return host.path / "home" / name


def defects(user: User, *, since: int) -> str:
    """What the daemon has said of exceptions that nobody expected, since this second."""
    user.host.run("journalctl", "--sync")
    said = user.host.run(
        *("journalctl", "--quiet", "--no-pager", "--output=cat", f"--since=@{since}"),
        # An earlier user may have had the same id.
        *(f"_UID={user.uid}", "_SYSTEMD_USER_UNIT=podvisor.service"),
    ).stdout
    return said if DEFECT.search(said) else ""


@pytest.fixture
def user(host: Host) -> Iterator[User]:
    """A fresh lingering user, on a host with podvisor."""
    with fresh_user(host) as made:
        yield made


@pytest.fixture
def plain_user(machine: Host) -> Iterator[User]:
    """A fresh lingering user, on a host that need not have podvisor."""
    with fresh_user(machine) as made:
        yield made


@pytest.fixture
def port(user: User) -> int:
    """The first of twenty of the user's own."""
    return user.port


@pytest.fixture
def git_server(machine: Host, tmp_path: Path) -> Iterator[GitServer]:
    """The host's Git server; the repositories that a test makes go with the test."""
    server = GitServer(host=machine, folder=tmp_path / "clones")
    yield server
    for repository in server.made:
        shutil.rmtree(repository.bare, ignore_errors=True)


@pytest.fixture(scope="session")
def registry(machine: Host) -> Registry:
    """The host's registries, shared by the session: use image names of your own."""
    return Registry(host=machine)


@pytest.fixture
def own(user: User, registry: Registry) -> Any:
    """A registry of this user's own, which tells podvisor of what is pushed."""
    from tests.host.registries import OwnRegistry  # for which this module is another one

    return OwnRegistry(user=user, shared=registry, port=user.port).tell()


@pytest.fixture
def acme(user: User) -> Any:
    """An ACME issuer of this user's own (`acme_server.AcmeServer`), started."""
    from tests.host.acme_server import AcmeServer  # for which this module is another one

    return AcmeServer(user=user, port=user.port + 10).start()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """`wait_for(predicate, timeout=120, what="")` gives the predicate's first true value."""
    return wait_until
