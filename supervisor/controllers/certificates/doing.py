"""What is being done about certificates at this moment, and why nothing is; in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from supervisor.kit.clock import Clock


class _Work(NamedTuple):
    what: str
    since: float


class Doing(msgspec.Struct, kw_only=True):
    """Knows it by the certificates' names."""

    clock: Clock
    waits_for: dict[str, str] = {}
    """Why nothing was done at the last look."""
    _now: dict[str, _Work] = {}

    @contextmanager
    def during(self, name: str, what: str) -> Iterator[None]:
        """Say this of it within."""
        self.goes_on(name, what)
        try:
            yield
        finally:
            del self._now[name]

    def goes_on(self, name: str, what: str) -> None:
        """Say this of it from now on, until what was said ends."""
        self._now[name] = _Work(what, self.clock.now())

    def words(self, name: str) -> str:
        """Say what is being done, if anything is."""
        return self._now[name].what if name in self._now else ""

    def since(self, name: str) -> float:
        """When that began; 0 if nothing is done."""
        return self._now[name].since if name in self._now else 0.0
