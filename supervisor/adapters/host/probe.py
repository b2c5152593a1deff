"""Make one probe: connect as `[X-Podvisor] Probe=` says, and judge the answer. The `Prober` port.

The other end is not trusted: no redirect is followed, no body is read, and every wait has an end.
"""

import os

import anyio
from anyio.abc import ByteStream

from supervisor.kit.http import client as http
from supervisor.model.health import RUNTIME_FOLDER, Probe

_WEB = ("http", "https")
_WELL = range(200, 400)
_HANGS_UP_SECONDS = 0.25
_LONGEST = 200


class NetworkProber:
    """Probes over the network of the user's own session, where containers publish their ports."""

    async def probe(self, probe: Probe) -> str:
        """Return why the answer is not a good one; empty if it is."""
        try:
            with anyio.fail_after(probe.timeout):
                return await (_get(probe) if probe.scheme in _WEB else _open(probe))
        except TimeoutError:
            return f"no answer within {probe.timeout:g} s"
        except (http.HttpError, OSError, anyio.BrokenResourceError) as error:
            return http.why(error)[:_LONGEST]


async def _get(probe: Probe) -> str:
    async with http.ask("GET", probe.target, timeout_seconds=probe.timeout) as answer:
        if answer.status in _WELL:
            return ""
        return f"{answer.status} {answer.reason}".strip()[:_LONGEST]


async def _open(probe: Probe) -> str:
    async with await _connect(probe) as stream:
        # What forwards a published port takes the connection before it knows of the container, and
        # hangs up if nobody listens there.
        with anyio.move_on_after(_HANGS_UP_SECONDS):
            try:
                await stream.receive(1)
            except anyio.EndOfStream:
                return "it hung up at once"
    return ""


async def _connect(probe: Probe) -> ByteStream:
    if probe.scheme == "unix":
        path = probe.path
        if path.startswith(RUNTIME_FOLDER):
            path = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/{path.removeprefix(RUNTIME_FOLDER)}"
        return await anyio.connect_unix(path)
    return await anyio.connect_tcp(probe.host, probe.port)
