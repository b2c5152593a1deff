"""Memory that systemd keeps while the page's process is not there, and hands back at each start.

It is a file without a name, so that the page needs no place to write to. It is lost with the user's
systemd; where that is older than release 254, with the process.
"""

import array
import os
import socket
from collections.abc import MutableMapping

from supervisor.kit.sd_notify import socket_address

NAME = "sessions"
"""By which systemd knows it."""


def new_memory(environ: MutableMapping[str, str] = os.environ) -> int | None:
    """Return new memory that systemd keeps (FDSTORE of sd_notify(3)); None where it keeps none."""
    address = environ.pop("NOTIFY_SOCKET", "")
    if not address or not environ.pop("FDSTORE", ""):
        return None
    try:
        memory = os.memfd_create(NAME)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory]))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.connect(socket_address(address))
            systemd.sendmsg([f"FDSTORE=1\nFDNAME={NAME}".encode()], [rights])
    except OSError:
        return None
    return memory
