"""Run blocking or long work in a thread that ends with it.

A pool would keep its threads for the next time; here the next time may be days away.
"""

import asyncio
import contextlib
import threading
from collections import deque
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
    future, body = _told(work)
    _start(body)
    return await future


class Lane:
    """Does one work after the other, in a thread that is there as long as there is some.

    Hundreds that come at once do not make hundreds of threads. What a wait that was cancelled
    asked for is done all the same, before what comes after it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_busy = False

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns (or raises), once all that came before is done."""
        future, body = _told(work)
        with self._lock:
            if not self._is_busy:
                _start(self._go_on)
                self._is_busy = True
            self._waiting.append(body)
        return await future

    def _go_on(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_busy = False
                    return
                body = self._waiting.popleft()
            body()


def _start(body: Callable[[], None]) -> None:
    threading.Thread(target=body, name="podvisor-work", daemon=True).start()


def _told(work: Callable[[], T]) -> tuple[asyncio.Future[T], Callable[[], None]]:
    """Return what will have the result, and what brings it there from a thread."""
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

    return future, body
