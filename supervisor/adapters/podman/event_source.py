"""Choosing where Podman's events are read, by asking where it logs them and trying it out.

A tiny volume is made and removed again; whoever sees that come back can be relied on. Used by
`follow`, at the start and when something speaks against the choice.
"""

import time
from pathlib import Path
from typing import NamedTuple

import anyio

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.adapters.podman.containers_conf import log_file
from supervisor.adapters.podman.events import SELF_TEST, from_api
from supervisor.adapters.podman.readers import FileReader, JournalReader, Reader
from supervisor.model.errors import Failure, Retry
from supervisor.model.status import WatchStatus

_WAITS_SECONDS = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
_TEST_SECONDS = 30.0
_JOURNAL_HINT = (
    "sudo usermod -aG systemd-journal $USER, or keep the journal on disk (Storage=persistent in"
    ' /etc/systemd/journald.conf), or events_logger = "file" below [engine] in'
    " ~/.config/containers/containers.conf"
)
_LOGGER_HINT = 'events_logger = "file" below [engine] in ~/.config/containers/containers.conf'
_STORES_COST = "nothing at rest; more passes: whatever comes or goes is a reason to look everywhere"


class Choice(NamedTuple):
    """Where events are read, if anywhere; without a reader and `streamed`, nowhere."""

    status: WatchStatus
    reader: Reader | None = None
    streamed: bool = False
    since_ns: int = 0
    """From where on a stream has to tell."""


async def choose(api: Api, *, runtime: Path, signs: bool) -> Choice:
    """Ask and try. Without `signs` nothing says when to read. Raises Retry if it cannot ask."""
    try:
        with anyio.fail_after(_TEST_SECONDS):
            return await _choose(api, runtime, signs=signs)
    except (ApiError, TimeoutError, KeyError, TypeError) as error:
        raise Retry(f"cannot find out where Podman logs its events: {error}") from error


def no_choice(why: str) -> Choice:
    """Where Podman cannot be asked: its stores have to do."""
    return Choice(_status("stores", why, _STORES_COST))


async def _choose(api: Api, runtime: Path, *, signs: bool) -> Choice:
    logger = str((await api.get("/info"))["host"]["eventLogger"])
    began = time.time_ns()
    if logger == "none":
        why = "Podman is told to log no events (events_logger)"
        return Choice(_status("stores", why, _STORES_COST, hint=_LOGGER_HINT))
    trouble = f"Podman logs to {logger}, which is not known here"
    if not signs:
        trouble = "the stores of this Podman cannot be watched"
    elif logger == "journald":
        journal = JournalReader()
        trouble = await _trouble(api, journal)
        if not trouble:
            why = "Podman logs to it, and a test event came back"
            cost = "nothing at rest; one journalctl when a container comes or goes"
            return Choice(_status("journal", why, cost), journal)
        trouble = f"Podman logs to the journal: {trouble}"
    elif logger == "file":
        path = log_file(runtime)
        file = FileReader(path)
        trouble = await _trouble(api, file)
        if not trouble:
            why = f"Podman logs to {path}, and a test event came back"
            cost = "nothing at rest; the file is read when a container comes or goes"
            return Choice(_status("file", why, cost), file)
        trouble = f"Podman logs to a file: {trouble}"
    hint = _JOURNAL_HINT if logger == "journald" else _LOGGER_HINT
    if await _api_tells(api, began):
        cost = "high: it keeps a process of Podman's running"
        return Choice(_status("api", trouble, cost, hint=hint), streamed=True, since_ns=began)
    return Choice(_status("stores", trouble, _STORES_COST, hint=hint))


async def _trouble(api: Api, reader: Reader) -> str:
    """Make an event, and see whether it comes back; empty if it does."""
    try:
        await reader.mark()
        await _make_event(api)
        for seconds in _WAITS_SECONDS:
            await anyio.sleep(seconds)
            if any(event.name == SELF_TEST for event in (await reader.read()).events):
                return ""
    except Failure as failure:
        return str(failure)
    return "a test event did not come back: it cannot be read"


async def _api_tells(api: Api, since_ns: int) -> bool:
    """Whether Podman itself tells of the test event that was made."""
    seconds = f"{since_ns // 10**9}.{since_ns % 10**9:09}"
    await _make_event(api)
    for wait in _WAITS_SECONDS:
        await anyio.sleep(wait)
        async with api.stream("GET", "/events", stream="false", since=seconds) as objects:
            async for one in objects:
                event = from_api(one)
                if event and event.name == SELF_TEST:
                    return True
    return False


async def _make_event(api: Api) -> None:
    path = f"/volumes/{SELF_TEST}"
    try:
        await api.delete(path)  # a test that was cut short left it
        await api.post("/volumes/create", {"Name": SELF_TEST})
    finally:
        with anyio.move_on_after(5, shield=True):
            await api.delete(path)


def _status(way: str, reason: str, cost: str, *, hint: str = "") -> WatchStatus:
    return WatchStatus(what="Podman's events", way=way, reason=reason, cost=cost, hint=hint)
