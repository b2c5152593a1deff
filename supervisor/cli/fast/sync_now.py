"""What `podvisor sync` does, without click: hooks and scripts wait for it.

`__main__` comes here straight for the plain form of the command, `sync` for all others.
"""

from collections.abc import Sequence

from supervisor.cli.fast.follow import follow
from supervisor.cli.guard import guarded


def quick(arguments: Sequence[str]) -> int | None:
    """Do it for `[APP]... [--json]`; None for anything else, which is for click to judge."""
    apps = [text for text in arguments if text != "--json"]
    if any(app.startswith("-") or not app for app in apps):
        return None
    return guarded(lambda: sync(apps, prune_all=False, as_json="--json" in arguments))


def sync(apps: Sequence[str], *, prune_all: bool, as_json: bool) -> int:
    """Have the sources read, these apps (all, if empty) brought to them; returns the exit code."""
    body = {"apps": apps, "prune_all": prune_all}
    return follow("/v1/sync", body, apps=apps, as_json=as_json)
