"""How often something may happen, counted for many keys in a table that cannot grow.

Time is that of the event loop: a clock that is set back or forward changes nothing.
"""

from collections import OrderedDict


class TokenBuckets:
    """To each key so many a minute, of which all may come at once."""

    def __init__(self, *, per_minute: int, most_keys: int = 1_024) -> None:
        self.per_minute = per_minute
        self._most_keys = most_keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was left then; the key that was used last stands last."""

    def left(self, key: str, *, now: float) -> float:
        """How much a key may still do."""
        left, then = self._left.get(key, (float(self.per_minute), now))
        return min(float(self.per_minute), left + (now - then) * self.per_minute / 60)

    def take(self, key: str, *, now: float) -> None:
        """Count one; of too many keys, the one that was longest at rest begins anew."""
        self._left[key] = (max(0.0, self.left(key, now=now) - 1), now)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)


class Throttle:
    """Lets each key through once in a while."""

    def __init__(self, *, seconds: float, most_keys: int = 256) -> None:
        self._seconds = seconds
        self._most_keys = most_keys
        self._last: OrderedDict[str, float] = OrderedDict()

    def passes(self, key: str, *, now: float) -> bool:
        """Whether it is time again for this key; if so, it counts as done."""
        then = self._last.get(key)
        if then is not None and now < then + self._seconds:
            return False
        self._last[key] = now
        self._last.move_to_end(key)
        if len(self._last) > self._most_keys:
            self._last.popitem(last=False)
        return True


class SeenSet:
    """Remembers the newest of many things."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def has(self, one: bytes) -> bool:
        """Whether it was seen before."""
        return one in self._seen

    def saw(self, one: bytes) -> bool:
        """Whether it was seen before; it is from now on."""
        known = one in self._seen
        self._seen[one] = None
        self._seen.move_to_end(one)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return known
