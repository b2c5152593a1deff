"""Whether a container could not be had since Podman's storage is damaged, and what mends it.

So it is after a power cut in the middle of a pull, or on a card that loses what was written.
"""

import re

_DAMAGED = re.compile(
    r"/overlay/(?:[0-9a-f]{64}|l/\w+)\S*: no such file or directory"
    r"|may be corrupted"
    r"|layer not known"
    r"|not found in layer tree"
)
"""As recorded of Podman 5.4 and 5.8; the last three as its sources have them."""


def damaged_storage_mend(text: str) -> str:
    """Say how a damaged image is had anew, if that is what Podman stumbled over; else empty."""
    if not _DAMAGED.search(text):
        return ""
    return (
        "Podman's storage is damaged: podman system check --repair --force removes the images and"
        " containers that are, and podvisor pulls them again"
    )
