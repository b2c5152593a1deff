"""Changes below the owned folder, made by a helper as root of the user's own user namespace.

A container that was given a folder (`Volume=./conf:/conf:U`) owns it under a subordinate id, so
that its user's own processes may not write there. Owners stay who they are.
"""

import msgspec

from supervisor.adapters.files.safe_fs import put, remove, remove_empty, sweep, told
from supervisor.kit.helper import BESIDE, HelperError, ask, serve
from supervisor.model.source import FileKind

_TIMEOUT_SECONDS = 60.0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, paths relative to the root."""

    root: str
    files: tuple[tuple[str, bytes, FileKind], ...] = ()
    """To be written."""
    owned: frozenset[str] = frozenset()
    """What may be taken out of their way."""
    gone: tuple[str, ...] = ()
    """To be removed, with the folders below that of the app that they leave empty."""


async def make_unshared(change: Change) -> bool:
    """Make a change; returns whether it was made."""
    through = [*BESIDE, "--", "podman", "unshare"]
    try:
        await ask(__name__, change, type(None), timeout_seconds=_TIMEOUT_SECONDS, through=through)
    except HelperError:
        return False
    return True


def carry_out(change: Change) -> None:
    """Make a change in this process. Raises one of the two failures, or OSError."""
    sweep(change.root, {path.rpartition("/")[0] for path, _, _ in change.files})
    if change.files:
        put(change.root, change.files, removable=change.owned.__contains__)
    for path in change.gone:
        with told(f"remove {change.root}/{path}"):
            remove(change.root, path, keep=path.count("/"))
    for folder in sorted({path.rpartition("/")[0] for path in change.gone}, reverse=True):
        with told(f"remove {change.root}/{folder}"):
            remove_empty(change.root, folder, keep=1)


if __name__ == "__main__":
    serve(carry_out, Change)
