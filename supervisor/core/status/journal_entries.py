"""What stands in an entry of the journal, as `journalctl --output=json` writes it."""

import json
import re
from typing import Any

ASIDE = re.compile(r"conmon [0-9a-f]+ <n(warn|info|debug)>: ")
"""What conmon writes into the container's own log, on a machine without a memory controller too."""
ID = re.compile(r"[0-9a-f]{64}")
"""Of a container, which Podman prints when it has made or removed it."""


def read_entry(entry: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return its fields, and its message in lines; none of either if it makes no sense.

    So it is with Podman's own log of what happens to its objects, which is under the unit's name.
    """
    try:
        fields = json.loads(entry)
        if "PODMAN_EVENT" in fields:
            return {}, []
        message = fields["MESSAGE"]
        if isinstance(message, list):  # so it writes what is not UTF-8
            message = bytes(message).decode(errors="replace")
        return fields, message.splitlines()
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, []
