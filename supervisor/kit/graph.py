"""What is reached from where."""

from collections.abc import Callable, Iterable


def reachable(start: Iterable[str], beyond: Callable[[str], Iterable[str]]) -> dict[str, None]:
    """Return `start` and all that is reached from it, each once, the nearest first."""
    found = dict.fromkeys(start)
    queue = list(found)
    for one in queue:  # grows
        new = dict.fromkeys(other for other in beyond(one) if other not in found)
        found |= new
        queue.extend(new)
    return found
