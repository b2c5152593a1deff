"""Ask one question: of its registry, or of Podman where this host's own image is what counts.

What compares tags is loaded with the first question that goes by them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.images.hosts import Hosts
from supervisor.controllers.ports import Aside, Podman, Registry
from supervisor.core.images.concerns import (
    host_of,
    is_fixed,
    lists_tags,
    repository_of,
)
from supervisor.core.images.found import own_digest, version_of
from supervisor.core.images.reference import name_and_tag
from supervisor.model.errors import Failure, Stalled
from supervisor.model.image import ImageQuestion, ImageVersion, TagDigest

if TYPE_CHECKING:
    from supervisor.core.images.policy import TagChoice

_LIST_COUNTS_SECONDS = 30.0
"""Questions of one round that go by the tags of one repository read these once."""
_DIGEST_COUNTS_SECONDS = 86_400.0
"""So seldom it is asked whether a tag that should stay what it is was pushed once more."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What there is: a version, or why none fits."""

    version: ImageVersion | None = None
    problem: str = ""
    hint: str = ""


class _Chosen(msgspec.Struct, frozen=True):
    """What a question makes of a list of tags."""

    at: float
    """When the list was asked for."""
    choice: "TagChoice"


class Asking(msgspec.Struct, kw_only=True):
    """Asks no more than has to be known. Moments are of the event loop's clock."""

    registry: Registry
    podman: Podman
    hosts: Hosts
    aside: Aside
    _chosen: dict[str, _Chosen] = {}
    """By the key of the question."""
    _verified: dict[str, tuple[ImageVersion, float]] = {}
    """Key of the question to the version that was asked for by its tag, and when."""
    _same: dict[str, tuple[str, str]] = {}
    """Key of the question to the digest that its tag stands for, and the version that is known.

    Of questions where these are two, and for this host the same."""
    _listing: defaultdict[tuple[str, str], anyio.Lock] = msgspec.field(
        default_factory=lambda: defaultdict(anyio.Lock)
    )

    def book(self, question: ImageQuestion, *, told_at: float) -> float:
        """Book a question at its registry, or return the seconds until there may be room for it.

        Raises LetAlone.
        """
        if question.is_local:
            return 0.0
        return self.hosts.book(
            host_of(question), repository_of(question), hurried=told_at > -math.inf
        )

    def insist(self, questions: Iterable[ImageQuestion]) -> dict[str, str]:
        """Ask the registries of these although they want to be let alone, as a person says.

        Returns those that do, and what each wants.
        """
        names = sorted({host_of(one) for one in questions if not one.is_local})
        wants = {name: want for name in names if (want := self.hosts.insist(name))}
        if wants:
            self.registry.end_rests()
        return wants

    async def book_patiently(self, question: ImageQuestion) -> None:
        """Book a question that a person waits for, once there is room for it. Raises LetAlone."""
        wait = self.book(question, told_at=anyio.current_time())
        while wait:
            await anyio.sleep(wait)
            wait = self.book(question, told_at=anyio.current_time())

    async def ask(
        self,
        question: ImageQuestion,
        *,
        told_at: float,
        known: ImageVersion | None,
        along: Iterable[ImageQuestion],
    ) -> Answer:
        """Ask what was booked. Raises what the ports raise, and LetAlone.

        `known` is the newest version so far, which the answer is if the tag stands for another one
        that is the same for this host's platform.
        `told_at` is when somebody told of the image; minus infinity for a round. What is read of
        its repository serves those of `along` that are asked next.
        """
        hurried = told_at > -math.inf
        if hurried:
            self._verified.pop(question.key, None)
        if question.is_local:
            return await self._here(question)
        if not lists_tags(question):
            return Answer(
                version=await self._newest(question, question.image, known, hurried=hurried)
            )
        chosen = (await self._choose(question, told_at, along)).choice
        if not chosen.tag:
            from supervisor.core.images.policy_text import nothing_fits  # noqa: PLC0415

            why = nothing_fits(repository_of(question), question.policy, chosen.near)
            return Answer(problem=why[0], hint=why[1])
        if verified := self._verified.get(question.key):
            version, at = verified
            is_young = anyio.current_time() < at + _DIGEST_COUNTS_SECONDS
            if version.tag == chosen.tag and is_fixed(chosen.tag) and is_young:
                return Answer(version=version)
        image = f"{repository_of(question)}:{chosen.tag}"
        version = await self._newest(question, image, known, hurried=hurried)
        self._verified[question.key] = (version, anyio.current_time())
        return Answer(version=version)

    async def version(self, question: ImageQuestion, image: str) -> ImageVersion:
        """Return what an image of the question's registry stands for, for a person who waits.

        Raises what the port raises, and LetAlone.
        """
        await self.book_patiently(question)
        return version_of(image, await self._look_up(question, image, hurried=True))

    async def _look_up(self, question: ImageQuestion, image: str, *, hurried: bool) -> TagDigest:
        repository, _ = name_and_tag(image)
        async with self.hosts.turn(host_of(question), repository, hurried=hurried):
            return await self.registry.digest(image, authfile=question.authfile)

    async def _newest(
        self, question: ImageQuestion, image: str, known: ImageVersion | None, *, hurried: bool
    ) -> ImageVersion:
        found = await self._look_up(question, image, hurried=hurried)
        version = version_of(image, found)
        if known is None or known.runs == version.runs or known.tag != version.tag:
            return version
        pair = (found.digest, known.runs)
        if self._same.get(question.key) != pair:
            if not await self._is_same_here(question, version, known, found, hurried=hurried):
                return version
            self._same[question.key] = pair
        return replace(version, runs=known.runs)

    async def _is_same_here(
        self,
        question: ImageQuestion,
        version: ImageVersion,
        known: ImageVersion,
        found: TagDigest,
        *,
        hurried: bool,
    ) -> bool:
        """Whether another version has the very image that this host has of the one that is known.

        Indexes differ as soon as any of their platforms does.
        """
        digests = await self.podman.image_digests(known.runs)
        here = {one.rpartition("@")[2] for one in digests}
        if found.digest in here or not (here and found.is_index):
            return found.digest in here
        async with self.hosts.turn(host_of(question), repository_of(question), hurried=hurried):
            try:
                parts = await self.registry.manifests(version.runs, authfile=question.authfile)
            except Stalled:
                return False  # whoever pulls it will say why
        return not here.isdisjoint(parts)

    async def instead(self, image: str) -> ImageVersion | None:
        """Return the version of a registry's image that is here by its very tag, if there is one.

        For a registry that cannot be asked; raises nothing.
        """
        try:
            digests = await self.podman.image_digests(image)
        except Failure:
            return None
        runs = own_digest(image, digests)
        return ImageVersion(runs=runs, tag=name_and_tag(image)[1]) if runs else None

    async def here(self, image: str) -> ImageVersion | None:
        """Return what this host has by this name, by its id. Raises Retry."""
        runs = ((await self.podman.inventory(images=[image])).images or {}).get(image)
        return ImageVersion(runs=runs, tag=name_and_tag(image)[1]) if runs else None

    def forget(self, question: ImageQuestion) -> None:
        """Forget a question that nobody asks."""
        self._chosen.pop(question.key, None)
        self._verified.pop(question.key, None)
        self._same.pop(question.key, None)
        self._listing.pop((repository_of(question), question.authfile), None)

    async def _here(self, question: ImageQuestion) -> Answer:
        if version := await self.here(question.image):
            return Answer(version=version)
        return Answer(
            problem=f"no image {question.image} is here",
            hint=f"build, load or tag it under that name: podman tag IMAGE {question.image}",
        )

    async def _choose(
        self, question: ImageQuestion, told_at: float, along: Iterable[ImageQuestion]
    ) -> _Chosen:
        repository, authfile = repository_of(question), question.authfile
        hurried = told_at > -math.inf
        async with self._listing[repository, authfile]:
            now = anyio.current_time()
            known = self._chosen.get(question.key)
            if known and known.at >= max(told_at, now - _LIST_COUNTS_SECONDS):
                return known
            async with self.hosts.turn(host_of(question), repository, hurried=hurried):
                tags = await self.registry.tags(repository, authfile=authfile)
            others = (one for one in along if _reads_the_same(one, question))
            asked = {one.key: one for one in (question, *others)}.values()

            from supervisor.core.images.policy import newest  # noqa: PLC0415

            def choose() -> dict[str, _Chosen]:
                return {one.key: _Chosen(now, newest(tags, one.policy)) for one in asked}

            chosen = await self.aside(choose, items=len(tags))
            self._chosen.update(chosen)
            return chosen[question.key]


def _reads_the_same(one: ImageQuestion, other: ImageQuestion) -> bool:
    """Whether both go by the tags of a repository, which is the same."""
    return lists_tags(one) and one.authfile == other.authfile
