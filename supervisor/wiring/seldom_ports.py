"""The adapters that most people never need, each loaded with the first use of its port."""

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
from supervisor.kit.deferred import deferred
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings
from supervisor.wiring.environment import Paths

ReadSecret = Callable[[SecretRef], Awaitable[bytes]]


def archive(folder: Path) -> VolumeArchive:
    """Keep what volumes held in a folder."""

    def made() -> VolumeArchive:
        from supervisor.adapters.podman.volume_archive import FileArchive  # noqa: PLC0415

        return FileArchive(folder)

    return deferred(made)


def decryptor(paths: Paths, settings: Callable[[], Settings], read: ReadSecret) -> Decryptor:
    """Open what is encrypted for this host."""

    def made() -> Decryptor:
        from supervisor.adapters.secrets.decryptor import FileDecryptor  # noqa: PLC0415

        return FileDecryptor(
            state=paths.state,
            runtime=paths.runtime,
            identity=lambda: settings().secrets.identity,
            read=read,
        )

    return deferred(made)


def tokens() -> Tokens:
    """Verify the tokens of Git hosts' jobs."""

    def made() -> Tokens:
        from supervisor.adapters.oidc.tokens import TokenVerifier  # noqa: PLC0415

        return TokenVerifier()

    return deferred(made)


def git_host() -> GitHost:
    """Tell Git hosts how commits fare."""

    def made() -> GitHost:
        from supervisor.adapters.githost.commit_status import CommitStatusSender  # noqa: PLC0415

        return CommitStatusSender()

    return deferred(made)


def pull_requests() -> PullRequests:
    """Open pull requests."""

    def made() -> PullRequests:
        from supervisor.adapters.githost.pull_requests import PullRequestClient  # noqa: PLC0415

        return PullRequestClient()

    return deferred(made)


def messenger() -> Messenger:
    """Send messages to people."""

    def made() -> Messenger:
        from supervisor.adapters.notify.sender import AppriseMessenger  # noqa: PLC0415

        return AppriseMessenger()

    return deferred(made)


def issuer(accounts: Path) -> Issuer:
    """Have certificates issued over ACME."""

    def made() -> Issuer:
        from supervisor.adapters.acme.issuer import AcmeCertificates  # noqa: PLC0415

        return AcmeCertificates(accounts=accounts)

    return deferred(made)


def authority(folder: Path, settings: Callable[[], Settings], read: ReadSecret) -> Authority:
    """Sign certificates here."""

    def made() -> Authority:
        from supervisor.adapters.certificates.authority import InternalAuthority  # noqa: PLC0415

        return InternalAuthority(folder, settings=lambda: settings().certificates, read=read)

    return deferred(made)


def imported(folder: Path) -> ImportedCertificates:
    """Take certificates that a person brings."""

    def made() -> ImportedCertificates:
        from supervisor.adapters.certificates.imported import ImportedStore  # noqa: PLC0415

        return ImportedStore(folder)

    return deferred(made)


def tls_look() -> TlsLook:
    """See which certificate a server shows."""

    def made() -> TlsLook:
        from supervisor.adapters.certificates.tls_look import TlsClient  # noqa: PLC0415

        return TlsClient()

    return deferred(made)
