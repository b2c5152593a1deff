"""Ask mirrors and registries as Podman would."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

import anyio
import msgspec

from supervisor.adapters.registry.artifacts import fetch_blob, manifest_of, referrers_of
from supervisor.adapters.registry.endpoints import Endpoint, places, whole_name
from supervisor.adapters.registry.listing import digest_of, list_tags, manifests_of
from supervisor.adapters.registry.memory import Memory
from supervisor.adapters.registry.push_times import pushed_at
from supervisor.adapters.registry.refusals import NotThere
from supervisor.adapters.registry.session import Round, Session
from supervisor.model.errors import Failure, Retry
from supervisor.model.image import TagDigest
from supervisor.model.podman import RegistryRule

_T = TypeVar("_T")
_QUESTION_SECONDS = 120.0
"""For one place, with all that it leads to: tokens, redirects, pages."""
_EXACTLY_SECONDS = 10.0
"""What takes less is told with a fraction."""


class Asking(msgspec.Struct, kw_only=True):
    """Shares connections and logins among questions that come together, tokens among all."""

    rules: Callable[[], Awaitable[Sequence[RegistryRule]]]
    """What this machine says of registries, as Podman has merged it; raises Retry."""
    _memory: Memory = msgspec.field(default_factory=Memory)
    _round: Round | None = None

    async def digest(self, image: str, *, authfile: str = "") -> TagDigest:
        """Ask what `HOST/NAME:TAG` stands for, or whether there is a `HOST/NAME@sha256:…`.

        Mirrors are asked first. Raises Retry or Stalled.
        """
        name = whole_name(image)

        async def find(session: Session) -> TagDigest:
            if name.digest:
                return await digest_of(session, name.digest)
            found = await digest_of(session, name.tag)
            at = await pushed_at(session, name.tag, found.digest)
            return msgspec.structs.replace(found, pushed_at=at)

        return await self._first(image, find, login=authfile)

    async def manifests(self, image: str, *, authfile: str = "") -> tuple[str, ...]:
        """Return the digests of what the index `HOST/NAME@sha256:…` has for each platform.

        Mirrors are asked first. Raises Retry or Stalled.
        """
        index = whole_name(image).digest
        return await self._first(image, lambda one: manifests_of(one, index), login=authfile)

    async def tags(self, repository: str, *, authfile: str = "") -> Sequence[str]:
        """List the tags of `HOST/NAME`. Raises Retry or Stalled.

        Mirrors are not asked: what they do not have yet would be missing.
        """
        name, doing = whole_name(repository), f"cannot list the tags of {repository}"
        async with self._asking() as together:
            registry = places(name, await self._rules(together))[-1]
            session = self._session(registry, together, doing=doing, login=authfile)
            with _in_time(session, _QUESTION_SECONDS):
                return await list_tags(session)

    async def manifest(self, image: str) -> bytes:
        """Return the manifest of `HOST/NAME@sha256:…` or `HOST/NAME:TAG`; empty if there is none.

        Raises Retry or Stalled.
        """
        name = whole_name(image)
        version = name.digest or name.tag
        try:
            return await self._first(image, lambda one: manifest_of(one, version), doing="fetch")
        except NotThere:
            return b""

    async def referrers(self, image: str) -> bytes:
        """Return the index of what refers to `HOST/NAME@sha256:…`; empty if nothing does.

        Raises Retry or Stalled.
        """
        digest = whole_name(image).digest
        try:
            return await self._first(image, lambda one: referrers_of(one, digest), doing="fetch")
        except NotThere:
            return b""

    async def blob(self, image: str, *, size: int, path: str, timeout_seconds: float) -> None:
        """Put the blob `HOST/NAME@sha256:…`, of so many bytes, into a file.

        Raises Retry or Stalled.
        """
        name = whole_name(image)

        def fetch(session: Session) -> Awaitable[None]:
            return fetch_blob(
                session, name.digest, size=size, path=path, timeout_seconds=timeout_seconds
            )

        await self._first(image, fetch, doing="fetch", seconds=timeout_seconds)

    def end_rests(self) -> None:
        """Ask also those that wanted to be let alone for a while."""
        self._memory.end_rests()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Share what is open among what is asked in this block."""
        async with self._asking():
            yield

    async def _first(
        self,
        image: str,
        find: Callable[[Session], Awaitable[_T]],
        *,
        login: str = "",
        doing: str = "ask about",
        seconds: float = 0.0,
    ) -> _T:
        """Return what the first of an image's mirrors tells, or its registry.

        They share so many seconds; 0 is that each has as many as usual. A mirror that let its time
        go by is not asked again in the same round.
        """
        async with self._asking() as together:
            until = anyio.current_time() + seconds if seconds else math.inf
            *mirrors, registry = (
                self._session(place, together, doing=f"cannot {doing} {image}", login=login)
                for place in places(whole_name(image), await self._rules(together))
            )
            mirrors = [one for one in mirrors if one.endpoint not in together.slow]
            for after, mirror in zip(range(len(mirrors), 0, -1), mirrors, strict=True):
                share = _share(until, after + 1)
                end = anyio.current_time() + share
                with suppress(Failure), _in_time(mirror, share):
                    return await find(mirror)
                if anyio.current_time() >= end:
                    together.slow.add(mirror.endpoint)
            with _in_time(registry, _share(until, 1)):
                return await find(registry)

    async def _rules(self, together: Round) -> Sequence[RegistryRule]:
        async with together.reading:
            if together.rules is None:
                together.rules = await self.rules()
            return together.rules

    def _session(self, place: Endpoint, together: Round, *, doing: str, login: str) -> Session:
        return Session(
            endpoint=place, doing=doing, authfile=login, round=together, memory=self._memory
        )

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Round]:
        """Share what is open with all who ask at the same time; the last one closes it."""
        together = self._round = self._round or Round()
        together.askers += 1
        try:
            yield together
        finally:
            together.askers -= 1
            if not together.askers:
                self._round = None
                with anyio.CancelScope(shield=True):
                    await together.pool.close()


def _share(until: float, places: int) -> float:
    """Return how many seconds the first of several places has, if there is an end to them all."""
    if math.isinf(until):
        return _QUESTION_SECONDS
    return max(0.0, until - anyio.current_time()) / places


@contextmanager
def _in_time(session: Session, seconds: float) -> Iterator[None]:
    """Give a question an end. Raises Retry."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        # It may be what was left of a longer time.
        waited = f"{seconds:.2g}" if seconds < _EXACTLY_SECONDS else f"{seconds:.0f}"
        raise Retry(f"{session.doing}: {session.endpoint.host}: no end after {waited} s") from None
