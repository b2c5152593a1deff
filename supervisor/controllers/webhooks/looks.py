"""Looks again at what a webhook told of, and of which nothing new came: it may tell too early.

Distribution tells of a manifest while it still writes what the tag stands for.
"""

from collections.abc import Iterable

import msgspec

_SECONDS = (1.0, 10.0)


class LooksAgain(msgspec.Struct):
    """Knows what is to be looked at again, by its name."""

    _looks: dict[str, int] = {}
    """What a webhook told of to the looks again since."""

    def told(self, names: Iterable[str]) -> None:
        """Take that a webhook told of these."""
        self._looks.update(dict.fromkeys(names, 0))

    def end(self, name: str) -> bool:
        """Look no more, as something came of it, or nobody asks; tells if a webhook had told."""
        return self._looks.pop(name, None) is not None

    def next_in(self, name: str) -> float:
        """Return in how many seconds to look again; 0 is not at all."""
        looks = self._looks.pop(name, len(_SECONDS))
        if looks == len(_SECONDS):
            return 0.0
        self._looks[name] = looks + 1
        return _SECONDS[looks]
