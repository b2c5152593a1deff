"""Image references, in the words of Podman's stores: `docker.io/library/nginx:latest`."""

_DEFAULT_REGISTRY = "docker.io/"


def name_and_tag(reference: str) -> tuple[str, str]:
    """Return repository and tag of a reference; no tag where a digest says which."""
    repository, at, _ = reference.partition("@")
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        return head, "" if at else tag
    return repository, "" if at else "latest"


def has_registry(repository: str) -> bool:
    """Whether it says of which registry it is; a short name may be of any."""
    first, slash, _ = repository.partition("/")
    return bool(slash) and (bool(set(".:") & set(first)) or first == "localhost")


def full_name(repository: str) -> str:
    """Write Docker Hub's official images as Podman stores them."""
    rest = repository.removeprefix(_DEFAULT_REGISTRY)
    if rest != repository and "/" not in rest:
        return f"{_DEFAULT_REGISTRY}library/{rest}"
    return repository


def built_name(tag: str) -> str:
    """Return the whole name of an image that is built with this tag: Podman's own registry, latest.

    Empty for none, or for one that only systemd knows.
    """
    if not tag or set("$%") & set(tag):
        return ""
    name = tag if has_registry(tag) else f"localhost/{tag}"
    return f"{name}:latest" if name_and_tag(tag) == (tag, "latest") else name


def stored_name(reference: str) -> str:
    """Return the name that an image of this reference has in a store.

    Empty if only Podman can tell, as for a short name or a digest.
    """
    repository, tag = name_and_tag(reference)
    return f"{full_name(repository)}:{tag}" if tag and has_registry(repository) else ""
