"""The authority of `Issuer=internal`, for whoever asks where no daemon is needed."""

from pathlib import Path

from supervisor.adapters.certificates.authority import InternalAuthority
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.secrets.references import SecretReader
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.wiring.environment import Paths, load_settings


async def root_of(config: Path) -> str:
    """Return the certificate to trust in PEM. Raises Retry or Stalled if there is none yet."""
    paths = Paths.from_environment(config)
    settings = load_settings(paths.config).settings
    read = SecretReader(PodmanClient(paths.podman_socket).secret).read
    found = settings.certificates if settings else CertificateSettings()
    return await InternalAuthority(
        paths.state / "authority", settings=lambda: found, read=read
    ).root()
