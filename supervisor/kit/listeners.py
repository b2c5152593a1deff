"""Who has a port of this machine: /proc/net and /proc/PID, see proc_net(5) and proc_pid_fd(5)."""

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTENS = {"tcp": "0A", "udp": "07"}
"""State of a socket that takes what comes, as include/net/tcp_states.h numbers them."""


def port_holder(port: int, protocol: str = "", *, proc: Path = Path("/proc")) -> str:
    """Say in words who listens on a port (of either protocol, if none is said); empty if nobody.

    Of other users' processes no more than the user can be told.
    """
    for kind in (protocol,) if protocol else _LISTENS:
        for user_id, inode in _sockets(proc, kind, port):
            found = _process_of(proc, inode)
            return found or f"a process of {_user(user_id)}"
    return ""


def _sockets(proc: Path, protocol: str, port: int) -> Iterator[tuple[int, str]]:
    """Yield user id and inode of the sockets that listen there."""
    for version in ("", "6"):
        try:
            lines = (proc / "net" / f"{protocol}{version}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _LISTENS[protocol] and int(words[1].rpartition(":")[2], 16) == port:
                yield int(words[7]), words[9]


def _process_of(proc: Path, inode: str) -> str:
    """Name the process that holds a socket, and its unit; empty if it is another user's."""
    for process in proc.iterdir():
        if not process.name.isdecimal():
            continue
        if f"socket:[{inode}]" in _open_files(process):
            return _in_words(process)
    return ""


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for one in (process / "fd").iterdir():
            with suppress(OSError):  # closed in the meantime
                yield os.readlink(one)  # noqa: PTH115


def _in_words(process: Path) -> str:
    try:
        name = (process / "comm").read_text().strip()
        groups = (process / "cgroup").read_text().strip().split("/")
    except OSError:
        return ""
    units = [one for one in groups if one.endswith(".service")]
    is_own = units and not units[-1].startswith("user@")
    return f"{units[-1]} ({name})" if is_own else f"{name} (process {process.name})"


def _user(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"user {user_id}"
