"""A connection to a message bus (D-Bus) that complains once of its loss, not of each message.

The library is imported when it is needed: `podvisor status` has no use for it.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus


async def open_bus(address: str) -> "MessageBus":
    """Connect to the bus at an address. Raises OSError, EOFError or the library's DBusFastError."""
    from dbus_fast.aio import MessageBus  # noqa: PLC0415

    class Bus(MessageBus):
        """One that is silent of messages that break with it: `wait_for_disconnect` tells of it.

        The library drops futures that have failed, of what is sent and of answers that nobody
        waits for any more, and asyncio then complains.
        """

        async def call(self, msg: "Message") -> Any:
            answer = asyncio.get_running_loop().create_future()
            answer.add_done_callback(forget)
            self._call(msg, partial(self._reply_handler, answer))
            return await answer

        def send(self, msg: "Message") -> Any:
            try:
                sent = super().send(msg)
            except (OSError, ValueError, RuntimeError):
                sent = asyncio.get_running_loop().create_future()
            sent.add_done_callback(forget)
            return sent

    return await Bus(bus_address=address).connect()


def forget(done: "asyncio.Future[Any]") -> None:
    """Take note of how something ended, which does not matter."""
    if not done.cancelled():
        done.exception()
