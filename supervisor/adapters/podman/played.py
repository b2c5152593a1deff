"""Containers that Podman plays from a `.kube` file, as its API tells of them. Used by `client`."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from supervisor.adapters.podman.api import Api
from supervisor.model.health import PlayedContainer

_LABEL = "PODMAN_SYSTEMD_UNIT"
_ENDED = frozenset({"exited", "stopped"})


async def played(api: Api, units: Collection[str]) -> tuple[PlayedContainer, ...]:
    """List the containers of these units, running or not. Raises ApiError.

    Only of those that have ended it takes another question why that is.
    """
    found = []
    filters = json.dumps({"label": [_LABEL]})
    for one in await api.get("/containers/json", all="true", filters=filters):
        unit = str((one.get("Labels") or {}).get(_LABEL, ""))
        if unit not in units:
            continue
        found_ended = await _ended(api, one) if one.get("State") in _ENDED else ("", False)
        if found_ended is not None:
            policy, out_of_memory = found_ended
            found.append(_played(one, unit, policy, out_of_memory=out_of_memory))
    return tuple(found)


async def _ended(api: Api, container: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return Podman's word for its restart policy, and whether it ended for want of memory.

    None if it was removed since it was listed.
    """
    if container.get("IsInfra"):
        return "always", False  # without it, the others of its pod are cut off
    found = await api.inspect("containers", str(container["Id"]))
    if found is None:
        return None
    policy = ((found.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name")
    return str(policy or "no"), bool((found.get("State") or {}).get("OOMKilled"))


def _played(
    one: Mapping[str, Any], unit: str, policy: str, *, out_of_memory: bool
) -> PlayedContainer:
    return PlayedContainer(
        id=str(one.get("Id", "")),
        name=str((one.get("Names") or [""])[0]),
        unit=unit,
        state=str(one.get("State", "")),
        started_at=max(0.0, float(one.get("StartedAt") or 0)),
        restarts=int(one.get("Restarts") or 0),
        ended_at=max(0.0, float(one.get("ExitedAt") or 0)),
        exit_code=int(one.get("ExitCode") or 0),
        restart_policy=policy,
        out_of_memory=out_of_memory,
    )
