"""Ask mirrors and registries as Podman would."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

import anyio
import msgspec

from supervisor.adapters.registry.endpoints import Endpoint, places, whole_name
from supervisor.adapters.registry.listing import digest_of, list_tags, manifests_of
from supervisor.adapters.registry.memory import Memory
from supervisor.adapters.registry.push_times import pushed_at
from supervisor.adapters.registry.session import Round, Session
from supervisor.model.errors import Failure, Retry
from supervisor.model.image import TagDigest
from supervisor.model.podman import RegistryRule

_T = TypeVar("_T")
_QUESTION_SECONDS = 120.0
"""For one place, with all that it leads to: tokens, redirects, pages."""


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

    async def _first(
        self, image: str, find: Callable[[Session], Awaitable[_T]], *, login: str
    ) -> _T:
        """Return what the first of an image's mirrors tells, or its registry."""
        async with self._asking() as together:
            *mirrors, registry = (
                self._session(place, together, doing=f"cannot ask about {image}", login=login)
                for place in places(whole_name(image), await self._rules(together))
            )
            for mirror in mirrors:
                with suppress(Failure), _in_time(mirror):
                    return await find(mirror)
            with _in_time(registry):
                return await find(registry)

    async def tags(self, repository: str, *, authfile: str = "") -> Sequence[str]:
        """List the tags of `HOST/NAME`. Raises Retry or Stalled.

        Mirrors are not asked: what they do not have yet would be missing.
        """
        name, doing = whole_name(repository), f"cannot list the tags of {repository}"
        async with self._asking() as together:
            registry = places(name, await self._rules(together))[-1]
            session = self._session(registry, together, doing=doing, login=authfile)
            with _in_time(session):
                return await list_tags(session)

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


@contextmanager
def _in_time(session: Session) -> Iterator[None]:
    """Give a question an end. Raises Retry."""
    try:
        with anyio.fail_after(_QUESTION_SECONDS):
            yield
    except TimeoutError:
        raise Retry(
            f"{session.doing}: {session.endpoint.host}: no end after {_QUESTION_SECONDS:g} s"
        ) from None
