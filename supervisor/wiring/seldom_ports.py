"""The adapters that most people never need, each loaded when it is made."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from supervisor.controllers.ports import (
    Authority,
    Decryptor,
    GitHost,
    ImportedCertificates,
    Issuer,
    Messenger,
    PullRequests,
    TlsLook,
    Tokens,
    VolumeArchive,
)
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings
from supervisor.wiring.environment import Paths

ReadSecret = Callable[[SecretRef], Awaitable[bytes]]


def archive(folder: Path) -> VolumeArchive:
    """Keep what volumes held in a folder."""
    from supervisor.adapters.podman.volume_archive import FileArchive  # noqa: PLC0415

    return FileArchive(folder)


def decryptor(paths: Paths, settings: Callable[[], Settings], read: ReadSecret) -> Decryptor:
    """Open what is encrypted for this host."""
    from supervisor.adapters.secrets.decryptor import FileDecryptor  # noqa: PLC0415

    return FileDecryptor(
        state=paths.state,
        runtime=paths.runtime,
        identity=lambda: settings().secrets.identity,
        read=read,
    )


def tokens() -> Tokens:
    """Verify the tokens of Git hosts' jobs."""
    from supervisor.adapters.oidc.tokens import TokenVerifier  # noqa: PLC0415

    return TokenVerifier()


def git_host() -> GitHost:
    """Tell Git hosts how commits fare."""
    from supervisor.adapters.githost.commit_status import CommitStatusSender  # noqa: PLC0415

    return CommitStatusSender()


def pull_requests() -> PullRequests:
    """Open pull requests."""
    from supervisor.adapters.githost.pull_requests import PullRequestClient  # noqa: PLC0415

    return PullRequestClient()


def messenger() -> Messenger:
    """Send messages to people."""
    from supervisor.adapters.notify.sender import AppriseMessenger  # noqa: PLC0415

    return AppriseMessenger()


def issuer(accounts: Path) -> Issuer:
    """Have certificates issued over ACME."""
    from supervisor.adapters.acme.issuer import AcmeCertificates  # noqa: PLC0415

    return AcmeCertificates(accounts=accounts)


def authority(folder: Path, settings: Callable[[], Settings], read: ReadSecret) -> Authority:
    """Sign certificates here."""
    from supervisor.adapters.certificates.authority import InternalAuthority  # noqa: PLC0415

    return InternalAuthority(folder, settings=lambda: settings().certificates, read=read)


def imported(folder: Path) -> ImportedCertificates:
    """Take certificates that a person brings."""
    from supervisor.adapters.certificates.imported import ImportedStore  # noqa: PLC0415

    return ImportedStore(folder)


def tls_look() -> TlsLook:
    """See which certificate a server shows."""
    from supervisor.adapters.certificates.tls_look import TlsClient  # noqa: PLC0415

    return TlsClient()
