"""Orders that were given on the page: each is carried out once, whoever goes away meanwhile."""

import asyncio
import time
from collections import OrderedDict, deque
from typing import Any

import msgspec

from supervisor.web import problems
from supervisor.web.daemon_client import Absent
from supervisor.web.idle import Idle
from supervisor.web.order_client import OrderClient
from supervisor.web.orders import PageOrder

_REMEMBERED = 64
_AT_ONCE = 16
_LINES = 200
_UNENDED = {
    "detail": "the daemon hung up before it said how it ended",
    "hint": "the event log tells",
}


class Run(msgspec.Struct, eq=False):
    """One order."""

    name: str
    """Of this order alone."""
    order: PageOrder
    app: str
    by: str
    began: float
    events: deque[Any]
    """What was done meanwhile, the last of it."""
    waiting: str = ""
    """What it waits for now."""
    reply: Any = None
    problem: Any = None

    @property
    def is_over(self) -> bool:
        return self.reply is not None or self.problem is not None


class TooMany(Exception):
    """There are too many orders at once."""


class Runs:
    """One for the process."""

    def __init__(self, daemon: OrderClient, idle: Idle) -> None:
        self._daemon = daemon
        self._idle = idle
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, name: str) -> Run | None:
        """Return an order that was given lately."""
        return self._runs.get(name)

    def begin(self, order: PageOrder, body: dict[str, Any], *, app: str, by: str, name: str) -> Run:
        """Have an order carried out, unless one of that name is already. Raises TooMany."""
        if known := self._runs.get(name):
            return known
        if len(self._tasks) >= _AT_ONCE:
            raise TooMany
        run = Run(
            name=name, order=order, app=app, by=by, began=time.time(), events=deque(maxlen=_LINES)
        )
        self._runs[name] = run
        if len(self._runs) > _REMEMBERED:
            self._runs.popitem(last=False)
        task = asyncio.create_task(self._carry_out(run, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def _carry_out(self, run: Run, body: dict[str, Any]) -> None:
        with self._idle.busy():
            try:
                async for line in self._daemon.lines(run.order.path, body, by=run.by):
                    _take(run, line)
            except Absent:
                run.problem = msgspec.to_builtins(problems.ABSENT)
            if not run.is_over:
                run.problem = _UNENDED


def _take(run: Run, line: dict[str, Any]) -> None:
    """Note what the daemon says."""
    if "event" in line:
        run.events.append(line["event"])
    elif "waiting" in line:
        needs = line["waiting"].get("waiting", ())
        run.waiting = ", ".join(
            ": ".join(filter(None, (one.get("text", ""), one.get("detail", "")))) for one in needs
        )
    elif "problem" in line:
        run.problem = line["problem"]
    else:
        run.reply = line["reply"]
