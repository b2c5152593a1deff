"""A connection to a message bus (D-Bus) that complains once of its loss, not of each message.

The library is imported when it is needed: `podvisor status` has no use for it.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus


async def open_bus(address: str) -> "MessageBus":
    """Connect to the bus at an address. Raises OSError, EOFError or the library's DBusFastError."""
    from dbus_fast.aio import MessageBus  # noqa: PLC0415

    class Bus(MessageBus):
        """One that is silent of messages that break with it: `wait_for_disconnect` tells of it.

        The library's own `send` loses its future where the socket breaks under the message, which
        asyncio then complains of: it goes on to have the closed socket watched, and that fails.
        """

        def send(self, msg: "Message") -> Any:
            if not msg.serial:
                msg.serial = self.next_serial()
            sent = asyncio.get_running_loop().create_future()
            sent.add_done_callback(forget)
            with suppress(OSError, ValueError, RuntimeError):
                self._writer.schedule_write(msg, sent)  # type: ignore[union-attr]  # connected
            return sent

    return await Bus(bus_address=address).connect()


def forget(done: "asyncio.Future[Any]") -> None:
    """Take note of how something ended, which does not matter."""
    if not done.cancelled():
        done.exception()
