"""Keys: what a pass is about. Every kind of them, and how one is written.

The queue holds each key once; its kind says which reconciler it is for (`controllers.reconcilers`).
"""

import enum
from collections.abc import Iterable


class Kind(enum.StrEnum):
    """What a key is about. Those that are alone of their kind are a key themselves."""

    SOURCE = "source"
    APP = "app"
    ALL_APPS = "all-apps"
    CHANGED_APPS = "changed-apps"
    IMAGE = "image"
    KEPT_IMAGES = "kept-images"
    IMAGE_CHECK = "image-check"
    CERTIFICATE = "certificate"
    GC_ROOTS = "gc-roots"
    COMMIT_STATUS = "commit-status"
    WRITEBACK = "writeback"
    PULL_REQUEST = "pull-request"
    NOTIFY = "notify"
    HEALTH = "health"
    PROBES = "probes"
    WEBHOOKS = "webhooks"
    DISK = "disk"
    RESYNC = "resync"
    WATCHDOG = "watchdog"
    MEMORY = "memory"

    def key(self, name: str) -> str:
        """Return the key of one of its kind: `app:web`."""
        return f"{self}:{name}"

    def keys(self, names: Iterable[str]) -> list[str]:
        """Return the keys of some of its kind."""
        return [f"{self}:{name}" for name in names]


def parse(key: str) -> tuple[Kind, str]:
    """Return a key's kind, and the name of what it is about; that is empty for one of no others."""
    kind, _, name = key.partition(":")
    return Kind(kind), name


def title(key: str) -> str:
    """Return what people call it: `source home`, `app web`."""
    return key.replace(":", " ", 1)
