"""Asks the daemon over its control socket: `supervisor.client`, without its types.

It is plain JSON, since decoding it into the model's structs would cost a short command more than
all the rest.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from supervisor.client import wire
from supervisor.client.errors import ClientError, Unreachable
from supervisor.client.exchange import Exchange
from supervisor.client.place import Place, control_socket
from supervisor.kit.failures import Failure


class NotRunning(Exception):
    """Nobody listens on the control socket."""


class Refused(Failure):
    """The daemon answered with an error, or a command refuses what is asked; `hint` helps."""


def ask(
    target: str,
    *,
    query: Mapping[str, object] | None = None,
    body: object = None,
    timeout_seconds: float | None = None,
) -> bytes:
    """Return the whole reply. Raises NotRunning or Refused."""
    with _told(), _exchange(target, query, body, timeout_seconds) as exchange:
        return exchange.read()


def stream(
    target: str, *, query: Mapping[str, object] | None = None, body: object = None
) -> Iterator[Any]:
    """Yield each line of the reply, decoded, as it comes. Raises NotRunning or Refused."""
    with _told(), _exchange(target, query, body) as exchange:
        for line in exchange.lines():
            yield json.loads(line)


def _exchange(
    target: str,
    query: Mapping[str, object] | None,
    body: object,
    timeout_seconds: float | None = None,
) -> Exchange:
    """Send a request; what is empty in a query is not said."""
    place = Place(socket=control_socket())
    said = {name: value for name, value in (query or {}).items() if value}
    content = None if body is None else json.dumps(body).encode()
    request = wire.request(place, target, query=said, content=content)
    return Exchange(place, request, timeout_seconds=timeout_seconds)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Unreachable as error:
        raise NotRunning from error
    except ClientError as error:
        raise Refused(str(error), error.hint) from error


def refused(problem: Mapping[str, Any]) -> Refused:
    """Return what problem details (`model.wire.Problem`) say as an error."""
    return Refused(str(problem["detail"]), hint=str(problem.get("hint") or ""))
