"""Read the secrets that the settings refer to. The `Secrets` port.

What is read is never logged, kept or put into a message.
"""

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from supervisor.kit.credentials import credential_path, how_to_load
from supervisor.model.errors import Stalled
from supervisor.model.setting_types import SecretRef

_LARGEST = 64 << 10
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretReader(msgspec.Struct):
    """Reads from files, from systemd's credentials, and with `podman_secret` from Podman."""

    podman_secret: Callable[[str], Awaitable[bytes | None]]

    async def read(self, reference: SecretRef) -> bytes:
        """Return the secret without a final line end. Raises Retry or Stalled; never says it."""
        match reference.kind:
            case "file":
                content = read_private(reference.place)
            case "credential":
                content = read_credential(reference.place, limit=_LARGEST + 1)
                content = _bounded(content, f"credential {reference.place}")
            case _:
                found = await self.podman_secret(reference.place)
                if found is None:
                    name = reference.place
                    raise Stalled(
                        f"cannot read {reference}: Podman has no secret {name}",
                        hint=f"podman secret create {name} FILE",
                    )
                content = found
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        if not content:
            raise Stalled(f"cannot use {reference}: it is empty", hint="put the secret there")
        return content


def read_private(
    place: str, *, hint: str = "put the secret there, in a file of your own with mode 0600"
) -> bytes:
    """Read a file that nobody else can read. Raises Stalled, with `hint` if it cannot be read."""
    path = Path(place).expanduser()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Stalled(f"cannot use {path}: it is no file", hint="name a file")
            if status.st_mode & _OTHERS:
                raise Stalled(
                    f"cannot use {path}: others can read or change it", hint=f"chmod 600 {path}"
                )
            return _bounded(file.read(_LARGEST + 1), str(path))
    except OSError as error:
        raise Stalled(f"cannot read {path}: {error.strerror}", hint=hint) from error


def read_credential(name: str, *, limit: int) -> bytes:
    """Read the beginning of a credential of this service. Raises Stalled."""
    path, hint = credential_path(name), how_to_load(name)
    if path is None:
        raise Stalled(f"cannot read credential {name}: the service has none", hint=hint)
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise Stalled(f"cannot read credential {name}: {error.strerror}", hint=hint) from error


def _bounded(content: bytes, what: str) -> bytes:
    if len(content) > _LARGEST:
        raise Stalled(
            f"cannot use {what}: it is larger than {_LARGEST >> 10} KiB",
            hint="name the file that holds the secret alone",
        )
    return content
