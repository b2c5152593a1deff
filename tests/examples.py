"""How many examples a property takes."""

from hypothesis import settings

ALL = 100
"""What a property takes that says nothing else, in every profile but `tenth`."""

FEWEST = 5
"""The first ones are the simplest: fewer than these show little."""


def scaled(number: int) -> int:
    """Give as many of them as the profile asks for: all, or a tenth."""
    return min(number, max(FEWEST, number * settings.default.max_examples // ALL))
