"""Choosing where Podman's events are read, by asking where it logs them and trying it out.

A tiny volume is made and removed again; whoever sees that come back can be relied on.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import anyio

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.adapters.podman.containers_conf import log_file
from supervisor.adapters.podman.events import SELF_TEST, from_api
from supervisor.adapters.podman.info import PodmanInfo
from supervisor.adapters.podman.readers import FileReader, JournalReader, Reader
from supervisor.adapters.podman.stream import seconds
from supervisor.model.errors import Failure
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus

_WAITS_SECONDS = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
_TEST_SECONDS = 30.0
_LOGGER_HINT = 'events_logger = "file" below [engine] in ~/.config/containers/containers.conf'
_JOURNAL_HINT = (
    "sudo usermod -aG systemd-journal $USER, or keep the journal on disk (Storage=persistent in"
    f" /etc/systemd/journald.conf), or {_LOGGER_HINT}"
)


class Source(NamedTuple):
    """Where events are read; with neither `reader` nor `stream_since`, the stores have to do."""

    status: WatchStatus
    reader: Reader | None = None
    stream_since: int = 0
    """From when on the API's stream has to tell, in nanoseconds since the epoch."""


async def choose(api: Api, info: PodmanInfo, *, runtime: Path, signs: bool) -> Source:
    """Ask and try. Without `signs` nothing says when to read."""
    try:
        with anyio.fail_after(_TEST_SECONDS):
            return await _choose(api, info, runtime, signs=signs)
    except Failure as failure:
        return _stores(str(failure))
    except (ApiError, TimeoutError, KeyError, TypeError) as error:
        return _stores(f"cannot find out where Podman logs its events: {error}")


async def _choose(api: Api, info: PodmanInfo, runtime: Path, *, signs: bool) -> Source:
    logger = str((await info.ask())["host"]["eventLogger"])
    hint = _JOURNAL_HINT if logger == "journald" else _LOGGER_HINT
    began = time.time_ns()
    if logger == "none":
        return _stores("Podman is told to log no events (events_logger)", hint)
    trouble = f"Podman logs to {logger}, which is not known here"
    if not signs:
        trouble = "the stores of this Podman cannot be watched"
    elif logger in ("journald", "file"):
        reader = JournalReader() if logger == "journald" else FileReader(log_file(runtime))
        trouble = await _trouble(api, reader)
        if not trouble:
            why = f"Podman logs to {reader.place}, and a test event came back"
            cost = f"nothing at rest; {reader.cost} when a container comes or goes"
            return Source(_status(reader.way, why, cost), reader)
        trouble = f"Podman logs to {reader.place}: {trouble}"
    if await _comes_back(api, lambda: _told_by_api(api, began)):
        cost = "high: it keeps a process of Podman's running"
        return Source(_status("api", trouble, cost, hint), stream_since=began)
    return _stores(trouble, hint)


async def _trouble(api: Api, reader: Reader) -> str:
    """Say why events cannot be read there; nothing if they can."""
    try:
        await reader.mark()
        if await _comes_back(api, reader.read):
            return ""
    except Failure as failure:
        return str(failure)
    return "a test event did not come back: it cannot be read"


async def _comes_back(api: Api, read: Callable[[], Awaitable[Iterable[PodmanEvent]]]) -> bool:
    """Make an event, and see whether it comes back."""
    path = f"/volumes/{SELF_TEST}"
    try:
        await api.delete(path)  # a test that was cut short left it
        await api.post("/volumes/create", {"Name": SELF_TEST})
    finally:
        with anyio.move_on_after(5, shield=True):
            await api.delete(path)
    for wait in _WAITS_SECONDS:
        await anyio.sleep(wait)
        if any(event.name == SELF_TEST for event in await read()):
            return True
    return False


async def _told_by_api(api: Api, since_ns: int) -> list[PodmanEvent]:
    async with api.stream("GET", "/events", stream="false", since=seconds(since_ns)) as objects:
        return [event async for one in objects if (event := from_api(one))]


def _stores(why: str, hint: str = "") -> Source:
    cost = "nothing at rest; more passes: whatever comes or goes is a reason to look everywhere"
    return Source(_status("stores", why, cost, hint))


def _status(way: str, reason: str, cost: str, hint: str = "") -> WatchStatus:
    return WatchStatus(what="Podman's events", way=way, reason=reason, cost=cost, hint=hint)
