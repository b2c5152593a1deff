"""Default routes that come or change, told by the kernel: the sign that a network is there (again).

A netlink socket hears of its own network namespace only. A filter in the kernel lets nothing but
new default routes through: routes of bridges, tunnels and addresses wake nobody.
"""

import array
import socket
import struct
from collections.abc import AsyncIterator

import anyio

_IPV4_ROUTES, _IPV6_ROUTES = 0x40, 0x400
_SO_ATTACH_FILTER = 26
_NEW_ROUTE = 24
_UNICAST = 1
_TYPE, _LENGTH, _KIND = 4, 17, 23
"""Where a message says what it is, how long the route's prefix is, and of which kind it is."""

_HALF, _BYTE, _EQUAL, _RETURN = 0x28, 0x30, 0x15, 0x06
_FILTER = (
    # operation, jump if true, jump if false, operand
    (_HALF, 0, 0, _TYPE),
    (_EQUAL, 0, 5, socket.htons(_NEW_ROUTE)),
    (_BYTE, 0, 0, _LENGTH),
    (_EQUAL, 0, 3, 0),
    (_BYTE, 0, 0, _KIND),
    (_EQUAL, 0, 1, _UNICAST),
    (_RETURN, 0, 0, 0xFFFFFFFF),
    (_RETURN, 0, 0, 0),
)

_READ = 64 << 10
_SETTLE_SECONDS = 1.0
"""IPv4 and IPv6, and every replacement of a route, are told one by one."""


def open_socket() -> socket.socket:
    """Open the socket that hears of new default routes. Raises OSError."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        steps = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _FILTER))
        address, _ = steps.buffer_info()
        program = struct.pack("HP", len(_FILTER), address)
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        opened.bind((0, _IPV4_ROUTES | _IPV6_ROUTES))
    except OSError:
        opened.close()
        raise
    return opened


async def changes(opened: socket.socket) -> AsyncIterator[None]:
    """Yield for each burst of new default routes: at once, and after it if there was more."""
    while True:
        await anyio.wait_readable(opened)
        _drain(opened)
        yield
        await anyio.sleep(_SETTLE_SECONDS)


def _drain(opened: socket.socket) -> None:
    try:
        while opened.recv(_READ):
            pass
    except BlockingIOError:
        pass
    except OSError:
        pass  # more than the socket holds: what was lost was of the same kind
