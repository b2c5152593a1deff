"""The machine that podvisor runs on."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from supervisor.model.health import Probe

T = TypeVar("T")


class Host(Protocol):
    """The machine as a whole."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """`resumed` after a suspend, `network` when there is a way out or another one."""

    async def port_holder(self, port: int, protocol: str) -> str:
        """Say in words who listens on a port (`tcp`, `udp`, or empty: either); empty if nobody."""

    async def free(self, folders: Collection[str]) -> dict[str, int]:
        """Bytes that are free for this user in these folders, 0 where no more files can be made.

        Of folders of one file system only the first is told of; one that cannot be asked is left
        out.
        """


class Prober(Protocol):
    """Makes podvisor's own checks."""

    async def probe(self, probe: Probe) -> str:
        """Return why the answer is not a good one, empty if it is; within the probe's time-out."""


class Aside(Protocol):
    """Where long work is done, so that the event loop turns meanwhile; `kit.threads` serves it.

    The work must not touch anything that changes while it is waited for.
    """

    async def __call__(self, work: Callable[[], T], *, items: int) -> T:
        """Return what `work` returns (or raises), which goes through so many files or units."""
        ...
