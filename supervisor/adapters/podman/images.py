"""Names of images in the user's own store: who is there, tagged, untagged, removed."""

from supervisor.adapters.podman.api import Api, ApiError, name_in_path

_CONFLICT = 409


async def tag_image(api: Api, image: str, name: str) -> None:
    """Give an image (by name or id) one more name, which another may have had; gone is well."""
    repository, _, tag = name.rpartition(":")
    await _told(api, f"/images/{name_in_path(image)}/tag", repo=repository, tag=tag)


async def untag_image(api: Api, name: str) -> None:
    """Take a name from its image, which stays even without any; gone is well."""
    repository, _, tag = name.rpartition(":")
    await _told(api, f"/images/{name_in_path(name)}/untag", repo=repository, tag=tag)


async def remove_image(api: Api, name: str) -> None:
    """Take a name from its image, and remove the image if it was the last; gone is well.

    What a container was made of keeps its last name.
    """
    try:
        await api.delete(f"/images/{name_in_path(name)}")
    except ApiError as error:
        if error.status != _CONFLICT:
            raise


async def _told(api: Api, path: str, **query: str) -> None:
    try:
        await api.post_bytes(path, b"", **query)
    except ApiError as error:
        if not error.is_not_found:
            raise


async def told_digests(api: Api, reference: str) -> tuple[str, ...]:
    """Ask by which digests an image may be asked for, its own last. Raises ApiError."""
    found = await api.inspect("images", reference) or {}
    own = f"@{found.get('Digest')}"
    # Podman has them in no order that means anything.
    return tuple(sorted(map(str, found.get("RepoDigests") or ()), key=lambda x: x.endswith(own)))
