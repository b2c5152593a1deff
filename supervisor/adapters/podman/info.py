"""What Podman tells of itself: the dearest question, for which it starts some twenty programs."""

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec

from supervisor.adapters.podman.api import Api

_HOLDS_SECONDS = 5.0
"""Podman's service goes on by what it read at its start for as long after its last answer."""
_USED = ("host", "store")


class PodmanInfo(msgspec.Struct):
    """Those who ask at about one time, as all do at a start, get one answer."""

    api: Api
    _told: Mapping[str, Any] = {}
    _until: float = 0.0
    _asking: anyio.Lock = msgspec.field(default_factory=anyio.Lock)

    async def ask(self) -> Mapping[str, Any]:
        """Return what is used of `GET /info`. Raises Retry, ApiError or TypeError."""
        async with self._asking:
            if not self._told or anyio.current_time() > self._until:
                told = await self.api.get("/info")
                self._told = {key: told[key] for key in _USED if key in told}
                self._until = anyio.current_time() + _HOLDS_SECONDS
            return self._told
