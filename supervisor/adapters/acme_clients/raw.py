"""What stands in a client's folder, before it is verified."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from supervisor.adapters.acme_clients.folder import ClientFolder
from supervisor.model.certificate import Challenge
from supervisor.model.client_folders import Client, Note

OF_ACCOUNT = "whoever has read it can act for this account"
OF_CERTIFICATE = "if somebody may have: podvisor certs renew NAME has one with a new key"
"""What it means that others can read a key."""


class IssuerSigns(NamedTuple):
    """What is known of an issuer: some of it."""

    directory: str = ""
    """URL."""
    folder: str = ""
    """As Caddy calls the folder of its issuer."""
    url: str = ""
    """Of something at it."""
    is_any: bool = False
    """Whether nobody knows: then the certificate itself tells, or it does for any."""


class RawAccount(NamedTuple):
    client: Client
    path: str
    """Of its key."""
    issuer: IssuerSigns
    url: str
    email: str
    key: str
    """PEM, or a JWK in JSON."""
    status: str = ""
    written_at: float = 0.0
    id: str = ""
    """Of certbot's own."""


class RawCertificate(NamedTuple):
    client: Client
    path: str
    """Of its chain."""
    key_path: str
    name: str
    issuer: IssuerSigns
    key: str
    """A text with its PEM."""
    chain: str
    """A text with its PEM, and perhaps that of other certificates after it."""
    domains: tuple[str, ...] = ()
    """In the order in which they were asked for, where that is written down."""
    profile: str = ""
    challenge: Challenge | None = None
    reuse_key: bool = False
    way: str = ""
    account: str = ""
    """`RawAccount.id` of who ordered it."""


Found = RawAccount | RawCertificate | Note


class Reader(Protocol):
    """Reads the folder of one client. What cannot be read is a note; the others go on."""

    def __call__(self, folder: ClientFolder, only: str) -> Iterator[Found]:
        """Yield what is there; `only` names one certificate, with the account that ordered it."""
