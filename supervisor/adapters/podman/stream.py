"""Podman's events over its API: the last resort, for it keeps a process of Podman's running.

The stream is taken up again from shortly before the newest event that was heard, and what was heard
already is passed over: nothing is lost, nothing comes twice. Used by `follow`.
"""

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import anyio

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.adapters.podman.events import from_api
from supervisor.model.errors import Retry
from supervisor.model.podman import PodmanEvent

_ACTIONS = (
    *("create", "remove", "died", "rename", "health_status", "prune"),
    *("tag", "untag", "pull", "build", "loadfromarchive", "import"),
)
_OVERLAP_NANOSECONDS = 5_000_000_000
"""Podman logs an event some time after it was: they do not come in the order of their times."""
_REMEMBERED = 20_000
_SECOND = 1_000_000_000
_AGAIN_SECONDS = (
    0.05,  # podman.service was killed: its socket starts it anew
    0.5,
    5,
    30,
    120,  # somebody is mending it
)


class EventStream:
    """One stream, over as many connections as it takes."""

    def __init__(self, api: Api, *, since_ns: int) -> None:
        self._api = api
        self._newest = since_ns
        self._heard: set[PodmanEvent] = set()
        self._order: deque[PodmanEvent] = deque()
        self._floor = since_ns

    async def follow(self, put: Callable[[PodmanEvent], None]) -> None:
        """Hand on every event, for ever."""
        failures = 0
        while True:
            newest = self._newest
            with suppress(Retry, ApiError):  # whatever else asks Podman says so
                await self._listen(put)
            failures = 0 if self._newest > newest else failures + 1
            await anyio.sleep(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)])

    async def _listen(self, put: Callable[[PodmanEvent], None]) -> None:
        since = max(self._newest - _OVERLAP_NANOSECONDS, self._floor)
        async with self._api.stream(
            "GET",
            "/events",
            stream="true",
            since=f"{since // _SECOND}.{since % _SECOND:09}",
            filters=json.dumps({"event": _ACTIONS}),
        ) as objects:
            async for one in objects:
                event = from_api(one)
                if event and event.time_ns >= since and event not in self._heard:
                    self._remember(event)
                    put(event)

    def _remember(self, event: PodmanEvent) -> None:
        self._newest = max(self._newest, event.time_ns)
        self._heard.add(event)
        self._order.append(event)
        while len(self._order) > _REMEMBERED or (
            self._order and self._order[0].time_ns < self._newest - 2 * _OVERLAP_NANOSECONDS
        ):
            self._heard.discard(self._order.popleft())
