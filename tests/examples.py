"""How many examples a property takes."""

from hypothesis import settings

ALL = 100
"""What a property takes that says nothing else, in every profile but `third`."""


def scaled(number: int) -> int:
    """Give as many of them as the profile asks for: all, or a third."""
    return max(1, number * settings.default.max_examples // ALL)
