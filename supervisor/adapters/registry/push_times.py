"""When a tag was pushed, by the registry's own clock: no part of the distribution specification.

Never from dates within an image, which its maker writes. Docker Hub has it in an API of its own
(docs.docker.com/reference/api/hub), which asks for no login for public images.
"""

import time
from datetime import datetime

import msgspec

from supervisor.adapters.registry.memory import PushTime, keep
from supervisor.adapters.registry.quirks import quirk_of
from supervisor.adapters.registry.session import Session
from supervisor.kit.json_reading import read_json
from supervisor.model.errors import Failure

_OK = 200


class _Tag(msgspec.Struct):
    digest: str = ""
    tag_last_pushed: datetime | None = None


async def pushed_at(session: Session, tag: str, digest: str) -> float:
    """Return when what a tag stands for was pushed, seconds since the epoch; 0 if nobody tells.

    Each digest of a tag is asked about once, whatever comes of it.
    """
    place = quirk_of(session.endpoint.host).push_times
    if not place:
        return 0.0
    name = f"{session.endpoint.name}:{tag}"
    known = session.memory.push_times.get(name)
    if known is None or known.digest != digest:
        known = PushTime(
            digest, await _ask(session, f"{place}/{session.endpoint.path}/tags/{tag}", digest)
        )
        keep(session.memory.push_times, name, known)
    return known.at


async def _ask(session: Session, url: str, digest: str) -> float:
    try:
        reply = await session.fetch(url)
    except Failure:
        return 0.0
    found = (read_json(reply.body, _Tag) if reply.status == _OK else None) or _Tag()
    pushed = found.tag_last_pushed
    if pushed is None or pushed.tzinfo is None or found.digest != digest:
        return 0.0
    # What is to come is a clock that is wrong, here or there: nothing may wait for it.
    return at if 0 < (at := pushed.timestamp()) <= time.time() else 0.0
