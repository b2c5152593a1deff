"""One connection to the user's bus: calls, signals, match rules.

The library is used at its lowest level, without introspection: messages out, bodies in.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import anyio

from supervisor.adapters.systemd.names import BUS, BUS_PATH, MANAGER, MANAGER_PATH, SYSTEMD
from supervisor.kit.dbus import forget, open_bus
from supervisor.model.errors import OutOfReach, Stalled

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

_CALL_SECONDS = 90.0
"""A manager that is just running its generators answers nobody."""
_CONNECT_SECONDS = 10.0
_LOST = "the connection to the user bus is lost"

AT_ONCE = 50
"""Messages that may be on their way unread. The library gives a connection up when its socket is
full, and that holds less than 200 small ones."""

_NOBODY_THERE = frozenset({"ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"})
"""What the bus answers in place of a systemd that is just being executed anew."""


class Refused(Exception):
    """The other side answered with an error."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        """Its last word: `NoSuchUnit` of `org.freedesktop.systemd1.NoSuchUnit`."""


class Connection:
    """An open connection; `lost` once it is closed, from either side."""

    def __init__(self, bus: "MessageBus", on_signal: Callable[[str, str, list[Any]], None]) -> None:
        self._bus = bus
        self._on_signal = on_signal
        self._on_lost: Callable[[], None] = lambda: None
        self._room = anyio.Semaphore(AT_ONCE, fast_acquire=True)
        self._closed = False
        self._is_gone = False
        bus.add_message_handler(self._take)
        # `wait_for_disconnect` awaits this future, and cancels it for all if one who waits is
        # cancelled; a callback needs no task. The library's version is bounded for it.
        bus._disconnect_future.add_done_callback(self._note_gone)  # noqa: SLF001

    @property
    def lost(self) -> bool:
        return self._closed or not self._bus.connected

    async def call(
        self,
        member: str,
        signature: str = "",
        body: Iterable[Any] = (),
        *,
        path: str = MANAGER_PATH,
        interface: str = MANAGER,
        destination: str = SYSTEMD,
        timeout_seconds: float = _CALL_SECONDS,
    ) -> list[Any]:
        """Call a method and return the reply's body.

        Raises Refused, or OutOfReach if there is none.
        """
        from dbus_fast import Message, MessageType  # noqa: PLC0415

        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        reply: Message | None = None
        try:
            with anyio.fail_after(timeout_seconds):
                async with self._room:
                    if not self.lost:
                        reply = await self._bus.call(message)
        except TimeoutError:
            raise _silent(f"no answer to {member} within {timeout_seconds:g} s") from None
        except (OSError, EOFError, ValueError, RuntimeError) as error:
            raise _silent(str(error) or _LOST) from error
        if reply is None:
            raise _silent(_LOST)
        if reply.message_type is MessageType.ERROR:
            domain, _, name = (reply.error_name or "").rpartition(".")
            words = str(reply.body[0]) if reply.body else name
            if name in _NOBODY_THERE or domain.endswith(".Spawn"):
                raise _silent(words)
            raise Refused(name, words)
        return list(reply.body)

    def post(
        self,
        member: str,
        signature: str = "",
        body: Iterable[Any] = (),
        *,
        path: str,
        interface: str,
        destination: str = SYSTEMD,
    ) -> None:
        """Call a method without asking for an answer.

        The order is kept: what is called after this is answered after it. More than `AT_ONCE` are
        too many without a wait for `taken`.
        """
        from dbus_fast import Message, MessageFlag  # noqa: PLC0415

        if not self.lost:
            message = Message(
                destination=destination,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
                flags=MessageFlag.NO_REPLY_EXPECTED,
            )
            self._bus.send(message)

    def post_rule(self, member: str, rule: str) -> None:
        """AddMatch or RemoveMatch."""
        self.post(member, "s", [rule], path=BUS_PATH, interface=BUS, destination=BUS)

    async def taken(self) -> None:
        """Wait until the bus has taken in what was posted. Raises OutOfReach."""
        await self.call("GetId", path=BUS_PATH, interface=BUS, destination=BUS)

    def when_lost(self, call: Callable[[], None]) -> None:
        """Have this called once the connection is closed; at once if it is."""
        self._on_lost = call
        if self._is_gone:
            call()

    def close(self) -> None:
        self._closed = True
        self._bus.disconnect()

    def _note_gone(self, waiting: "asyncio.Future[None]") -> None:
        forget(waiting)
        self._closed = True
        self._is_gone = True
        self._on_lost()

    def _take(self, message: "Message") -> None:
        from dbus_fast import MessageType  # noqa: PLC0415

        if message.message_type is MessageType.SIGNAL:
            self._on_signal(message.member or "", message.path or "", message.body)


def out_of_reach(message: str) -> OutOfReach:
    """Return the failure of whatever nobody answers to."""
    return OutOfReach(message, what="systemd")


def _silent(why: str) -> OutOfReach:
    return out_of_reach(f"cannot reach systemd: {why}")


def default_address() -> str:
    """Address of the user's bus, as systemd sets it up; empty without a session."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return os.environ.get("DBUS_SESSION_BUS_ADDRESS") or (
        f"unix:path={runtime}/bus" if runtime else ""
    )


async def connect(address: str, on_signal: Callable[[str, str, list[Any]], None]) -> Connection:
    """Open a connection; `on_signal` gets member, path and body of each signal.

    Raises Stalled if there is no bus.
    """
    from dbus_fast.errors import DBusFastError  # noqa: PLC0415

    hint = "loginctl enable-linger, and log in with ssh or at the console (not with su or sudo)"
    if not address:
        raise Stalled("cannot reach the user bus: there is no user session", hint=hint)
    try:
        with anyio.fail_after(_CONNECT_SECONDS):
            bus = await open_bus(address)
    except (OSError, EOFError, DBusFastError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Stalled(f"cannot reach the user bus at {address}: {why}", hint=hint) from error
    return Connection(bus, on_signal)
