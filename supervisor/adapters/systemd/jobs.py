"""Asking for systemd's jobs and waiting for their ends.

systemd signals the end of a job to whoever asked for it. The rule for it stands only while somebody
waits: where others subscribe to everything, every health check is a removed job, too.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from supervisor.adapters.systemd.bus import Connection
from supervisor.adapters.systemd.names import manager_rule


class Jobs(msgspec.Struct):
    """The jobs that are waited for, by their object path."""

    _waiting: dict[str, list[asyncio.Future[str]]] = {}
    _early: dict[str, str] = {}
    """Ends that were told while somebody was asking: one of them may be the answer to it."""
    _asking: int = 0
    _listening: dict[Connection, set[asyncio.Future[str]]] = {}
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
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        self._begin(ended, connection)
        # Thousands may wait: a timer is a tenth of a cancel scope.
        timer = loop.call_later(timeout_seconds, _settle, ended, "")
        job = ""
        try:
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
            return await ended
        finally:
            timer.cancel()
            self._end(ended, job, connection)

    def on_removed(self, job: str, result: str) -> None:
        """Take in that a job has ended."""
        if self._asking:
            self._early[job] = result
        for future in self._waiting.get(job, ()):
            _settle(future, result)

    def on_lost(self, connection: Connection) -> None:
        """Take in that a connection is closed: nobody is told anything more on it."""
        for future in self._listening.get(connection, ()):
            _settle(future, "")

    def _begin(self, ended: asyncio.Future[str], connection: Connection) -> None:
        """Hear of removed jobs, from before one is asked for."""
        if connection not in self._listening:
            connection.post_rule("AddMatch", manager_rule("JobRemoved"))
        self._listening.setdefault(connection, set()).add(ended)

    def _end(self, ended: asyncio.Future[str], job: str, connection: Connection) -> None:
        waiting = self._waiting.get(job, [])
        if ended in waiting:
            waiting.remove(ended)
            if not waiting:
                del self._waiting[job]
        self._listening[connection].remove(ended)
        if not self._listening[connection]:
            del self._listening[connection]
            connection.post_rule("RemoveMatch", manager_rule("JobRemoved"))


def _settle(future: asyncio.Future[str], result: str) -> None:
    if not future.done():
        future.set_result(result)
