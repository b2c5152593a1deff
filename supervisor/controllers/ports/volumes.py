"""What volumes held, kept in files."""

from collections.abc import Collection
from typing import Protocol

from supervisor.model.volumes import ArchiveRoom, VolumeSnapshot


class VolumeArchive(Protocol):
    """Exports volumes of an app, and puts them back. What uses them must be stopped meanwhile."""

    async def room(self, app: str, names: Collection[str]) -> ArchiveRoom:
        """How much these volumes hold, and what is free where they would be exported to.

        Raises Retry.
        """
        ...

    async def save(
        self,
        app: str,
        snapshot: str,
        names: Collection[str],
        *,
        taken: VolumeSnapshot | None,
        timeout_seconds: float,
    ) -> dict[str, int]:
        """Export volumes as the snapshot of this id; returns the bytes of the file of each.

        The volumes of `taken` are in it as they are there, but for files that are not as they were
        written. All of them or, if that raises, nothing that counts. Raises Retry.
        """
        ...

    async def check(self, app: str, snapshot: VolumeSnapshot) -> None:
        """Look whether a snapshot can be put back. Raises Stalled if it cannot."""

    async def load(self, app: str, snapshot: VolumeSnapshot, *, timeout_seconds: float) -> None:
        """Have the volumes of a snapshot hold what it does, and nothing else.

        Raises Retry: before anything is changed if a file of it is not as it was written; after
        that, what they hold is neither one nor the other.
        """

    async def keep(self, app: str, snapshots: Collection[str]) -> None:
        """Remove all of an app but these snapshots, and what was never complete. Raises Retry."""
