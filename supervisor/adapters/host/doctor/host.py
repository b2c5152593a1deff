"""The machine as checks see it: files below a root, and programs that are asked once each."""

import json
import os
import pwd
import subprocess
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from supervisor.adapters.host.checks import Machine
from supervisor.adapters.host.commands import run
from supervisor.kit.programs import is_installed

_PATIENCE_SECONDS = 4.0
_LARGEST = 1 << 20
"""Bytes that are read of a file."""
_NO_ANSWER = 124
T = TypeVar("T")


class Said(NamedTuple):
    """What a program said, and how it ended."""

    code: int
    out: str
    err: str = ""

    @property
    def last_words(self) -> str:
        """The last line of what it complained of."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


class Mount(NamedTuple):
    """One line of the mount table."""

    device: str
    place: str
    kind: str


def ask(*command: str, patience: float = _PATIENCE_SECONDS) -> Said:
    """Run a program to its end, or for a few seconds."""
    try:
        done = run(*command, patience=patience)
    except subprocess.TimeoutExpired:
        return Said(_NO_ANSWER, "", f"no answer within {patience:.0f} s")
    except OSError as error:
        if not is_installed(command[0]):
            return Said(127, "", f"{command[0]} is not installed")
        return Said(126, "", error.strerror or str(error))
    return Said(done.returncode, done.stdout, done.stderr)


class Host:
    """The machine, seen by one user; tests hand in another root, environment and programs."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        home: Path | None = None,
        user_id: int | None = None,
        user: str = "",
        environment: Mapping[str, str] | None = None,
        path: str | None = None,
        ask: Callable[..., Said] = ask,
        disk: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self.root = root
        self.user_id = os.getuid() if user_id is None else user_id
        self.environment = os.environ if environment is None else environment
        self.home = home or Path(self.environment.get("HOME") or _home_of(self.user_id))
        self.runtime = Path(self.environment.get("XDG_RUNTIME_DIR") or f"/run/user/{self.user_id}")
        self.ask = ask
        self.disk = disk
        self.machine = Machine(
            root=root,
            user_id=self.user_id,
            user=user,
            runtime=self.at(self.runtime),
            path=path,
            ask=lambda *command: self.ask(*command).out,
        )
        self.user = self.machine.user
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._known: dict[str, Any] = {}

    def at(self, path: Path | str) -> Path:
        """Return where a path of the machine really is."""
        return self.root / str(path).lstrip("/")

    def read(self, path: Path | str) -> str | None:
        """Return the text of a file; None if it is not there or may not be read."""
        try:
            with self.at(path).open(errors="replace") as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def number(self, path: Path | str) -> int | None:
        """Return the number that a file of the kernel holds; None if there is none."""
        text = (self.read(path) or "").strip()
        return int(text) if text.removeprefix("-").isdecimal() else None

    def files(self, folder: Path | str, pattern: str) -> list[Path]:
        """Return the paths, as the machine has them, of what fits in a folder."""
        try:
            found = sorted(self.at(folder).glob(pattern))
        except OSError:
            return []
        return [Path("/", one.relative_to(self.root)) for one in found]

    def shown(self, path: Path | str) -> str:
        """Write a path for people: with `~` for the home folder."""
        text, home = str(path), str(self.home)
        return f"~{text[len(home) :]}" if text.startswith(f"{home}/") else text

    @property
    def config(self) -> Path:
        """Where the user's settings are."""
        return Path(self.environment.get("XDG_CONFIG_HOME") or self.home / ".config")

    @property
    def data(self) -> Path:
        """Where Podman keeps the user's images and volumes, unless its settings say else."""
        return Path(self.environment.get("XDG_DATA_HOME") or self.home / ".local/share")

    def mount_of(self, path: Path | str) -> Mount | None:
        """Return the file system that a path is on; None if nobody says."""
        mounts = self.once("mounts", self._mounts)
        wanted = f"{path}/"
        fitting = [one for one in mounts if wanted.startswith(f"{one.place.rstrip('/')}/")]
        return max(fitting, key=lambda one: len(one.place), default=None)

    def _mounts(self) -> Sequence[Mount]:
        lines = (self.read("/proc/self/mounts") or "").splitlines()
        words = (line.split() for line in lines)
        return [
            Mount(one[0], one[1].replace("\\040", " "), one[2])
            for one in words
            if len(one) > 2  # noqa: PLR2004
        ]

    def once(self, key: str, find: Callable[[], T]) -> T:
        """Return what `find` finds, which is asked once, whoever asks meanwhile."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                self._known[key] = find()
        found: T = self._known[key]
        return found

    def asked(self, *command: str) -> Said:
        """Ask a program once, whoever wants to know."""
        return self.once(" ".join(command), lambda: self.ask(*command))

    def podman_info(self) -> dict[str, Any]:
        """Return what `podman info` says; empty if it says nothing."""
        return self.once("info", lambda: _object(self.asked(*PODMAN_INFO).out))

    def containers(self) -> list[dict[str, Any]]:
        """Return the user's containers, as `podman ps` describes them."""
        return self.once("containers", lambda: objects(self.asked(*PODMAN_PS).out) or [])

    def toml(self, path: Path | str) -> dict[str, Any]:
        """Return what a TOML file says; empty if it is not there, or no TOML."""
        try:
            return tomllib.loads(self.read(path) or "")
        except (ValueError, RecursionError):
            return {}


NO_PODMAN = "Podman does not answer"
PODMAN_INFO = ("podman", "info", "--format=json")
PODMAN_PS = ("podman", "ps", "--all", "--format=json")


def part(value: object, *keys: str) -> Any:
    """Return what stands below these keys; None if anything on the way is not there."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _object(text: str) -> dict[str, Any]:
    found = _json(text)
    return found if isinstance(found, dict) else {}


def objects(text: str) -> list[dict[str, Any]] | None:
    """Return the objects of a JSON list; None if the text is none."""
    found = _json(text)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else None


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects of a text with one a line, as far as they are some."""
    return [one for one in map(_object, text.splitlines()) if one]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _home_of(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_dir
    except KeyError:
        return "/"
