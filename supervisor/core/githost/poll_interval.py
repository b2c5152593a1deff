"""How often a source is polled: seldom while webhooks tell of what is pushed.

Moments are of a clock that only goes forward: nothing here can be misled by one that is set.
"""

import enum
import math

import msgspec

SLOWER = 12
SLOWEST_SECONDS = 3_600.0
GRACE_SECONDS = 60.0
"""A poll may come between a push and its webhook; one that comes so soon after was only slower."""


class _Told(enum.IntEnum):
    NOTHING = 0
    AGAIN = 1
    """Only by webhooks that had been there before: whoever has recorded one can send it again."""
    NEWS = 2


class Trust(msgspec.Struct):
    """Whether the webhooks of a source are relied on: by what they told, and what reading found."""

    works: bool = False
    """A webhook told of the newest change that was found."""
    _missed_at: float = -math.inf
    """When a poll found a change of which none had told, while they were relied on."""
    _told: _Told = _Told.NOTHING
    """Since a read began; what was told before that, and not found yet, in `_to_find`."""
    _to_find: _Told = _Told.NOTHING
    _listened: bool = False
    """Whatever was sent since the source was last read has been heard."""

    def hear(self, *, is_new: bool, now: float) -> None:
        """Take a webhook that told of a push; `is_new` unless it had been there before."""
        self._told = max(self._told, _Told.NEWS if is_new else _Told.AGAIN)
        if is_new and now - self._missed_at <= GRACE_SECONDS:
            self.works = True

    def stop_listening(self) -> None:
        """Say that webhooks may be sent now that are not heard."""
        self._listened = False

    def begin_read(self) -> None:
        """Say that the source is about to be read."""
        self._to_find, self._told = max(self._to_find, self._told), _Told.NOTHING

    def end_read(self, *, changed: bool, listening: bool, now: float) -> bool:
        """Say that it was read without an error; returns whether `works` is another now.

        `changed`: it says something new. `listening`: what is sent from now on is heard.
        """
        before, told = self.works, max(self._to_find, self._told)  # before it was read, or while
        if changed and told is _Told.NEWS:
            self.works = True
        elif changed and told is _Told.NOTHING and self.works and self._listened:
            self.works, self._missed_at = False, now
        self._to_find, self._listened = _Told.NOTHING, listening
        return self.works is not before

    def poll_seconds(self, poll: float, *, listening: bool) -> float:
        """How often to ask, where the settings say `poll`; 0 is never."""
        if not poll or not self.works or not listening:
            return poll
        return max(poll, min(poll * SLOWER, SLOWEST_SECONDS))
