"""What one app fails of is its own: do something for each, and keep apart what it fails for.

Used wherever the controllers go through apps: to judge, observe, plan, carry out and record.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from supervisor.model.errors import Failure, Retry, Stalled

log = logging.getLogger(__name__)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)
_R = TypeVar("_R")


def failure_of(error: Exception, *, doing: str) -> Failure:
    """Return the failure that an exception is: itself, or what a task group met.

    Of several the one counts that is tried again first: the others come again by it. Anything but
    the two is a defect: it is logged, with what was being done (`doing`), and tried again.
    """
    met = list(leaves(error))
    defects = [one for one in met if not isinstance(one, Retry | Stalled)]
    if defects:
        log.error("%s failed", doing, exc_info=error)
        return Retry(f"internal error: {defects[0]!r}")
    failures = (one for one in met if isinstance(one, Retry | Stalled))
    return min(failures, key=lambda one: isinstance(one, Stalled))


async def each(
    apps: Iterable[_N], do: Callable[[_N], Awaitable[_R]], *, doing: str
) -> tuple[dict[str, _R], dict[str, Failure]]:
    """Do something for each app; returns what came of it, and what it failed of, by name."""
    done: dict[str, _R] = {}
    failed: dict[str, Failure] = {}
    for one in apps:
        try:
            done[one.name] = await do(one)
        except Exception as error:  # noqa: BLE001  # whatever it is, the next app has its turn
            failed[one.name] = failure_of(error, doing=f"{doing} app {one.name}")
    return done, failed


def each_now(
    apps: Iterable[_N], do: Callable[[_N], _R], *, doing: str
) -> tuple[dict[str, _R], dict[str, Failure]]:
    """Do as `each` does, where nothing is waited for."""
    done: dict[str, _R] = {}
    failed: dict[str, Failure] = {}
    for one in apps:
        try:
            done[one.name] = do(one)
        except Exception as error:  # noqa: BLE001  # as above
            failed[one.name] = failure_of(error, doing=f"{doing} app {one.name}")
    return done, failed


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a task group met, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error
