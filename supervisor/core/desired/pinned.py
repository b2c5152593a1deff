"""An app with the versions of its images: each laid over its files as a drop-in of podvisor's."""

from collections.abc import Iterable

from msgspec.structs import replace

from supervisor.core.desired.overlay import lay_over
from supervisor.kit.stamps import blob_id
from supervisor.model.app import Candidate
from supervisor.model.image import Pin
from supervisor.model.source import TreeFile


def with_pins(one: Candidate, pins: Iterable[Pin]) -> Candidate:
    """Return a candidate that runs these versions; itself, if there are none."""
    chosen = tuple(sorted(pins))
    if not chosen:
        return one
    return replace(one, files=lay_over(one.files, map(_drop_in, chosen)), pins=chosen)


def _drop_in(pin: Pin) -> TreeFile:
    content = pin.text.encode()
    return TreeFile(pin.drop_in, blob_id(content), size=len(content), text=pin.text)
