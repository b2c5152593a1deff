"""Time that passes at once, whenever all that runs on the loop waits for it.

Not for what waits for processes, threads or other machines: they do not know of it.
"""

from asyncio import SelectorEventLoop
from selectors import DefaultSelector, SelectorKey

_DIGITS = 6
"""Of a second: sums of fractions are as exact as a person reckons them."""
_STEP = 10**-_DIGITS


class _Selector(DefaultSelector):
    """Waits for files only when nothing else is to come; moves the clock in place of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(0)
        if timeout > 0 and not ready:
            then = self.now + timeout
            self.now = max(round(then, _DIGITS), self.now) if timeout >= _STEP else then
        return ready


class VirtualLoop(SelectorEventLoop):
    """A loop whose clock begins at nought."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


VIRTUAL_TIME = ("asyncio", {"loop_factory": VirtualLoop})
"""What the fixture `anyio_backend` gives where tests run in it."""
