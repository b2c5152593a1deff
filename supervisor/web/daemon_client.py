"""Asks the daemon, over the socket that answers questions and takes no orders."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from supervisor.api import last_status
from supervisor.model.wire import Problem

_PATIENCE_SECONDS = 10.0
_LONGEST_LINE = 1 << 20
_AT_ONCE = 20
_FOLLOWERS = 256
"""Who follows stays: that must not keep out who only asks."""


class Absent(Exception):
    """The daemon does not answer."""


class Refused(Exception):
    """It cannot answer that: `problem` is why."""

    def __init__(self, body: bytes) -> None:
        self.problem = msgspec.json.decode(body, type=Problem)
        super().__init__(self.problem.detail)


class DaemonClient:
    """One for the process."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._short, self._long = _session(socket, _AT_ONCE), _session(socket, _FOLLOWERS)

    async def close(self) -> None:
        await self._short.close()
        await self._long.close()

    async def ask(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return the whole answer. Raises Absent or Refused."""
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        try:
            async with self._get(self._short, path, query, timeout) as response:
                body = await response.read()
                if response.status != 200:  # noqa: PLR2004
                    raise Refused(body)
                return body
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Absent from error

    async def json(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the answer as plain values. Raises Absent or Refused."""
        return json.loads(await self.ask(path, query))

    def last_status(self) -> tuple[Any, float] | None:
        """How everything stood when the daemon ended, and when; None if it did not leave that."""
        if (left := last_status.read(self._socket)) is None:
            return None
        content, ended_at = left
        try:
            return json.loads(content), ended_at
        except ValueError:
            return None

    @asynccontextmanager
    async def answer(
        self, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give an answer that is to be handed on as it comes. Raises Absent or Refused."""
        try:
            async with self._get(self._long, path, query, aiohttp.ClientTimeout()) as response:
                if response.status != 200:  # noqa: PLR2004
                    raise Refused(await response.read())
                yield response
        except aiohttp.ClientError as error:
            raise Absent from error

    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[Any]:
        """Yield each line of an answer as it comes. Raises Absent or Refused."""
        async with self.answer(path, query) as response:
            async for line in response.content:
                yield json.loads(line)

    @staticmethod
    def _get(
        session: aiohttp.ClientSession,
        path: str,
        query: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return session.get(f"http://podvisor{path}", params=query or {}, timeout=timeout)


def _session(socket: Path, limit: int) -> aiohttp.ClientSession:
    connector = aiohttp.UnixConnector(path=str(socket), limit=limit, force_close=True)
    return aiohttp.ClientSession(connector=connector, read_bufsize=_LONGEST_LINE)
