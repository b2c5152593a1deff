"""The newest lines of a unit's containers where Podman has them. Used by `client`."""

import json
from collections.abc import Iterator

from supervisor.adapters.podman.api import Api
from supervisor.core.status.container_lines import read_line
from supervisor.kit.plain_text import plain_line
from supervisor.model.log import LogLine

_LONGEST = 1_000
_HEADER_BYTES = 8
"""Before each part: which stream it is of, and in the last four its length."""


async def container_log(api: Api, unit: str, *, limit: int) -> list[LogLine]:
    """Return them, the oldest first. Raises ApiError."""
    lines: list[LogLine] = []
    filters = json.dumps({"label": [f"PODMAN_SYSTEMD_UNIT={unit}"]})
    for one in await api.get("/containers/json", filters=filters):
        written = await api.get_bytes(
            f"/containers/{one['Id']}/logs",
            stdout="true",
            stderr="true",
            timestamps="true",
            tail=str(limit),
        )
        for at, text in filter(None, map(read_line, _parts(written))):
            lines.append(LogLine(time=at, text=plain_line(text, _LONGEST)))
    return sorted(lines, key=lambda line: line.time)[-limit:]


def _parts(written: bytes) -> Iterator[bytes]:
    at = 0
    while header := written[at : at + _HEADER_BYTES]:
        at += _HEADER_BYTES + int.from_bytes(header[4:])
        yield written[at - int.from_bytes(header[4:]) : at]
