"""How much each registry is asked: so many at once, so many a minute, and not while it is down.

Moments are of the event loop's clock: one that is set changes nothing.
"""

import math
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import anyio
import msgspec

from supervisor.kit import backoff
from supervisor.kit.rates import TokenBuckets
from supervisor.kit.texts import format_duration
from supervisor.model.errors import Retry, Stalled

_AT_ONCE = 3
_PER_MINUTE = 120
_ROOM_AGAIN_SECONDS = 20.0
"""A round that is larger than what may be asked goes on when there is room for many."""


class LetAlone(Retry):
    """It was not asked: the registry is let alone for now."""


class _Host(msgspec.Struct):
    failing: set[str] = set()
    """Repositories that it failed for, since it answered anything."""
    failures: int = 0
    """In a row, of more than one of them; those that were met at the same time count once."""
    failed_at: float = -math.inf
    until: float = -math.inf
    """When it may be asked again."""
    said_so: bool = False
    """Whether that is the registry's own word; else podvisor's guess."""
    why: str = ""
    slots: dict[bool, anyio.CapacityLimiter] = msgspec.field(
        default_factory=lambda: {
            hurried: anyio.CapacityLimiter(_AT_ONCE) for hurried in (False, True)
        }
    )
    """What somebody waits for does not stand in line with a whole round."""


class Hosts(msgspec.Struct, kw_only=True):
    """What is known of the registries, by host."""

    _hosts: dict[str, _Host] = {}
    _buckets: TokenBuckets = msgspec.field(
        default_factory=lambda: TokenBuckets(per_minute=_PER_MINUTE)
    )

    def book(self, name: str, repository: str, *, hurried: bool) -> float:
        """Book one question, or return the seconds until there may be room for it.

        Raises LetAlone while the registry is not to be asked.
        """
        _check(self._host(name), name, repository, hurried=hurried)
        now = anyio.current_time()
        left = self._buckets.left(name, now=now)
        if left < 1:
            return (1 - left) * 60 / _PER_MINUTE if hurried else _ROOM_AGAIN_SECONDS
        self._buckets.take(name, now=now)
        return 0.0

    @asynccontextmanager
    async def turn(self, name: str, repository: str, *, hurried: bool) -> AsyncIterator[None]:
        """Ask a registry within. Raises LetAlone if it came to be while the turn was waited for.

        What podvisor guessed does not keep those who hurry: somebody told of something new there.
        """
        host = self._host(name)
        async with host.slots[hurried]:
            _check(host, name, repository, hurried=hurried)
            began = anyio.current_time()
            try:
                yield
            except Retry as failure:
                _failed(host, repository, failure, began=began)
                raise
            except Stalled:
                _answered(host, began=began)
                raise
            _answered(host, began=began)

    def network_changed(self) -> None:
        """Ask again those that are let alone by a guess: they may be reached now."""
        for host in self._hosts.values():
            if not host.said_so:
                _answered(host, began=math.inf)

    def insist(self, name: str) -> str:
        """Ask a registry that wants to be let alone, as a person says; returns what it wants.

        That is empty if it wants nothing. Once it says so again, it is let alone again.
        """
        host = self._host(name)
        left = host.until - anyio.current_time()
        if left <= 0 or not host.said_so:
            return ""
        _answered(host, began=math.inf)
        return f"it wants to be let alone for {_roughly(left)}: {host.why}"

    def _host(self, name: str) -> _Host:
        return self._hosts.setdefault(name, _Host())

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all others."""
        self._hosts = {name: one for name, one in self._hosts.items() if name in names}


def _check(host: _Host, name: str, repository: str, *, hurried: bool) -> None:
    left = host.until - anyio.current_time()
    if left <= 0 or (hurried and not host.said_so):
        return
    again = f"{name} is asked again in {_roughly(left)}"
    if not host.said_so:
        raise LetAlone(f"{again}: {host.why}", after_seconds=left)
    raise LetAlone(
        f"{again}, as it wants to be let alone: {host.why}",
        hint=f"podvisor update {repository} --now asks at once",
        after_seconds=left,
    )


def _roughly(seconds: float) -> str:
    return format_duration(max(1, round(seconds)))


def _without_image(failure: Retry) -> str:
    """Return what a registry failed of: what it was asked about is no concern of the others."""
    doing, _, why = str(failure).partition(": ")
    return why if why and doing.startswith("cannot ") else str(failure)


def _failed(host: _Host, repository: str, failure: Retry, *, began: float) -> None:
    """Let it alone, if it says so, or if it is more than a repository's own trouble."""
    now = anyio.current_time()
    host.failing.add(repository)
    host.why = _without_image(failure)
    if failure.after_seconds:
        host.until, host.said_so, host.failed_at = now + failure.after_seconds, True, now
    elif len(host.failing) > 1 and began >= host.failed_at:
        host.failures += 1
        host.failed_at = now
        wait = backoff.delay(backoff.CHECK_SECONDS, host.failures)
        host.until, host.said_so = max(host.until, now + wait), host.said_so and now < host.until


def _answered(host: _Host, *, began: float) -> None:
    """Ask it again as ever, unless it failed since this was asked."""
    if began < host.failed_at:
        return
    host.failing.clear()
    host.failures, host.until, host.said_so = 0, -math.inf, False
