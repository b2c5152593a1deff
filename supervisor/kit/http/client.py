"""One HTTP/1.1 exchange on a connection of its own: open, ask, read, close.

For several questions to one host there is `pool`. The other end is not trusted: heads, lines and
bodies have limits, and every wait has an end.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from supervisor.kit.http.connection import (
    Answer,
    Connection,
    HttpError,
    Unreachable,
    Untrusted,
    address_of,
    request,
    why,
)

__all__ = ("Answer", "HttpError", "Unreachable", "Untrusted", "ask", "why")


@asynccontextmanager
async def ask(
    method: str,
    url: str,
    *,
    unix: Path | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_seconds: float,
) -> AsyncIterator[Answer]:
    """Send a request and give the answer, whatever its status; redirects are not followed.

    A `body` goes with POST, PUT and PATCH only. `unix` is the socket to connect to instead of the
    URL's host. `timeout_seconds` (it may be infinite) is for all of it, what the caller does with
    the answer included. Raises HttpError.
    """
    address = address_of(url)
    head = request(method, url, headers={"Connection": "close", **(headers or {})}, body=body)
    with anyio.move_on_after(timeout_seconds) as scope:
        async with await Connection.open(address, unix=unix) as connection:
            yield await connection.exchange(head, body)
    if scope.cancelled_caught:
        raise HttpError(f"no end after {timeout_seconds:g} s")
