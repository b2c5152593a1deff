"""An artifact in a registry as a source: ask for it, see who signed it, put it into the store.

Its revision is the hex of its manifest's digest; in the store, a tree is known by that name.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import anyio
import msgspec

from supervisor.adapters.git import cosign
from supervisor.adapters.git.signatures import Signers
from supervisor.adapters.git.store import Store
from supervisor.adapters.git.unpack import Packed, Unpacked, Unpacking
from supervisor.core.files.unitfile import Refused
from supervisor.core.images.artifact import Artifact, artifact_of
from supervisor.core.images.reference import parse_reference
from supervisor.kit.helper import HelperError, ask
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.image import TagDigest
from supervisor.model.settings import LimitSettings
from supervisor.model.source import Snapshot

_APPS = 20
"""So many apps of the largest size are taken for an artifact's content, as for a folder's."""
_MEMORY = 256 << 20
_COPIES = 4
"""Of the largest file, which may be there beside that: as it is read, and as it is packed."""
_BUSY = 0.5
"""The part of its time that a process may compute: a machine with other work is not its fault."""
_SIGNATURES_SECONDS = 120.0
"""For all that there are, however slowly each comes."""
_ANSWER_LIMIT = 64 << 20
_LEFT_ALONE_SECONDS = 3_600.0
"""How long what no process could unpack is not fetched again."""
_UNPACK = "supervisor.adapters.git.unpack"


class Artifacts(cosign.Registry, Protocol):
    """Registries, as far as artifacts are had from them. All raise Retry or Stalled."""

    async def digest(self, image: str) -> TagDigest:
        """Ask what `HOST/NAME:TAG` stands for, or whether there is a `HOST/NAME@sha256:…`."""

    def together(self) -> AbstractAsyncContextManager[None]:
        """Share connections among what is asked in this block."""


class _Refusal(NamedTuple):
    """What was found to be unusable: it is not fetched again in vain at each poll."""

    place: str
    failure: Failure
    until: float = math.inf


class ArtifactReader(msgspec.Struct, kw_only=True):
    """Reads the artifacts of one source."""

    source: str
    store: Store
    limits: LimitSettings
    registry: Artifacts
    _refused: _Refusal | None = None

    async def fetch(
        self, image: str, *, signers: Signers | None, last: Snapshot | None
    ) -> Snapshot:
        """Read it into the store; returns `last` if there is no other one.

        Raises Retry or Stalled.
        """
        async with self.registry.together():
            digest = (await self.registry.digest(image)).digest
            revision = digest.partition(":")[2]
            if last and last.revision == revision:
                return last
            place = f"{parse_reference(image).repository}@{digest}"
            self._mind_refused(place)
            with self.store.scratch() as begin:
                if signers:
                    with _in_time(image, _SIGNATURES_SECONDS):
                        await self._verify(image, place, signers, begin)
                artifact = await self._artifact(image, place)
                layers = await self._download(image, place, artifact, begin)
                unpacked = await self._unpack(image, place, layers, begin)
                for pack in unpacked.packs:
                    await self.store.run("unpack-objects", "-q", stdin=Path(pack))
        await self.store.point(unpacked.tree, name=revision)
        return Snapshot(
            source=self.source,
            revision=revision,
            subject=artifact.subject,
            files=unpacked.files,
            findings=unpacked.findings,
        )

    def _mind_refused(self, place: str) -> None:
        known = self._refused
        if known and known.place == place and anyio.current_time() < known.until:
            raise type(known.failure)(str(known.failure), hint=known.failure.hint)

    async def _verify(self, image: str, place: str, signers: Signers, begin: str) -> None:
        """Raise Stalled for one that may not be deployed, or Retry if it may still be signed."""
        shown, why = _shown(image, place), ""
        claims = cosign.Claims(self.registry, place, begin)
        for find in (claims.by_tag, claims.by_referrers):
            if found := await find():
                why = await cosign.check(found, signers)
                if not why:
                    return
        if claims.unread:
            raise claims.unread
        if why:
            hint = f"have it signed with a key of {signers.path}, or add the key there"
            raise Stalled(f"cannot deploy {shown}: {why}", hint=hint)
        hint = "sign it, as in how-to/deploy-from-a-registry.md"
        raise Retry(f"cannot deploy {shown}: it is not signed", hint=hint)

    async def _artifact(self, image: str, place: str) -> Artifact:
        manifest = await self.registry.manifest(place)
        if not manifest:
            raise Retry(f"cannot fetch {image}: its registry does not have {place} any more")
        try:
            return artifact_of(manifest, largest=self.limits.fetch_size)
        except Refused as refused:
            raise self._refuse(image, place, str(refused), refused.hint) from None

    async def _download(
        self, image: str, place: str, artifact: Artifact, begin: str
    ) -> list[Packed]:
        repository, seconds = place.partition("@")[0], self.limits.fetch_timeout
        layers = [
            Packed(path=f"{begin}{number}", file=layer.file)
            for number, layer in enumerate(artifact.layers)
        ]
        with _in_time(image, seconds) as scope:
            for layer, packed in zip(artifact.layers, layers, strict=True):
                await self.registry.blob(
                    f"{repository}@{layer.digest}",
                    size=layer.size,
                    path=packed.path,
                    timeout_seconds=scope.deadline - anyio.current_time(),
                )
        return layers

    async def _unpack(
        self, image: str, place: str, layers: Sequence[Packed], begin: str
    ) -> Unpacked:
        asked = Unpacking(
            source=self.source,
            layers=tuple(layers),
            packs=f"{begin}pack_",
            file_size=int(self.limits.file_size),
            all_size=_APPS * self.limits.app_size,
            files=_APPS * self.limits.app_files,
            memory=_MEMORY + _COPIES * self.limits.file_size,
            seconds=max(1, int(self.limits.fetch_timeout * _BUSY)),
        )
        try:
            unpacked = await ask(
                _UNPACK,
                asked,
                Unpacked,
                timeout_seconds=self.limits.fetch_timeout,
                answer_limit=_ANSWER_LIMIT,
            )
        except HelperError as error:
            failure = Retry(f"cannot unpack {_shown(image, place)}: {error}")
            until = anyio.current_time() + _LEFT_ALONE_SECONDS
            self._refused = _Refusal(place, failure, until)
            raise failure from error
        if unpacked.problem:
            raise self._refuse(image, place, unpacked.problem, unpacked.hint)
        return unpacked

    def _refuse(self, image: str, place: str, why: str, hint: str) -> Stalled:
        failure = Stalled(f"cannot deploy {_shown(image, place)}: {why}", hint=hint)
        self._refused = _Refusal(place, failure)
        return failure


@contextmanager
def _in_time(image: str, seconds: float) -> Iterator[anyio.CancelScope]:
    """Give it an end. Raises Retry."""
    try:
        with anyio.fail_after(seconds) as scope:
            yield scope
    except TimeoutError:
        raise Retry(f"cannot fetch {image}: no end after {seconds:g} s") from None


def _shown(image: str, place: str) -> str:
    return f"{image} ({place.rpartition(':')[2][:12]})"
