"""Run blocking or long work in a thread that ends with it.

A pool would keep its threads for the next time; here the next time may be days away.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_MANY = 50


async def aside(work: Callable[[], T], *, items: int) -> T:
    """Return what `work` returns (or raises), which goes through so many files or units.

    Little is done at once; much, which takes longer than the event loop may stand still, in a
    thread. So it must not touch anything that changes meanwhile.
    """
    return work() if items < _MANY else await in_thread(work)


async def in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns (or raises).

    A cancelled wait leaves the thread to end by itself and drops its result; being a daemon
    thread, it does not hold up the end of the program either.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def body() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  # it is raised again on the loop
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=body, name="podvisor-work", daemon=True).start()
    return await future
