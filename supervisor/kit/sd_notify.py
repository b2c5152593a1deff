"""Tells systemd how the service is: sd_notify(3), without a library.

Telling is never worth failing for: what cannot be sent is dropped.
"""

import os
import socket
import time
from collections.abc import MutableMapping


def socket_address(told: str) -> str:
    """Return the address of a socket as $NOTIFY_SOCKET has it."""
    # An abstract socket is written with `@` for the zero byte that its address begins with.
    return f"\0{told[1:]}" if told.startswith("@") else told


class Notifier:
    """One end of `$NOTIFY_SOCKET`; without such a socket, every call does nothing."""

    def __init__(self, address: str = "", *, watchdog_seconds: float = 0.0) -> None:
        self.watchdog_seconds = watchdog_seconds
        """How often systemd wants a sign of life, 0 if never; give it at half of that."""
        self._address = socket_address(address)
        self._socket: socket.socket | None = None
        self._status = ""

    @classmethod
    def take(cls, environ: MutableMapping[str, str] = os.environ) -> "Notifier":
        """Read the environment, and clear it: Podman and others would speak in our name."""
        address = environ.pop("NOTIFY_SOCKET", "")
        period = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", "")
        meant = period.isdecimal() and process in ("", str(os.getpid()))
        return cls(
            address if address[:1] in ("/", "@") else "",
            watchdog_seconds=int(period) / 1_000_000 if meant else 0.0,
        )

    def __bool__(self) -> bool:
        """Whether anyone listens."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """Say that the service is up (or has read its settings anew)."""
        self._status = status
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Say in a line how it is; `systemctl --user status` shows it.

        Only if that is news: each telling wakes systemd, and whoever listens to systemd.
        """
        if text != self._status:
            self._status = text
            self._send(_status(text))

    def watchdog(self) -> None:
        """Give the sign of life."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that settings are being read anew; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def extend_timeout(self, seconds: float) -> None:
        """Ask for this much more time, counted from now, to start, reload or stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def stopping(self) -> None:
        """Say that the service is going down."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(line for line in lines if line).encode()
        try:
            if self._socket is None:
                kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
                self._socket = socket.socket(socket.AF_UNIX, kind)
                # systemd reads at once; were its queue full, the loop would hang with it.
                self._socket.settimeout(0)
            self._socket.sendto(message, self._address)
        except OSError:
            self.close()


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}" if text else ""
