"""Which version of an image a person means: by tag, by digest, or what runs.

Serves `controllers.operator.images`.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from supervisor.controllers.images.asking import Asking
from supervisor.controllers.ports import Ledger
from supervisor.core.images.reference import is_tag, name_and_tag
from supervisor.core.images.words import short_name, version_in_words
from supervisor.kit.clock import Clock
from supervisor.model.errors import Retry, Stalled
from supervisor.model.image import ImageQuestion, ImageVersion
from supervisor.model.image_status import ImageStatus

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BEGINNING = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


class ImageVersions(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the ledger first, then the registry or Podman."""

    ledger: Ledger
    asking: Asking
    clock: Clock

    async def meant(self, image: ImageStatus, word: str) -> ImageVersion:
        """Return the version of an image that is followed; without a word, what runs now.

        Raises Stalled if there is none such, and Retry if that cannot be known now.
        """
        name = short_name(image.image)
        if not word:
            if image.running is None:
                hint = "podvisor status says what it waits for"
                raise Stalled(f"nothing of {name} runs in {image.app} yet", hint=hint)
            return image.running
        if image.known is None:
            raise AssertionError(image.image)
        question = image.known.question
        if version := self._known(image, word):
            return version
        repository, _ = name_and_tag(question.image)
        if _DIGEST.fullmatch(word) and not question.is_local:
            version = await self._by_digest(question, f"{repository}@{word}")
        elif is_tag(word):
            version = await self._tagged(question, f"{repository}:{word}")
        else:
            hint = "a tag, or a digest; podvisor history shows those that ran here"
            raise Stalled(f"“{word}” is no version of {name}", hint=hint)
        return replace(version, seen_at=self.clock.now())

    def _known(self, image: ImageStatus, word: str) -> ImageVersion | None:
        """Return the version that ran here, or is the newest, whose digest begins so."""
        begins = _BEGINNING.fullmatch(word)
        if begins is None:
            return None
        found = {
            one.runs: one
            for one in self._versions(image)
            if one.runs.rpartition(":")[2].startswith(begins[1])
        }
        if len(found) > 1:
            shown = ", ".join(version_in_words(one.runs, one.tag) for one in found.values())
            hint = f"say more of it: {shown}"
            raise Stalled(f"more than one version begins with {word}", hint=hint)
        return next(iter(found.values()), None)

    def _versions(self, image: ImageStatus) -> Iterator[ImageVersion]:
        if image.known is None:
            return
        key = image.known.question.key
        for one in self.ledger.rollouts(image.app):
            for pin in one.pins:
                if pin.question == key:
                    yield ImageVersion(runs=pin.runs, tag=pin.tag)
        if image.known.newest:
            yield image.known.newest

    async def _by_digest(self, question: ImageQuestion, runs: str) -> ImageVersion:
        """Return the version `NAME@sha256:…`, if it is here or its registry has it."""
        if not await self.asking.here(runs):
            await self.asking.version(question, runs)
        return ImageVersion(runs=runs)

    async def _tagged(self, question: ImageQuestion, image: str) -> ImageVersion:
        """Return what a tag stands for: at the registry, or where that does not answer, here."""
        if question.is_local:
            if version := await self.asking.here(image):
                return version
            hint = "podman images lists them all"
            raise Stalled(f"there is no image {image} on this host", hint=hint)
        try:
            return await self.asking.version(question, image)
        except Retry:
            version = await self.asking.instead(image) or await self.asking.here(image)
            if version is None:
                raise
            return version
