"""What happens to the machine as a whole. The `Host` port."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Collection
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

    async def free(self, folders: Collection[str]) -> dict[str, int]:
        """Bytes that are free for this user in these folders, 0 where no more files can be made.

        Of folders of one file system only the first is told of; one that cannot be asked is left
        out.
        """
        return await in_thread(lambda: _free(folders))

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


def _free(folders: Collection[str]) -> dict[str, int]:
    found: dict[int, tuple[str, int]] = {}
    for folder in folders:
        try:
            device, room = os.stat(folder).st_dev, os.statvfs(folder)  # noqa: PTH116
        except OSError:
            continue
        # A file system without a fixed number of files says 0 of them.
        is_out_of_files = room.f_files > 0 and not room.f_favail
        free = 0 if is_out_of_files else room.f_bavail * room.f_frsize
        found.setdefault(device, (folder, free))
    return dict(found.values())


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
