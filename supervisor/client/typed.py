"""What both clients make of the model's types: requests to JSON, JSON to answers."""

import os
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from supervisor.client import wire
from supervisor.client.errors import ClientError
from supervisor.client.place import Place, control_socket, place_of
from supervisor.model.events import Event
from supervisor.model.status import AppStatus
from supervisor.model.wire import Problem

T = TypeVar("T")
R = TypeVar("R")
Told = Event | AppStatus
"""What is told while an order is carried out: what was done, and of apps what they wait for."""

WHAT_NOW = "what it began is finished when it starts again; ask for the status"


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what is told of an order."""

    event: Event | None = None
    waiting: AppStatus | None = None
    reply: msgspec.Raw = msgspec.Raw()
    problem: Problem | None = None


class Order(Generic[R]):
    """What has been told of an order."""

    def __init__(self, reply: type[R]) -> None:
        self._kind = reply
        self.reply: R | None = None

    def take(self, line: bytes) -> Told | None:
        """Read a line; None if it is the reply. Raises ApiError, or ClientError."""
        said = decoded(line, _Line)
        if said.problem:
            raise wire.problem(msgspec.to_builtins(said.problem))
        if said.reply:
            self.reply = decoded(said.reply, self._kind)
        return said.event or said.waiting


def placed(url: str | None, socket: str | os.PathLike[str] | None, token: str) -> Place:
    """Return where a client asks. Raises ValueError."""
    if url is None:
        return Place(socket=os.fspath(socket) if socket else control_socket())
    if socket:
        raise ValueError("either a URL or a socket")
    return place_of(url, token)


def request(place: Place, method: str, path: str, wish: msgspec.Struct | None) -> bytes:
    """Return a request; what is as usual is not said, so that an older podvisor may be asked."""
    said: dict[str, Any] = {}
    for field in msgspec.structs.fields(wish) if wish is not None else ():
        value = getattr(wish, field.name)
        if value != field.default:
            said[field.encode_name] = value
    if method == "GET":
        return wire.request(place, path, query=said)
    return wire.request(place, path, content=msgspec.json.encode(said))


def names(some: Iterable[str]) -> tuple[str, ...]:
    """Return names as requests have them. Raises TypeError for one that is no list of them."""
    if isinstance(some, str):
        raise TypeError(f"a list of names, not one: [{some!r}]")
    return tuple(some)


def decoded(content: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return an answer, or a line of one. Raises ClientError."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        hint = "are client and daemon of one version?"
        raise ClientError(f"cannot read what podvisor answers: {error}", hint) from error
