"""Hands orders to the daemon, over the socket that takes them, in the name of a visitor."""

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from supervisor.api.endpoints import BY
from supervisor.web.daemon_client import Absent

_LONGEST_LINE = 1 << 20
_MOST = 32


class OrderClient:
    """One for the process."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket), limit=_MOST, force_close=True),
            read_bufsize=_LONGEST_LINE,
            timeout=aiohttp.ClientTimeout(sock_connect=10.0),
        )

    async def close(self) -> None:
        await self._session.close()

    async def lines(self, path: str, body: dict[str, Any], *, by: str) -> AsyncGenerator[Any]:
        """Yield what the daemon says of it: `{"event": …}` and so on, at last reply or problem.

        Raises Absent.
        """
        try:
            async with self.send(path, json.dumps(body).encode(), by=by) as response:
                if response.content_type == "application/x-ndjson":
                    async for line in response.content:
                        yield json.loads(line)
                    return
                kind = "reply" if response.status == 200 else "problem"  # noqa: PLR2004
                yield {kind: json.loads(await response.read())}
        except (aiohttp.ClientError, OSError) as error:
            raise Absent from error

    def send(
        self, path: str, body: bytes, *, by: str
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send an order, and return its answer as it comes. Entering raises aiohttp's errors."""
        headers = {BY: quote(by), "Content-Type": "application/json"}
        return self._session.post(f"http://podvisor{path}", data=body, headers=headers)
