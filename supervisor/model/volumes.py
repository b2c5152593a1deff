"""Volume snapshots: what an app's volumes held before a release came, paired with the one before.

They are made where `[X-Podvisor]` says `Snapshot=volumes`, and put back when a person says so.
"""

import msgspec


class VolumeSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The volumes of an app as they were at one moment: a file each, in a folder of this id."""

    id: str
    release: str
    """That ran until then; empty if nobody knows."""
    revision: str
    """Of that release."""
    at: float
    """When its first volume was exported, seconds since the epoch."""
    before: str
    """Content of the app that was to come, as of `AppRevision.content`."""
    volumes: dict[str, int]
    """Podman's names of the volumes, each with the bytes of its file."""
    stopped: tuple[str, ...] = ()
    """Units that were stopped for it, and left to whatever came next to be started."""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(self.volumes.values())


class RestoreOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A person has the volumes of an app put back to a snapshot; it stands until that is done."""

    snapshot: VolumeSnapshot
    at: float
    """When it was given; what the volumes held until then is exported first, unless half of it is
    gone already."""


class VolumeFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the volumes of an app could not be exported, or put back, when that was tried last."""

    before: str
    """As of the snapshot that was to be made; the id of the one that was to be put back."""
    why: str
    failures: int
    """In a row."""
    next_at: float
    """Not to be tried again before; seconds since the epoch."""


class AppVolumes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of the volumes of one app; kept in the ledger."""

    snapshots: tuple[VolumeSnapshot, ...] = ()
    """The newest last."""
    restore: RestoreOrder | None = None
    """It stands as long as anything is half put back."""
    half: tuple[str, ...] = ()
    """Volumes that began to be put back, and were not to the end: no data of the app's."""
    failure: VolumeFailure | None = None


class ArchiveRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What an export takes, and what there is for it."""

    needed: int
    """Bytes in the volumes, as they are before they are packed."""
    free: int
    folder: str
    """Where it goes; absolute."""
