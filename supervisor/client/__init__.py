"""Asks podvisor: over its control socket, or over HTTP where its page is reached.

`Client` waits for each answer, `AsyncClient` lets others work meanwhile. Their methods follow from
the table of endpoints (docs/reference/client.md). Answers are the structs of `supervisor.model`;
what went wrong is a `ClientError`.

What the command line needs of it (`exchange`) is plain: neither the types nor msgspec are loaded
before one of the clients is.
"""

from typing import TYPE_CHECKING

from supervisor.client.errors import ApiError, ClientError, Disconnected, TimedOut, Unreachable

if TYPE_CHECKING:
    from supervisor.client.async_client import AsyncClient
    from supervisor.client.async_streams import AsyncProgress, AsyncStream
    from supervisor.client.client import Client
    from supervisor.client.streams import Progress, Stream

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncProgress",
    "AsyncStream",
    "Client",
    "ClientError",
    "Disconnected",
    "Progress",
    "Stream",
    "TimedOut",
    "Unreachable",
]


_LATER = {
    "AsyncClient": "async_client",
    "AsyncProgress": "async_streams",
    "AsyncStream": "async_streams",
    "Client": "client",
    "Progress": "streams",
    "Stream": "streams",
}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415  # the command line never comes here

    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
