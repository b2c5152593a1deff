"""Containers as Podman's API lists them."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from supervisor.adapters.podman.api import Api, ApiError, name_in_path
from supervisor.model.observed import Container

_SHORT_ID = 12
_HEALTH = ("starting", "healthy", "unhealthy")


def containers_of(found: Sequence[dict[str, Any]]) -> tuple[Container, ...]:
    """Read the answer to `/containers/json`."""
    return tuple(
        Container(
            id=str(one["Id"]),
            name=str((one.get("Names") or [""])[0]),
            unit=str((one.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", "")),
            state=str(one.get("State", "")),
            health=status if (status := str(one.get("Status") or "")) in _HEALTH else "",
            image=str(one.get("Image", "")),
            image_id=str(one.get("ImageID", "")),
            pod=str(one.get("PodName") or ""),
            networks=tuple(map(str, one.get("Networks") or ())),
        )
        for one in found
    )


async def volume_users(api: Api, volumes: Collection[str]) -> tuple[Container, ...]:
    """Ask for the running containers that use any of these volumes. Raises ApiError."""
    filters = json.dumps({"volume": sorted(volumes)})  # no filter at all for none
    return containers_of(await api.get("/containers/json", filters=filters)) if volumes else ()


async def set_interval(api: Api, container: str, seconds: float) -> None:
    """Have a running container's health check run at this interval. Raises ApiError."""
    body = {"health_interval": f"{round(seconds * 1000)}ms"}
    try:
        await api.post(f"/containers/{name_in_path(container)}/update", body)
    except ApiError as error:
        if not error.is_not_found:
            raise


async def remove_object(api: Api, kind: str, name: str, **query: str) -> None:
    """Remove what is called so; gone already is well. Raises ApiError."""
    # Podman takes the beginning of an id, or of a volume's name, for a name.
    found = await api.inspect(f"{kind}s", name)
    if found and is_meant(kind, name, found):
        identity = name_in_path(str(found.get("Id") or name))
        await api.delete(f"/{kind}s/{identity}", **query)


def is_meant(kind: str, asked: str, found: dict[str, Any]) -> bool:
    """Whether it is what was asked for: by its whole name, a container by its id as well."""
    if kind == "container" and len(asked) >= _SHORT_ID and found["Id"].startswith(asked):
        return True
    return asked in (found.get("name"), found.get("Name"))
