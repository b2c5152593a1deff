"""By which names Podman fetches an image: those of its mirrors and of its registry.

containers-registries.conf(5); Podman itself has merged its files.
"""

from collections.abc import Sequence

from supervisor.model.podman import RegistryRule


def rule_of(repository: str, rules: Sequence[RegistryRule]) -> RegistryRule | None:
    """Return the rule that counts for images of a repository: that of the longest prefix."""
    return max(
        (one for one in rules if _matches(one.prefix, repository)),
        key=lambda one: len(one.prefix),
        default=None,
    )


def moved(repository: str, prefix: str, location: str) -> str:
    """Return what a repository is called where `location` stands for the prefix."""
    if not location:
        return repository
    if prefix.startswith("*."):
        return f"{location}/{repository.partition('/')[2]}"
    return location + repository[len(prefix) :]


def fetched_as(repository: str, rules: Sequence[RegistryRule]) -> tuple[str, ...]:
    """Return all names by which images of a repository may be fetched, the registry's own last."""
    rule = rule_of(repository, rules)
    if rule is None:
        return (repository,)
    locations = (*(mirror.location for mirror in rule.mirrors), rule.location)
    return tuple(dict.fromkeys(moved(repository, rule.prefix, one) for one in locations))


def _matches(prefix: str, repository: str) -> bool:
    if prefix.startswith("*."):
        return repository.partition("/")[0].endswith(prefix[1:])
    return f"{repository}/".startswith(f"{prefix}/")
