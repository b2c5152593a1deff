"""Podvisor's own authority, for whoever asks where no daemon is needed."""

from pathlib import Path

from supervisor.adapters.certificates.authority import InternalAuthority
from supervisor.wiring.environment import Paths


async def root_of(config: Path) -> str:
    """Return the authority's own certificate in PEM. Raises Stalled if there is none yet."""
    return await InternalAuthority(Paths.from_environment(config).state / "authority").root()
