"""What is reached from where, and what comes first."""

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


def needed_first(names: Iterable[str], needs: Callable[[str], Iterable[str]]) -> list[str]:
    """Return `names`, each after those of them that it needs; a circle begins where it is met."""
    left = dict.fromkeys(names)
    ordered: list[str] = []
    for name in [*left]:
        path = [name] if name in left else []
        while path:
            one = path[-1]
            left.pop(one, None)
            if new := next((need for need in needs(one) if need in left), ""):
                path.append(new)
            else:
                ordered.append(path.pop())
    return ordered
