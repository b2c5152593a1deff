"""Podman's events over its API: the last resort, for it keeps a process of Podman's running.

The stream is taken up again from shortly before the newest event that was heard, and what was heard
already is passed over: nothing is lost, nothing comes twice.
"""

import json
from collections.abc import Callable
from contextlib import suppress

import anyio

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.adapters.podman.events import from_api
from supervisor.kit.rates import SeenSet
from supervisor.model.errors import Retry
from supervisor.model.podman import PodmanEvent

_ACTIONS = (
    *("create", "remove", "died", "rename", "health_status", "prune"),
    *("tag", "untag", "pull", "build", "loadfromarchive", "import"),
)
_OVERLAP_NANOSECONDS = 5_000_000_000
"""Podman logs an event some time after it was: they do not come in the order of their times."""
_REMEMBERED = 5_000
_AGAIN_SECONDS = (
    0.05,  # podman.service was killed: its socket starts it anew
    0.5,
    5,
    30,
    120,  # somebody is mending it
)


async def follow(api: Api, since_ns: int, put: Callable[[PodmanEvent], None]) -> None:
    """Hand on every event, for ever, over as many connections as it takes."""
    heard = SeenSet[PodmanEvent](most=_REMEMBERED)
    newest, failures = since_ns, 0
    while True:
        failures += 1
        since = max(newest - _OVERLAP_NANOSECONDS, since_ns)
        query = {"since": seconds(since), "filters": json.dumps({"event": _ACTIONS})}
        with suppress(Retry, ApiError):  # whatever else asks Podman says so
            async with api.stream("GET", "/events", stream="true", **query) as objects:
                async for one in objects:
                    event = from_api(one)
                    if event is None or event.time_ns < since or heard.saw(event):
                        continue
                    newest, failures = max(newest, event.time_ns), 0
                    put(event)
        await anyio.sleep(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)])


def seconds(nanoseconds: int) -> str:
    """Write a moment as Podman's API takes it."""
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09}"
