"""A machine on which `podvisor doctor` finds nothing wrong: files below a root, and programs."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supervisor.adapters.host.doctor import session
from supervisor.adapters.host.doctor.host import PODMAN_INFO, PODMAN_PS, Host, Said
from supervisor.adapters.host.doctor.table import CHECKS, examine
from supervisor.model.doctor import Examined, Severity

HOME = "/home/pi"
RUNTIME = "/run/user/1000"
OWN_GROUP = "user.slice/user-1000.slice/user@1000.service"
FAILED = "systemctl --user list-units --failed --all --output=json --no-pager"
MASKED = "systemctl --user list-unit-files --state=masked --output=json --no-pager"
JOURNAL = "journalctl --user --lines=1 --quiet --no-pager"
TIME = "timedatectl show --property=NTPSynchronized --property=NTP --property=CanNTP"
SECRETS = "podman secret ls --format={{.Name}}"
CRONTAB = "crontab -l"
UPDATE_TIMER = "systemctl --user is-active podman-auto-update.timer"
QUADLETS = f"{HOME}/.config/containers/systemd"
HALF_FULL = os.statvfs_result((4096, 4096, 1000, 500, 500, 1000, 500, 500, 0, 255))
FILES = {
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    f"sys/fs/cgroup/{OWN_GROUP}/cgroup.controllers": "cpu memory pids\n",
    "usr/lib/systemd/user-generators/podman-user-generator": "",
    "var/lib/systemd/linger/pi": "",
    "var/log/journal/abc/user-1000.journal": "",
    "run/user/1000/systemd/private": "",
    "run/user/1000/podman/podman.sock": "",
    "etc/subuid": "ann:100000:65536\npi:165536:65536\n",
    "etc/subgid": "ann:100000:65536\npi:165536:65536\n",
    "proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n",
    "proc/key-users": "    0:  45 44/44 39/1000000 9/25000000\n 1000:  14 14/14 14/200 6/20000\n",
    "proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 1000000 kB\n"
    "SwapFree: 1000000 kB\n",
    "proc/swaps": "Filename Type Size Used Priority\n/dev/zram0 partition 1000000 0 100\n",
    "proc/sys/kernel/unprivileged_userns_clone": "1\n",
    "proc/sys/user/max_user_namespaces": "28633\n",
    "proc/sys/net/ipv4/ip_unprivileged_port_start": "1024\n",
    "proc/sys/fs/inotify/max_user_watches": "65536\n",
    "proc/sys/fs/inotify/max_user_instances": "512\n",
}
INFO: dict[str, Any] = {
    "host": {
        "databaseBackend": "sqlite",
        "eventLogger": "journald",
        "freeLocks": 2048,
        "kernel": "6.12.48+deb13-arm64",
        "networkBackend": "netavark",
        "networkBackendInfo": {
            "path": "/usr/lib/podman/netavark",
            "dns": {"path": "/usr/lib/podman/aardvark-dns"},
        },
        "rootlessNetworkCmd": "pasta",
        "pasta": {"executable": "/usr/bin/pasta"},
    },
    "store": {
        "graphDriverName": "overlay",
        "graphOptions": {},
        "graphRoot": f"{HOME}/.local/share/containers/storage",
        "imageStore": {"number": 4},
    },
    "version": {"Version": "5.4.2"},
}


class SoundMachine:
    """Tests spoil it, and look which check says so."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"HOME": HOME, "XDG_RUNTIME_DIR": RUNTIME}
        self.info: dict[str, Any] = json.loads(json.dumps(INFO))
        self.containers: list[dict[str, Any]] = []
        self.said: dict[str, Said] = {
            "podman --version": Said(0, "podman version 5.4.2\n"),
            "systemctl --version": Said(0, "systemd 257 (257.9-1~deb13u1)\n"),
            FAILED: Said(0, "[]"),
            MASKED: Said(0, "[]"),
            JOURNAL: Said(0, "a line\n"),
            " ".join(session.JOURNAL_DROPS): Said(1, "", "insufficient permissions"),
            " ".join(session.JOURNAL_ENDS): Said(0, ""),
            TIME: Said(0, "NTP=yes\nNTPSynchronized=yes\nCanNTP=yes\n"),
            CRONTAB: Said(1, "", "no crontab for pi"),
            UPDATE_TIMER: Said(3, "inactive\n"),
        }
        self.asked: list[str] = []
        for path, text in FILES.items():
            self.file(path, text)
        for tool in ("podman", "newuidmap", "newgidmap"):
            self.file(f"bin/{tool}").chmod(0o755)
        self.path(HOME).mkdir(parents=True)
        self.path(HOME).chmod(0o755)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def file(self, path: str, text: str = "") -> Path:
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def quadlet(self, path: str, text: str) -> None:
        self.file(f"{QUADLETS}/{path}", text)

    def ask(self, *command: str) -> Said:
        words = " ".join(command)
        self.asked.append(words)
        if command == PODMAN_INFO and words not in self.said:
            return Said(0, json.dumps(self.info))
        if command == PODMAN_PS and words not in self.said:
            return Said(0, json.dumps(self.containers))
        return self.said.get(words, Said(127, "", f"{command[0]} is not installed"))

    def host(self, user_id: int = 1000) -> Host:
        return Host(
            root=self.root,
            user_id=user_id,
            user="pi",
            environment=self.environment,
            path=str(self.root / "bin"),
            ask=self.ask,
            disk=lambda _: HALF_FULL,
        )

    def examine(self) -> list[Examined]:
        return examine(self.host(), CHECKS)

    def wrong(self) -> list[Examined]:
        return [one for one in self.examine() if one.severity is not Severity.OK]


@contextmanager
def sound_machine(root: Path) -> Iterator[SoundMachine]:
    """One whose session bus can be reached. `root` should be short: it is part of its path."""
    machine = SoundMachine(root)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(machine.path(f"{RUNTIME}/bus")))
        bus.listen()
        yield machine
