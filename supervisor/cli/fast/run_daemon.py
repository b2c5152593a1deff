"""What `podvisor run` does, without click, which the daemon would carry for good: 1 to 2 MB.

`__main__` comes here straight for the plain form of the command, `run` for all others.
"""

import gc
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from supervisor.cli.daemon import places
from supervisor.cli.local import bytecode

LOADED = (
    "supervisor.daemon",
    "anyio._backends._asyncio",
    "anyio._core._signals",
    "ctypes",
    "dbus_fast.aio",
    "email.utils",
    "uvloop",
)
"""What the daemon loads, some of it later; its own package is compiled as a whole."""


def quick(arguments: Sequence[str]) -> int | None:
    """Do it, if there are no arguments; None for anything else, which is for click to judge."""
    if arguments:
        return None
    try:
        return run(places.config_file())
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # it is raised again
        return _told(error)


def run(config: str) -> int:
    """Run the daemon until it is asked to end; returns the exit code."""
    bytecode.prepare(*LOADED)
    from supervisor import daemon
    from supervisor.cli.daemon.loop import in_loop

    # What is loaded stays: the garbage collector would go through it each time, and hold the loop.
    gc.collect()
    gc.freeze()
    return in_loop(partial(daemon.run, Path(config)))


def _told(error: BaseException) -> int:
    """Say it as every command does: what says it is not carried by a daemon that nothing ends."""
    from supervisor.cli.guard import guarded

    def raised() -> int:
        raise error

    return guarded(raised)
