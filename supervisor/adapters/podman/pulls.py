"""Pulling an image: by the API that Podman has in common with Docker, which tells how far it is.

Podman's own says no more than which layers there are until all is over, but why a pull failed in
whole sentences. So that one is asked again where the other refuses. Short names are for Podman's
own alone: the other takes them to be Docker Hub's.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.core.images.reference import has_registry
from supervisor.model.image import PullProgress
from supervisor.model.podman import PullLogins

_THERE = ("Already exists", "Download complete")
_MOST_LAYERS = 1_000
_CUT_SHORT = "Podman hung up before it was done: unexpected EOF"


async def pull(
    api: Api,
    image: str,
    *,
    logins: PullLogins | None = None,
    anew: bool = False,
    show: Callable[[PullProgress], None],
) -> str:
    """Fetch an image if it is not there; returns why it could not be had, empty if it was.

    `anew`: also if it is there, of which Podman then verifies the signatures alone.
    With `logins`, they count instead of what Podman finds by itself.

    Raises Retry if Podman cannot be reached, and what `show` raises, which ends the pull.
    """
    headers: dict[str, str] = {}
    if logins:
        headers["X-Registry-Config"] = urlsafe_b64encode(logins.config).decode()
    if not has_registry(image):
        return await _pull_unseen(api, image, headers, anew=anew)
    try:
        if not await api.inspect("images", image):
            return await _pull_seen(api, image, headers, show)
        return await _pull_unseen(api, image, headers, anew=True) if anew else ""
    except ApiError:
        return await _pull_unseen(api, image, headers, anew=anew)


async def _pull_seen(
    api: Api, image: str, headers: Mapping[str, str], show: Callable[[PullProgress], None]
) -> str:
    words, layers = "", _Layers()
    path = "/images/create"
    async with api.dockers_stream("POST", path, headers, fromImage=image) as lines:
        async for line in lines:
            words = str(line.get("error") or words)
            if layers.take(line):
                show(layers.progress())
    return words


async def _pull_unseen(api: Api, image: str, headers: Mapping[str, str], *, anew: bool) -> str:
    words = _CUT_SHORT
    query = {"reference": image, "policy": "always" if anew else "missing"}
    try:
        async with api.stream("POST", "/images/pull", headers, **query) as lines:
            async for line in lines:
                words = str(line.get("error") or words)
                if line.get("images") or line.get("id"):
                    words = ""
    except ApiError as error:
        return str(error)
    return words


class _Layers(msgspec.Struct):
    """What was told of each layer: bytes that are here, bytes in all, whether it is done."""

    here: dict[str, tuple[int, int, bool]] = {}

    def take(self, line: Mapping[str, Any]) -> bool:
        """Take a line of the answer; returns whether it says anything new."""
        name, status = line.get("id"), line.get("status")
        if not isinstance(name, str) or not isinstance(status, str):
            return False
        if name not in self.here and len(self.here) >= _MOST_LAYERS:
            return False
        bytes_here, total, _ = self.here.get(name, (0, 0, False))
        detail = line.get("progressDetail")
        if isinstance(detail, dict) and isinstance(detail.get("total"), int):
            current = detail.get("current")
            bytes_here, total = current if isinstance(current, int) else 0, detail["total"]
        done = status in _THERE
        told = (total if done else bytes_here, total, done)
        if self.here.get(name) == told:
            return False
        self.here[name] = told
        return True

    def progress(self) -> PullProgress:
        return PullProgress(
            layers=len(self.here),
            layers_here=sum(done for _, _, done in self.here.values()),
            bytes=sum(here for here, _, _ in self.here.values()),
            total=sum(total for _, total, _ in self.here.values()),
        )
