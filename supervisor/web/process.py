"""The process: from the socket that systemd hands over to its end, when nobody asks any more."""

import asyncio
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Collection
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError

from supervisor.web.access import Access
from supervisor.web.application import application
from supervisor.web.daemon_client import DaemonClient
from supervisor.web.idle import Idle
from supervisor.web.memory import NAME as MEMORY
from supervisor.web.order_client import OrderClient
from supervisor.web.patience import Patience

_FIRST = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_FAREWELL_SECONDS = 2.0


def handed_over() -> tuple[list[socket.socket], int | None]:
    """Return the sockets that systemd hands over, and the memory that it kept: sd_listen_fds(3)."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return [], None
    number = int(os.environ.pop("LISTEN_FDS", "0"))
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    memory: int | None = None
    listeners: list[socket.socket] = []
    for place in range(number):
        if names[place : place + 1] == [MEMORY]:
            memory = _FIRST + place
        else:
            listeners.append(socket.socket(fileno=_FIRST + place))
    return listeners, memory


async def serve(
    listeners: Collection[socket.socket],
    daemon: Path,
    *,
    names: Collection[str],
    idle: float,
    access: Access,
    orders: Path | None,
) -> None:
    """Answer until SIGTERM, or until nobody has asked for `idle` seconds.

    `daemon` is the path of the socket that takes questions, `orders` of that for orders; `names`
    and `access` are as of `application`.
    """
    client, quiet, patience = DaemonClient(daemon), Idle(idle), Patience()
    order_client = OrderClient(orders) if orders else None
    app = application(client, quiet, names=names, access=access, orders=order_client)
    app.middlewares.insert(0, patience.answering)
    logging.getLogger("aiohttp.server").addFilter(_is_our_own)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_FAREWELL_SECONDS,
    )
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await runner.setup()
    servers: list[asyncio.Server] = []
    try:
        assert runner.server is not None  # noqa: S101  # it was just set up
        make = patience.around(runner.server)
        servers.extend([await loop.create_server(make, sock=one) for one in listeners])
        waits = [asyncio.ensure_future(one) for one in (end.wait(), quiet.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()
        await client.close()
        if order_client:
            await order_client.close()


def _is_our_own(record: logging.LogRecord) -> bool:
    """Tell errors of this program from requests that are no HTTP.

    Those are answered; the journal is not for strangers to fill.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def is_for_all(listener: socket.socket) -> bool:
    """Whether others than this machine reach it."""
    name = listener.getsockname()
    return isinstance(name, tuple) and not ipaddress.ip_address(name[0]).is_loopback
