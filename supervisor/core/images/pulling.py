"""How far a pull is, and whether what it brings fits: in words."""

from supervisor.kit.texts import rough_size
from supervisor.model.image import PullProgress, StoreRoom

FLOOR_BYTES = 100 << 20
"""With less free than this no pull is begun: its size is known only when it has."""
_UNPACKED_FACTOR = 2
"""A layer takes so many times its packed size at the least that is usual."""


def progress_in_words(progress: PullProgress) -> str:
    """Say how far it is: `pulling: 3 of 7 layers, 12 MB of 40 MB`; of what has begun."""
    if not progress.layers:
        return "pulling"
    said = f"pulling: {progress.layers_here} of {progress.layers} layers"
    if progress.total:
        said += f", {rough_size(progress.bytes)} of {rough_size(progress.total)}"
    return said


def lacks_room(room: StoreRoom, *, packed: int) -> str:
    """Say why so many bytes of packed layers do not fit; empty if they may.

    Layers lie packed in one place until they are unpacked in the other; with 0, as little as
    `FLOOR_BYTES` has to be free in both.
    """
    unpacked = _UNPACKED_FACTOR * packed
    asked = (
        (room.layers, room.layers_free, unpacked + (packed if room.is_one else 0)),
        (room.downloads, room.downloads_free, packed),
    )
    for path, free, needed in asked:
        if free < max(needed, FLOOR_BYTES):
            what = (
                f"it needs about {rough_size(needed)}"
                if needed > FLOOR_BYTES
                else (f"less than {rough_size(FLOOR_BYTES)} is no room for an image")
            )
            return f"{what}, and {rough_size(free)} are free in {path}"
    return ""
