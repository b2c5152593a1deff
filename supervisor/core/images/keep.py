"""Which images stay on this host: what apps run, may run next, or can go back to.

What podvisor keeps has a name of podvisor's own in Podman's store. That name protects it from
`podman image prune` where it has no other, and says whose it is to remove.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from supervisor.core.images.reference import has_registry
from supervisor.core.images.rules import effective
from supervisor.core.images.stored import references
from supervisor.model.app import Deployment
from supervisor.model.image import StoredImage
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.settings import ImageSettings

KEPT = "localhost/podvisor/kept"
_TAG_LENGTH = 12
_LONGEST_NAME = 255


class ImageChores(msgspec.Struct, frozen=True, kw_only=True):
    """What to do in Podman's store, each in this order."""

    tag: dict[str, str] = {}
    """Name of podvisor's own to the version (`runs`) that gets it."""
    untag: tuple[str, ...] = ()
    """Names of podvisor's own that go; their images stay, as they were before."""
    remove: tuple[tuple[str, ...], ...] = ()
    """Images that go, each as all names that it has, podvisor's own first."""


def kept_name(runs: str) -> str:
    """Return podvisor's own name for a version of an image (`NAME@sha256:…`, or an id).

    Podman lists what has a tag by its tags alone, so this one says which image it is.
    """
    name, at, _ = runs.partition("@")
    path = name.partition("/")[2] if at and has_registry(name) else ""
    kept = f"{KEPT}/{path}" if path else KEPT
    kept = kept if len(kept) <= _LONGEST_NAME else KEPT
    return f"{kept}:{runs.rpartition(':')[2][:_TAG_LENGTH]}"


def versions_to_keep(
    rollouts: Sequence[Rollout], *, needed: Collection[str], keep: Callable[[str], int]
) -> frozenset[str]:
    """Return the versions of one app's images that it may run again.

    `rollouts` are as in the ledger; those of the releases that are `needed`, or that are on trial,
    are kept whatever came of them. Of those that were good, `keep` (of a question's key) tells how
    many.
    """
    kept = set[str]()
    good: dict[str, dict[str, None]] = {}
    for one in sorted(rollouts, key=lambda one: one.order, reverse=True):
        for pin in one.pins:
            if one.release in needed or not one.ended_at:
                kept.add(pin.runs)
            if one.outcome is Outcome.GOOD:
                good.setdefault(pin.question, {}).setdefault(pin.runs)
    for question, versions in good.items():
        kept.update(list(versions)[: max(0, keep(question))])
    return frozenset(kept)


def most_kept(deployment: Deployment | None, settings: ImageSettings) -> int:
    """Return how many versions stay of that image of an app of which the most do."""
    if deployment is None:
        return settings.keep
    rules = (unit.image_rule for unit in deployment.units)
    kept = (effective(rule, deployment.name, settings).keep for rule in rules if rule)
    return max(kept, default=settings.keep)


def chores(
    wanted: AbstractSet[str],
    images: Iterable[StoredImage],
    *,
    tried: AbstractSet[str],
    used: Collection[str],
) -> ImageChores:
    """Return what makes the store hold what is wanted, and no more of podvisor's than that.

    `wanted` are versions (`runs`), `tried` those that releases ran with, which are podvisor's as
    what has its name is; `images` all that the store holds, `used` the ids of those that containers
    were made of, or that units name: they stay. An image that has a name which is neither
    podvisor's own nor a digest loses no more than podvisor's own.
    """
    own = {kept_name(runs): runs for runs in wanted}
    tag = dict[str, str]()
    untag = list[str]()
    remove = list[tuple[str, ...]]()
    for one in images:
        called = references(one)
        runs_here = called & wanted
        tag |= {kept_name(runs): runs for runs in runs_here if kept_name(runs) not in one.names}
        kept = sorted(filter(_is_kept, one.names))
        gone = [name for name in kept if name not in own]
        others = [name for name in one.names if not _is_kept(name)]
        if runs_here or not others or not all("@" in name for name in others):
            untag += gone
        elif (kept or not called.isdisjoint(tried)) and one.id not in used:
            remove.append((*kept, *others))
    return ImageChores(tag=tag, untag=tuple(untag), remove=tuple(remove))


def _is_kept(name: str) -> bool:
    return name.startswith((f"{KEPT}:", f"{KEPT}/"))
