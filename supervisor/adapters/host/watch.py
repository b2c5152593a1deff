"""What happens to the machine as a whole. The `Host` port."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import msgspec

from supervisor.adapters.host import routes, suspend
from supervisor.kit.listeners import port_holder
from supervisor.kit.streams import DistinctQueue
from supervisor.kit.threads import in_thread

RESUMED = "resumed"
NETWORK = "network"

log = logging.getLogger(__name__)


class HostWatch(msgspec.Struct, kw_only=True):
    """Tells of what may have mended what failed."""

    system_bus: str = msgspec.field(default_factory=suspend.default_address)
    """Its address."""

    async def port_holder(self, port: int, protocol: str) -> str:
        """Say in words who listens on a port of this machine; empty if nobody does."""
        return await in_thread(lambda: port_holder(port, protocol))

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """`resumed` after a suspend, `network` when there is a way out or another one."""
        seen = DistinctQueue[str]()
        async with anyio.create_task_group() as tasks:
            resumed = partial(seen.put_nowait, RESUMED)
            tasks.start_soon(suspend.follow, self.system_bus, resumed)
            tasks.start_soon(_follow_routes, partial(seen.put_nowait, NETWORK))
            yield aiter(seen)
            tasks.cancel_scope.cancel()


async def _follow_routes(on_network: Callable[[], None]) -> None:
    try:
        opened = routes.open_socket()
    except OSError as error:
        log.warning(
            "cannot hear of networks that come up: %s; what waits is tried at its own time", error
        )
        return
    with opened:
        async for _ in routes.changes(opened):
            on_network()
