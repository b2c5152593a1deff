"""How the images of apps stand, and what people order of them: bodies of the control socket."""

from typing import Annotated

import msgspec

from supervisor.model.image import HeldUpdate, ImageKey, ImageKnowledge, ImageVersion
from supervisor.model.status import SyncReply
from supervisor.model.wire import Name, Remark

ImageWord = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^[!-~]*$(?!\n)")]
"""An image's name or the end of it, a tag, a digest, or the beginning of that."""
SaidWord = Annotated[ImageWord, msgspec.Meta(min_length=1)]
"""One that is said: an empty word is no way to leave it out."""


class ImageStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image of one app."""

    app: str
    image: str
    """As its unit names it, with its tag."""
    paths: tuple[str, ...] = ()
    """Of the files that name it; left out where no daemon runs."""
    running: ImageVersion | None = None
    """What the app's release runs with; left out before its first one."""
    on_trial: bool = False
    """Whether that release has not passed its gate yet."""
    not_yet: tuple[str, ...] = ()
    """Units that run with another one until their turn comes in a rolling update."""
    known: ImageKnowledge | None = None
    """What its unit asks about it, and the answer; left out where that asks nothing."""
    off: bool = False
    """Whether that is not asked for this app, as its updates are off."""
    next_check_at: float = 0.0
    """When that is asked next; left out if it is not, or nobody knows."""
    held: HeldUpdate | None = None
    """The newer version that is not run, and why."""
    pinned: ImageVersion | None = None
    """What a person had it stay at."""
    pinned_by: str = ""
    """Who did, as of `Event`."""
    moves_to: ImageVersion | None = None
    """Of a dry run: what an update would have it run."""
    passes: str = ""
    """Of a dry run: what that would not wait for, as a person says so."""

    @property
    def newer(self) -> ImageVersion | None:
        """The version that is available and does not run."""
        newest = self.known.newest if self.known else None
        is_here = newest and self.running and newest.runs == self.running.runs
        return None if is_here else newest


class ImageList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /v1/images?app=`: the images of all apps, or of one."""

    running: bool
    """Whether a daemon runs; else it is what the ledger knows."""
    images: tuple[ImageStatus, ...]


class ImageReply(SyncReply, frozen=True, kw_only=True, omit_defaults=True):
    """The end of an order: how the apps that it is about stand, and their images."""

    images: tuple[ImageStatus, ...] = ()


class AskedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """An image of an app that somebody has to have signed."""

    app: str
    path: str
    """Of the file that names the image, relative to the app's root."""
    image: str
    """As it is pulled: `NAME@sha256:…`, once a version is known."""
    repository: str
    """`ghcr.io/me/web`, as Podman's policy calls it."""
    fetched_as: tuple[str, ...]
    """By which names Podman may fetch it, mirrors before its registry; its signature lies there."""
    key: ImageKey


class SignatureList(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /v1/signatures`: what the apps ask for by `VerifyImage=`."""

    images: tuple[AskedSignature, ...] = ()


class UpdateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/update`: ask now for newer versions, and run what may be run."""

    name: ImageWord = ""
    """Of an app or an image; empty is all."""
    now: bool = False
    """Let neither cooldown nor window keep it, nor that it is only to be shown or pulled, nor that
    its registry wants to be let alone."""
    dry_run: bool = False
    """Ask, and say what would come of it."""
    reason: Remark = ""


class PinRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/pin` and `/v1/unpin`: have images of an app stay at a version, or go on."""

    app: Name
    words: Annotated[tuple[SaidWord, ...], msgspec.Meta(max_length=2)] = ()
    """The image and the version; of one alone, whichever it fits. None is all images, as they run
    now; of `unpin`, it names the image."""
    reason: Remark = ""
