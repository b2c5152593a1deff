"""A fake of the `Registry` port: tags of repositories, as a registry has them now."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from supervisor.controllers.ports.registry import Registry, TagDigest
from supervisor.core.images.reference import name_and_tag
from supervisor.model.errors import Failure, Stalled


def digest_of(content: str) -> str:
    return f"sha256:{sha256(content.encode()).hexdigest()}"


class FakeRegistry:
    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, str]] = {}
        self.pushed: set[str] = set()
        """All versions that there ever were: `HOST/NAME@sha256:…`."""
        self.pushed_at: dict[str, float] = {}
        """Of images, where it tells."""
        self.indexes: dict[str, tuple[str, ...]] = {}
        """Digests of indexes to those of what they hold."""
        self.failures: dict[str, Failure] = {}
        """What everything that is asked of a host, a repository or an image fails of."""
        self.asked: list[str] = []
        self.seconds = 0.1
        """How long an answer takes."""
        self.rests_ended = 0
        self.at_once = Counter[str]()
        self.most_at_once = 0

    def push(self, image: str, content: str = "") -> str:
        """Have a tag stand for some content; returns its digest."""
        repository, tag = name_and_tag(image)
        digest = digest_of(content or image)
        self.repositories.setdefault(repository, {})[tag] = digest
        self.pushed.add(f"{repository}@{digest}")
        return digest

    def push_index(self, image: str, *contents: str) -> str:
        """Have a tag stand for an index, of these contents for a platform each; its digest."""
        digest = self.push(image, " ".join(contents))
        self.indexes[digest] = tuple(map(digest_of, contents))
        return digest

    def asked_since(self, mark: int) -> list[str]:
        return self.asked[mark:]

    async def digest(self, image: str, *, authfile: str = "") -> TagDigest:
        repository, tag = name_and_tag(image)
        await self._ask(image, repository)
        found = self.repositories.get(repository, {}).get(tag)
        if image in self.pushed:
            found = image.partition("@")[2]
        if found is None:
            raise Stalled(f"there is no {image}", hint="push it, or write another tag")
        return TagDigest(
            digest=found,
            pushed_at=self.pushed_at.get(image, 0.0),
            is_index=found in self.indexes,
        )

    async def manifests(self, image: str, *, authfile: str = "") -> tuple[str, ...]:
        repository, _, digest = image.partition("@")
        await self._ask(image, repository)
        if image not in self.pushed:
            raise Stalled(f"there is no {image}", hint="push it")
        return self.indexes.get(digest, ())

    async def tags(self, repository: str, *, authfile: str = "") -> Sequence[str]:
        await self._ask(repository, repository)
        if repository not in self.repositories:
            raise Stalled(f"there is no {repository}", hint="push it, or write another name")
        return tuple(self.repositories[repository])

    def end_rests(self) -> None:
        self.rests_ended += 1

    async def _ask(self, what: str, repository: str) -> None:
        host = repository.partition("/")[0]
        self.asked.append(what)
        self.at_once[host] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[host])
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once[host] -= 1
        for one in (what, repository, host):
            if one in self.failures:
                raise self.failures[one]


_held_to_port: type[Registry] = FakeRegistry
