"""Runs what is asynchronous to its end: the daemon, and what works without one."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio

from supervisor.cli.daemon.client import Refused
from supervisor.model.errors import Failure

_T = TypeVar("_T")


def in_loop(function: Callable[[], Awaitable[_T]]) -> _T:
    """Run it on a uvloop. A failure of `model.errors` becomes `Refused`, which `app` says."""
    try:
        return anyio.run(function, backend_options={"use_uvloop": True})
    except Failure as failure:
        raise _refused(failure) from failure
    except BaseExceptionGroup as group:
        first = next(_failures(group), None)
        if first is None:
            raise
        raise _refused(first) from first


def _refused(failure: Failure) -> Refused:
    return Refused(str(failure), hint=failure.hint)


def _failures(group: BaseExceptionGroup[BaseException]) -> Iterator[Failure]:
    for one in group.exceptions:
        if isinstance(one, Failure):
            yield one
        elif isinstance(one, BaseExceptionGroup):
            yield from _failures(one)
