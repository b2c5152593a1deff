"""The machine's waking up from a suspend, as logind tells of it on the system bus.

There is one match rule for one signal that is sent twice for each suspend.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from supervisor.kit.dbus import open_bus

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

_LOGIND = "org.freedesktop.login1"
_LOGIND_PATH = "/org/freedesktop/login1"
_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
_SIGNAL = "PrepareForSleep"
_RULE = (
    f"type='signal',sender='{_LOGIND}',interface='{_LOGIND}.Manager',"
    f"member='{_SIGNAL}',path='{_LOGIND_PATH}'"
)
_CONNECT_SECONDS = 10.0
_AGAIN_SECONDS = (
    1,  # the bus is being restarted
    10,
    60,  # it is not there, and nobody misses it
)

log = logging.getLogger(__name__)


def default_address() -> str:
    """Address of the system bus."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"


async def follow(address: str, on_resume: Callable[[], None]) -> None:
    """Call `on_resume` after every suspend; returns if there is no system bus to be told by.

    Also called when the bus was lost and is back: nobody knows what was missed.
    """
    from dbus_fast.errors import DBusFastError  # noqa: PLC0415

    failures, lost = 0, False
    while True:
        try:
            with anyio.fail_after(_CONNECT_SECONDS):
                bus = await _open(address, on_resume)
        except (OSError, EOFError, DBusFastError) as error:  # a TimeoutError is an OSError
            if failures == len(_AGAIN_SECONDS):
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                log.warning(
                    "cannot hear of suspends from the system bus at %s: %s; what waits is tried"
                    " when a network comes up, or at its own time",
                    *(address, why),
                )
                return
            await anyio.sleep(_AGAIN_SECONDS[failures])
            failures += 1
            continue
        if lost:
            on_resume()
        failures, lost = 0, True
        try:
            # Shielded: the library has one future for all who wait for the end.
            with suppress(OSError, EOFError, DBusFastError):
                await asyncio.shield(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        finally:
            bus.disconnect()


async def _open(address: str, on_resume: Callable[[], None]) -> "MessageBus":
    from dbus_fast import Message, MessageType  # noqa: PLC0415

    def take(message: Message) -> None:
        signal = message.message_type is MessageType.SIGNAL and message.member == _SIGNAL
        if signal and message.body == [False]:  # True is said before
            on_resume()

    bus = await open_bus(address)
    bus.add_message_handler(take)
    await bus.call(
        Message(
            destination=_BUS,
            path=_BUS_PATH,
            interface=_BUS,
            member="AddMatch",
            signature="s",
            body=[_RULE],
        )
    )
    return bus
