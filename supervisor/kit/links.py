"""Where symbolic links lead, worked out from their texts alone."""

from collections.abc import Mapping

_MAX_LINKS = 40


def resolve(path: str, links: Mapping[str, str]) -> str | None:
    """Return the path that `path` stands for within a tree; None if it leaves the tree.

    `links` maps the tree's links to their targets. Names that the tree does not hold count as
    plain ones; a loop, or a chain longer than the kernel follows, counts as leaving.
    """
    pending = path.split("/")[::-1]
    done: list[str] = []
    followed = 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                return None
            done.pop()
            continue
        done.append(part)
        target = links.get("/".join(done))
        if target is None:
            continue
        followed += 1
        if target.startswith("/") or followed > _MAX_LINKS:
            return None
        done.pop()
        pending.extend(target.split("/")[::-1])
    return "/".join(done)
