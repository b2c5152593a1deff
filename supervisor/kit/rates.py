"""How often something may happen, counted for many keys in a table that cannot grow.

Time is that of the event loop: a clock that is set back or forward changes nothing.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Newest(OrderedDict[K, V]):
    """So many entries at most: those that were set last, the last of them at the end."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class TokenBuckets:
    """To each key so many a minute, of which all may come at once."""

    def __init__(self, *, per_minute: int, most_keys: int = 1_024) -> None:
        self.per_minute = per_minute
        self._left = _Newest[str, tuple[float, float]](most_keys)
        """What was left then."""

    def left(self, key: str, *, now: float) -> float:
        """How much a key may still do."""
        left, then = self._left.get(key, (float(self.per_minute), now))
        return min(float(self.per_minute), left + (now - then) * self.per_minute / 60)

    def take(self, key: str, *, now: float) -> None:
        """Count one; of too many keys, the one that was longest at rest begins anew."""
        self._left[key] = (max(0.0, self.left(key, now=now) - 1), now)


class Throttle:
    """Lets each key through once in a while."""

    def __init__(self, *, seconds: float, most_keys: int = 256) -> None:
        self._seconds = seconds
        self._last = _Newest[str, float](most_keys)

    def passes(self, key: str, *, now: float) -> bool:
        """Whether it is time again for this key; if so, it counts as done."""
        then = self._last.get(key)
        if then is not None and now < then + self._seconds:
            return False
        self._last[key] = now
        return True


class SeenSet(Generic[K]):
    """Remembers the newest of many things."""

    def __init__(self, *, most: int) -> None:
        self._seen = _Newest[K, None](most)

    def has(self, one: K) -> bool:
        """Whether it was seen before."""
        return one in self._seen

    def saw(self, one: K) -> bool:
        """Whether it was seen before; it is from now on."""
        known = one in self._seen
        self._seen[one] = None
        return known
