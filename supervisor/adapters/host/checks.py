"""What podvisor needs of the machine, and the command that mends what is missing.

`run` asks for `prerequisites` at its start: some looks at files, no process is started unless
something is wrong. `setup` asks for each on its own, since it can mend some of them.
"""

import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from supervisor.adapters.host.commands import PATIENCE_SECONDS, answer
from supervisor.kit.programs import is_installed
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode

OLDEST_PODMAN = (5, 0)
_GENERATOR_FOLDERS = (
    "usr/lib/systemd/user-generators",
    "usr/local/lib/systemd/user-generators",
    "etc/systemd/user-generators",
    "run/systemd/user-generators",
)
_GENERATOR = "podman-user-generator"
_WAIT_ONLINE = "usr/lib/systemd/user/podman-user-wait-network-online.service"
_FIRST_SUBORDINATE_ID = 100_000
"""SUB_UID_MIN of login.defs(5)."""
_SUBORDINATE_IDS = 65_536


class Machine:
    """The machine that it runs on, seen by one user; tests hand in another root and environment."""

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        user_id: int | None = None,
        user: str = "",
        runtime: Path | None = None,
        path: str | None = None,
        ask: Callable[..., str] | None = None,
    ) -> None:
        self._root = root
        self._user_id = os.getuid() if user_id is None else user_id
        self.user = user or _user_name(self._user_id)
        default = Path(f"/run/user/{self._user_id}")
        self.runtime = runtime or Path(os.environ.get("XDG_RUNTIME_DIR") or default)
        self._path = path
        self._ask = ask or answer

    def prerequisites(self) -> list[Finding]:
        """Everything that is missing, in the order in which it is to be mended.

        The subject of each is the name of the check, with hyphens.
        """
        return [
            replace(found, code=IncidentCode.HOST_UNFIT, subject=check.__name__.replace("_", "-"))
            for check in (
                self.rootless,
                self.control_groups,
                self.podman,
                self.subordinate_ids,
                self.lingering,
                self.user_manager,
                self.podman_socket,
            )
            if (found := check()) is not None
        ]

    def rootless(self) -> Finding | None:
        """Whether this is not root."""
        if self._user_id:
            return None
        return Finding(
            message="podvisor looks after rootless containers, and this is root",
            hint="run it as an ordinary user: machinectl shell USER@ gives a full session",
        )

    def control_groups(self) -> Finding | None:
        """Whether there are control groups version 2."""
        if (self._root / "sys/fs/cgroup/cgroup.controllers").exists():
            return None
        return Finding(
            message="the system does not use control groups version 2 (unified)",
            hint="boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
        )

    def podman(self) -> Finding | None:
        """Whether Podman is there with its generator; its version is for `podman_version`."""
        install = "sudo apt install podman (or what your distribution calls it)"
        if not is_installed("podman", self._path):
            return Finding(message="podman is not installed", hint=install)
        if any((self._root / place / _GENERATOR).exists() for place in _GENERATOR_FOLDERS):
            return None
        return Finding(
            message=f"Podman's Quadlet generator ({_GENERATOR}) is not installed",
            hint=f"{install}, version {_dotted(OLDEST_PODMAN)} or newer",
        )

    def podman_version(self) -> tuple[str, Finding | None]:
        """Return Podman's version, and what is wrong with it. Runs podman."""
        # Podman refuses even this where the session's folder is not there.
        outside = () if self.runtime.is_dir() else ("env", "--unset=XDG_RUNTIME_DIR")
        said = self._ask(*outside, "podman", "--version")
        version = said.rpartition(" ")[2].strip()
        parts = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if parts >= OLDEST_PODMAN:
            return version, None
        return version, Finding(
            message=f"Podman {version or '(of unknown version)'} is too old",
            hint=f"podvisor needs Podman {_dotted(OLDEST_PODMAN)} or newer",
        )

    def subordinate_ids(self) -> Finding | None:
        """Whether the user has subordinate user and group ids, and the tools that map them."""
        for tool in ("newuidmap", "newgidmap"):
            if not is_installed(tool, self._path):
                return Finding(message=f"{tool} is not installed", hint="sudo apt install uidmap")
        missing = [
            kind
            for kind, flag in (("subuid", ()), ("subgid", ("-g",)))
            if not self._has_range(self._root / "etc" / kind)
            # They may come from a directory service, which only getsubids knows how to ask.
            and not self._ask("getsubids", *flag, self.user).strip()
        ]
        if not missing:
            return None
        free = self._free_range()
        return Finding(
            message=f"{self.user} has no subordinate ids in /etc/{' and /etc/'.join(missing)}",
            hint=f"sudo usermod --add-subuids {free} --add-subgids {free} {self.user},"
            " then podman system migrate",
        )

    def _has_range(self, path: Path) -> bool:
        names = {self.user, str(self._user_id)}
        return any(line.split(":")[0] in names for line in _lines(path))

    def _free_range(self) -> str:
        """Return as many ids as Podman wants that nobody has yet, behind all that somebody has."""
        ends = [_FIRST_SUBORDINATE_ID]
        for kind in ("subuid", "subgid"):
            for line in _lines(self._root / "etc" / kind):
                _, _, numbers = line.partition(":")
                first, _, size = numbers.partition(":")
                if first.isdecimal() and size.isdecimal():
                    ends.append(int(first) + int(size))
        return f"{max(ends)}-{max(ends) + _SUBORDINATE_IDS - 1}"

    def lingering(self) -> Finding | None:
        """Whether the user's units run without a login."""
        if (self._root / "var/lib/systemd/linger" / self.user).exists():
            return None
        return Finding(
            message=f"{self.user} does not linger: everything stops at logout, and nothing starts "
            "at boot",
            hint=f"loginctl enable-linger {self.user} (with sudo, if it is refused)",
            fatal=False,
        )

    def user_manager(self) -> Finding | None:
        """Whether the user's systemd and bus can be reached."""
        if not self.runtime.is_dir():
            return Finding(
                message=f"{self.user} has no session: there is no {self.runtime}",
                hint=f"sudo loginctl enable-linger {self.user}, then log in anew (not with su)",
            )
        if not (self.runtime / "systemd/private").exists():
            return Finding(
                message=f"the systemd of {self.user} does not run",
                hint=f"sudo systemctl start user@{self._user_id}.service",
            )
        if not _connects(self.runtime / "bus"):
            return Finding(
                message=f"the session bus of {self.user} cannot be reached",
                hint="sudo apt install dbus-user-session, then systemctl --user start dbus.socket",
            )
        return None

    def podman_socket(self) -> Finding | None:
        """Whether Podman's API can be asked."""
        if (self.runtime / "podman/podman.sock").exists():
            return None
        return Finding(
            message="Podman's API cannot be reached: its socket is not there",
            hint="systemctl --user enable --now podman.socket",
        )

    def network_online(self) -> Finding | None:
        """Whether the first container does not wait 90 s for a target that nobody starts.

        Podman makes each container's unit wait until the system's network-online.target is active.
        """
        if not (self._root / _WAIT_ONLINE).exists():
            return None
        state = self._ask("systemctl", "is-active", "network-online.target").strip()
        if state == "active":
            return None
        return Finding(
            message="network-online.target is not active: the first container after each boot "
            "waits 90 s for it",
            hint="sudo systemctl add-wants multi-user.target network-online.target, "
            "then sudo systemctl start network-online.target",
            fatal=False,
        )

    def systemd_version(self) -> int:
        """Return systemd's version, 0 if it does not say. Runs systemctl."""
        words = self._ask("systemctl", "--version").split()
        return int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0

    def can_isolate(self) -> bool:
        """Whether the user's systemd can give a service files and a network of its own.

        That takes user namespaces, which a machine may keep from it though Podman has them. Runs
        systemd-run.
        """
        alone = ("-p", "PrivateNetwork=yes", "-p", "ProtectHome=tmpfs", "-p", "PrivateDevices=yes")
        words = ("systemd-run", "--user", "--quiet", "--wait", "--collect", "--pipe", *alone)
        return self._ask(*words, "echo", "yes").strip() == "yes"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
