"""What happens to the machine as a whole. The `Host` port.

`sleep` hears of suspends, `routes` of networks that come up.
"""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.adapters.host import routes, suspend
from supervisor.adapters.host.listeners import port_holder

RESUMED = "resumed"
NETWORK = "network"

log = logging.getLogger(__name__)


class HostWatch:
    """Tells of what may have mended what failed."""

    def __init__(self, *, system_bus: str | None = None) -> None:
        """Keep the system bus's address; nothing is opened yet."""
        self._system_bus = suspend.default_address() if system_bus is None else system_bus

    async def port_holder(self, port: int, protocol: str) -> str:
        """Say in words who listens on a port of this machine; empty if nobody does."""
        return await anyio.to_thread.run_sync(port_holder, port, protocol)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """`resumed` after a suspend, `network` when there is a way out or another one."""
        # As many as there are suspends and (once a second, at most) routes; taken at once.
        send, receive = anyio.create_memory_object_stream[str](math.inf)
        with send, receive:
            async with anyio.create_task_group() as tasks:
                resumed = partial(send.send_nowait, RESUMED)
                tasks.start_soon(suspend.follow, self._system_bus, resumed)
                tasks.start_soon(_follow_routes, send)
                yield receive
                tasks.cancel_scope.cancel()


async def _follow_routes(send: MemoryObjectSendStream[str]) -> None:
    try:
        opened = routes.open_socket()
    except OSError as error:
        log.warning(
            "cannot hear of networks that come up: %s; what waits is tried at its own time", error
        )
        return
    with opened:
        async for _ in routes.changes(opened):
            send.send_nowait(NETWORK)
