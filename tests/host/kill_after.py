"""Run the daemon, and SIGKILL it at the nth moment of its acts on the world.

    python kill_after.py CONFIG N COMMAND   from its start, until COMMAND (sync, update) has ended
    python kill_after.py CONFIG             as podvisor's service, once N stands in ~/moments

Run inside the host, with podvisor's own Python. With a command it ends with code 0 if there were
fewer than N. Every call of a port that changes something is an
act; the moment before one is the moment after the one before. One after which nothing is in another
state than before, as what is recorded once more or not written yet, is none.
"""

import os
import signal
import sqlite3
import sys
from functools import partial
from pathlib import Path

import anyio
from msgspec.structs import replace

from supervisor import daemon

MOMENTS = Path("~/moments").expanduser()
ACTS = {
    "folder": ("write_manifest", "write_files", "remove_files"),
    "systemd": (
        "start",
        "stop",
        "restart",
        "reload",
        "reload_unit",
        "reset_failed",
        "enable",
        "disable",
    ),
    "archive": ("save", "load", "keep"),
    "podman": (
        "pull",
        "tag_image",
        "untag_image",
        "remove_image",
        "remove_container",
        "remove_network",
        "remove_volume",
    ),
    "issuer": ("issue", "standin"),
    "certificates": ("keep", "install", "remove", "forget"),
    "ledger": (
        "put_applied",
        "put_unit",
        "put_units",
        "put_repairs",
        "put_rollout",
        "put",
        "drop",
        "drop_app",
    ),
}


class Countdown:
    """Counts moments; at the last one, the process is gone. None: waits for their number."""

    def __init__(self, moments: int | None) -> None:
        self.left = moments
        ledger = Path("~/.local/state/podvisor/ledger.db").expanduser()
        self._ledger = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
        self._last: object = None

    def moment(self, act: object) -> None:
        """Come to what is an act for sure, or to what may write something (None)."""
        if self.left is None:
            try:
                self.left = int(MOMENTS.read_text())
            except FileNotFoundError:
                return
        now = self._ledger.execute("PRAGMA data_version").fetchone()
        if now != self._last:
            self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._last = now if act is None else act


class Mortal:
    """A port around another, with moments to die at."""

    def __init__(self, port: object, acts: tuple[str, ...], countdown: Countdown) -> None:
        self._port = port
        self._acts = acts
        self._countdown = countdown

    def __getattr__(self, name: str) -> object:
        method = getattr(self._port, name)
        if name not in self._acts:
            return method
        return partial(self._write if name.startswith(("put", "drop")) else self._act, method)

    async def _act(self, method, *positional, **named):
        self._countdown.moment(method)
        return await method(*positional, **named)

    def _write(self, method, *positional, **named):
        self._countdown.moment(None)
        return method(*positional, **named)


async def main() -> None:
    config, *more = sys.argv[1:]
    countdown = Countdown(int(more[0]) if more else None)

    def mortal(ports):
        return replace(
            ports,
            **{name: Mortal(getattr(ports, name), acts, countdown) for name, acts in ACTS.items()},
        )

    run = partial(daemon.run, Path(config), wrap=mortal)
    if not more:
        for name in ("PYTHONOPTIMIZE", "PYTHONPYCACHEPREFIX"):  # not for children
            os.environ.pop(name, None)
        await run()
        return
    said = f"{os.environ['XDG_RUNTIME_DIR']}/said"
    os.environ["NOTIFY_SOCKET"] = said
    async with (
        await anyio.create_unix_datagram_socket(local_path=said) as words,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(run)
        async for word, _ in words:
            if b"READY=1" in word:
                break
        await anyio.run_process(["podvisor", more[1]], check=False)
        tasks.cancel_scope.cancel()


anyio.run(main)
