"""Asking for systemd's jobs and waiting for their ends.

systemd signals the end of a job to whoever asked for it. The rule for it stands only while somebody
waits: where others subscribe to everything, every health check is a removed job, too.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
import msgspec

from supervisor.adapters.systemd.bus import Connection
from supervisor.adapters.systemd.names import manager_rule


class Jobs(msgspec.Struct):
    """The jobs that are waited for, by their object path."""

    _waiting: dict[str, list[asyncio.Future[str]]] = {}
    _early: dict[str, str] = {}
    """Ends that were told while somebody was asking: one of them may be the answer to it."""
    _asking: int = 0
    _listeners: Counter[Connection] = msgspec.field(default_factory=Counter)
    """Who waits, by connection: a new one does not have the rule of the one before."""

    async def run(
        self,
        ask: Callable[[], Awaitable[str]],
        connection: Connection,
        *,
        timeout_seconds: float,
    ) -> str:
        """Ask for a job (`ask` returns its path) and wait for systemd's word on its end.

        Empty if it has not ended in time, or the bus was lost.
        """
        with self._listening(connection):
            ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            # The end may be told before anybody here has read which job it was, and two who ask
            # for the same are given one job.
            self._asking += 1
            try:
                job = await ask()
                if result := self._early.get(job, ""):
                    return result
                self._waiting.setdefault(job, []).append(ended)
            finally:
                self._asking -= 1
                if not self._asking:
                    self._early.clear()
            try:
                return await self._end(ended, connection, timeout_seconds=timeout_seconds)
            finally:
                self._waiting[job].remove(ended)
                if not self._waiting[job]:
                    del self._waiting[job]

    def on_removed(self, job: str, result: str) -> None:
        """Take in that a job has ended."""
        if self._asking:
            self._early[job] = result
        for future in self._waiting.get(job, ()):
            if not future.done():
                future.set_result(result)

    @contextmanager
    def _listening(self, connection: Connection) -> Iterator[None]:
        """Hear of removed jobs; entered before a job is asked for."""
        if not self._listeners[connection]:
            connection.post_rule("AddMatch", manager_rule("JobRemoved"))
        self._listeners[connection] += 1
        try:
            yield
        finally:
            self._listeners[connection] -= 1
            if not self._listeners[connection]:
                del self._listeners[connection]
                connection.post_rule("RemoveMatch", manager_rule("JobRemoved"))

    @staticmethod
    async def _end(
        ended: asyncio.Future[str], connection: Connection, *, timeout_seconds: float
    ) -> str:
        async def give_up_if_lost() -> None:
            await connection.wait_lost()
            if not ended.done():
                ended.set_result("")

        with anyio.move_on_after(timeout_seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(give_up_if_lost)
                await ended
                tasks.cancel_scope.cancel()
        return ended.result() if ended.done() and not ended.cancelled() else ""
