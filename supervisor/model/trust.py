"""What Podman's files have to say for the signatures that apps ask for: `podvisor trust --json`."""

import msgspec

from supervisor.model.image_status import AskedSignature
from supervisor.model.status import SyncReply


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Podman's settings that does not say it yet."""

    path: str
    diff: str
    """Unified: from what counts now to what it is to say."""


class TrustReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What apps ask for, what had to be written for it, and whether it was."""

    images: tuple[AskedSignature, ...]
    changes: tuple[FileChange, ...]
    written: bool
    reply: SyncReply | None = None
    """How the apps stand after it was written, if a daemon runs."""
