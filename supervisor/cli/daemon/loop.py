"""Runs what is asynchronous to its end: the daemon, and what works without one."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from supervisor.controllers.isolate import leaves
from supervisor.kit.failures import Failure

_T = TypeVar("_T")


def in_loop(function: Callable[[], Awaitable[_T]]) -> _T:
    """Run it on a uvloop. Of failures that come together raises the first; a defect as it is."""
    try:
        return anyio.run(function, backend_options={"use_uvloop": True})
    except BaseExceptionGroup as group:
        met = list(leaves(group))
        if all(isinstance(one, Failure) for one in met):
            raise met[0] from group
        raise
