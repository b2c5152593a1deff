"""Podman's secrets: which there are, and making and removing those that are podvisor's.

A label says that one is. What lacks it is never replaced or removed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from supervisor.adapters.podman.api import Api, ApiError
from supervisor.model.errors import Stalled
from supervisor.model.secret import (
    APP_LABEL,
    CERTIFICATE_LABEL,
    CONTENT_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    OwnedSecret,
)

_SPARE = ".podvisor-spare"
"""Ends the name of what holds a secret's new value while there is none of its own name."""


class SecretsThere(msgspec.Struct, frozen=True):
    """What Podman has."""

    identities: dict[str, str]
    """Name to what tells its content from another."""
    owned: dict[str, OwnedSecret]


def secrets_there(found: Sequence[dict[str, Any]]) -> SecretsThere:
    """Read Podman's list. Raises KeyError if it is not as expected."""
    identities: dict[str, str] = {}
    owned: dict[str, OwnedSecret] = {}
    for one in found:
        name, labels = str(one["Spec"]["Name"]), one["Spec"].get("Labels") or {}
        if name.endswith(_SPARE):
            continue
        identities[name] = str(one["ID"])
        if app := str(labels.get(APP_LABEL, "")):
            content = str(labels.get(CONTENT_LABEL, ""))
            certificate = str(labels.get(CERTIFICATE_LABEL, ""))
            owned[name] = OwnedSecret(
                app=app,
                certificate=certificate,
                made_of=str(labels.get(MADE_OF_LABEL, "")),
                content=content,
                stays=labels.get(REMOVAL_LABEL) == "never",
            )
            # Whoever uses a certificate takes up another one by its version.
            told = f"certificate {certificate}" if certificate else content
            identities[name] = told or identities[name]
    return SecretsThere(identities, owned)


async def put_secret(api: Api, name: str, content: bytes, labels: Mapping[str, str]) -> None:
    """Make or replace one. Raises ApiError, or Stalled if it is not podvisor's."""
    there = await _find(api, name)
    if there and APP_LABEL not in (there["Spec"].get("Labels") or {}):
        raise Stalled(
            f"cannot make secret {name}: Podman has one that is not podvisor's",
            hint=f"podman secret rm {name}, if it may be replaced",
        )
    query = {"labels": json.dumps(dict(labels), sort_keys=True)}
    try:
        more = {"replace": "true"} if there else {}
        await api.post_bytes("/secrets/create", content, name=name, **query, **more)
    except ApiError as error:
        if there is None or "in use" not in str(error):
            raise
        # A Podman that cannot replace over its API. What nobody could make again must not be lost
        # between the two calls.
        await _remove(api, name + _SPARE)
        await api.post_bytes("/secrets/create", content, name=name + _SPARE, **query)
        await api.delete(f"/secrets/{there['ID']}")
        await api.post_bytes("/secrets/create", content, name=name, **query)
        there = None
    if there is None:
        await _remove(api, name + _SPARE)


async def read_secret(api: Api, name: str) -> dict[str, Any] | None:
    """Return what Podman tells of a secret, with its value; or of what was to take its place."""
    return await _find(api, name, showsecret="true") or await _find(
        api, name + _SPARE, showsecret="true"
    )


async def remove_secret(api: Api, name: str) -> None:
    """Remove one that is podvisor's. Raises ApiError."""
    await _remove(api, name)
    await _remove(api, name + _SPARE)


async def _remove(api: Api, name: str) -> None:
    there = await _find(api, name)
    if there and APP_LABEL in (there["Spec"].get("Labels") or {}):
        await api.delete(f"/secrets/{there['ID']}")


async def _find(api: Api, name: str, **query: str) -> dict[str, Any] | None:
    """Return what Podman tells of the secret of this very name."""
    found: dict[str, Any] | None = await api.inspect("secrets", name, **query)
    # Podman takes the beginning of an id for a name.
    return found if found and found["Spec"]["Name"] == name else None
