"""The process: from the socket that systemd hands over to its end, when nobody asks any more."""

import asyncio
import os
import signal
import socket
from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from supervisor.web.application import application
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.idle import Idle

_FIRST = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_FAREWELL_SECONDS = 2.0


def handed_over() -> list[socket.socket]:
    """Return the sockets that systemd hands over (sd_listen_fds(3)); none without it."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return []
    number = int(os.environ.pop("LISTEN_FDS", "0"))
    return [socket.socket(fileno=_FIRST + place) for place in range(number)]


async def serve(
    listeners: Collection[socket.socket], daemon: Path, *, names: Collection[str], idle: float
) -> None:
    """Answer until SIGTERM, or until nobody has asked for `idle` seconds.

    `daemon` is the path of the socket that takes questions, `names` as of `application`.
    """
    client, quiet = DaemonClient(daemon), Idle(idle)
    runner = web.AppRunner(
        application(client, quiet, names=names),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_FAREWELL_SECONDS,
    )
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    await runner.setup()
    try:
        for listener in listeners:
            await web.SockSite(runner, listener).start()
        waits = [asyncio.ensure_future(one) for one in (end.wait(), quiet.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
    finally:
        await runner.cleanup()
        await client.close()
