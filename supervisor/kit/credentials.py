"""systemd's credentials of this service (systemd.exec(5), LoadCredential=)."""

import os
from pathlib import Path


def credential_path(name: str) -> Path | None:
    """Return where systemd has put a credential, if it has put any there; it may not be there."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) / name if folder else None


def how_to_load(name: str) -> str:
    """Say how a service is given a credential."""
    return f"systemctl --user edit podvisor, and in [Service] LoadCredential={name}:PATH"
