"""What the daemon answers; where none runs, the same is worked out here."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, ask

_T = TypeVar("_T")


def answer(
    target: str, body: object, kind: type[_T], *, without: Callable[[], Awaitable[_T]]
) -> _T:
    """Ask, and decode the answer; `without` a daemon makes the same. Raises Refused."""
    import msgspec

    try:
        return msgspec.json.decode(ask(places.control_socket(), target, body=body), type=kind)
    except NotRunning:
        pass
    from supervisor.cli.daemon.loop import in_loop

    return in_loop(without)
