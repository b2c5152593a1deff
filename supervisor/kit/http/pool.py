"""Several questions over HTTP, on connections that are kept from one to the next.

A host has few connections, whatever comes at once: to set one up with TLS costs ten times what a
question on it does, and who is asked too much at once refuses.
"""

import math
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import h11
import msgspec

from supervisor.kit.http.connection import (
    Address,
    Answer,
    Connection,
    HttpError,
    TooLarge,
    Unreachable,
    address_of,
    request,
)
from supervisor.kit.http.proxies import Proxy, proxy_for

_AT_ONCE = 2
_MOST_HOSTS = 16
"""Redirects lead to as many as they like."""
_OK = 200
_LARGEST_REFUSAL = 1 << 20
_PATIENT = ("GET", "HEAD")
"""What does no harm when it is asked twice."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters; doubled ones with a comma between their values."""
    body: bytes
    is_public: bool
    """Whether it came from an address of the public Internet; not if a proxy brought it."""

    @property
    def content_type(self) -> str:
        """What the body is, in small letters, without parameters; empty if that is not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Wanted(NamedTuple):
    """How much is taken of an answer."""

    limit: int
    """Of a larger body, nothing is."""
    timeout_seconds: float
    """For all of it."""
    hear: Callable[[bytes], None] | None = None
    """Where the body of a 200 goes as it comes, instead of into the reply; what that raises ends
    the question. Of another status, a body of more than 1 MiB is left out."""


class _Way(NamedTuple):
    address: Address
    context: ssl.SSLContext | None
    proxy: Proxy | None


class _Host(msgspec.Struct):
    places: anyio.Semaphore = msgspec.field(default_factory=lambda: anyio.Semaphore(_AT_ONCE))
    idle: list[Connection] = []
    askers: int = 0
    failed_at: float = -math.inf
    failure: Unreachable | None = None

    async def close(self) -> None:
        while self.idle:
            await self.idle.pop().close()

    def fails(self, failure: Unreachable) -> None:
        self.failure, self.failed_at = _again(failure), anyio.current_time()


class Pool(msgspec.Struct):
    """Keeps connections until `close`, which whoever asks last has to call."""

    _hosts: dict[_Way, _Host] = {}
    """What was asked last comes last."""

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        context: ssl.SSLContext | None = None,
        wanted: Wanted,
        in_public: bool = False,
    ) -> Reply:
        """Ask, and return what is wanted of the answer, whatever its status.

        Redirects are not followed. A `body` goes with POST only; `context` says whom to trust
        instead of the machine's authorities. `in_public`: only where an address of the public
        Internet is connected to. The time for it begins when it is this question's turn. Raises
        HttpError, also for a body that is larger than what is wanted, and what `wanted.hear`
        raises. Who could not be reached while a question waited is not waited for once more.
        """
        address = address_of(url)
        way = _Way(address, context, proxy_for(address, os.environ))
        is_absolute = way.proxy is not None and not address.is_secure
        extra = way.proxy.headers if way.proxy and is_absolute else {}
        head = request(
            method, url, headers={**headers, **extra}, body=body, is_absolute=is_absolute
        )
        began = anyio.current_time()
        async with self._host(way) as host, host.places:
            if host.failure and host.failed_at >= began:
                raise _again(host.failure)
            try:
                with anyio.fail_after(wanted.timeout_seconds):
                    return await self._ask(way, host, head, body, wanted, in_public=in_public)
            except TimeoutError as error:
                failure = Unreachable(f"no end after {wanted.timeout_seconds:g} s")
                host.fails(failure)
                raise failure from error
            except Unreachable as error:
                host.fails(error)
                raise

    @asynccontextmanager
    async def _host(self, way: _Way) -> AsyncIterator[_Host]:
        """Keep what there is of a host while it is asked; of others, what there is room for."""
        host = self._hosts[way] = self._hosts.pop(way, _Host())
        host.askers += 1
        try:
            unused = [one for one, other in self._hosts.items() if not other.askers]
            over = max(0, len(self._hosts) - _MOST_HOSTS)
            for other in [self._hosts.pop(one) for one in unused[:over]]:
                await other.close()
            yield host
        finally:
            host.askers -= 1

    async def _ask(
        self,
        way: _Way,
        host: _Host,
        head: h11.Request,
        body: bytes,
        wanted: Wanted,
        *,
        in_public: bool,
    ) -> Reply:
        is_patient = head.method.decode() in _PATIENT
        kept = host.idle.pop() if host.idle and is_patient else None
        connection = kept or await _open(way)
        is_ready = False
        try:
            _admit(connection, way, in_public=in_public)
            try:
                answer = await connection.exchange(head, body)
            except HttpError:
                if kept is None:
                    raise
                # The other end had closed what was kept.
                await connection.close()
                connection = await _open(way)
                _admit(connection, way, in_public=in_public)
                answer = await connection.exchange(head, body)
            reply = Reply(
                status=answer.status,
                headers=answer.headers,
                body=await _body(answer, wanted),
                is_public=connection.is_public and not way.proxy,
            )
            is_ready = connection.is_ready_again()
        finally:
            if is_ready:
                host.idle.append(connection)
            else:
                await connection.close()
        return reply

    async def close(self) -> None:
        """Close what is kept; what is being asked goes on."""
        hosts, self._hosts = self._hosts, {}
        for host in hosts.values():
            await host.close()


def _again(failure: Unreachable) -> Unreachable:
    """Make another one that says the same, and holds nothing of where it was raised."""
    return type(failure)(str(failure))


async def _open(way: _Way) -> Connection:
    return await Connection.open(
        way.address,
        context=way.context,
        proxy=way.proxy.address if way.proxy else None,
        proxy_headers=way.proxy.headers if way.proxy else None,
    )


async def _body(answer: Answer, wanted: Wanted) -> bytes:
    if wanted.hear is None or answer.status == _OK:
        return await answer.read(limit=wanted.limit, hear=wanted.hear)
    try:
        return await answer.read(limit=min(wanted.limit, _LARGEST_REFUSAL))
    except TooLarge:
        return b""


def _admit(connection: Connection, way: _Way, *, in_public: bool) -> None:
    """Raise HttpError if the other end is not where it has to be; of a proxy, that is its own."""
    if in_public and not way.proxy and not connection.is_public:
        raise HttpError(f"{way.address.host} is an address of a private network")
